"""What a compression found: every candidate, and the table before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modalloy.answer.golden_rows import SHARE as SAME
from modalloy.bundle.bundled import Bundle
from modalloy.deploy.calibration_rows import Rows
from modalloy.deploy.contract import Contract
from modalloy.deploy.picking import Picked
from modalloy.deploy.tried import Tried
from modalloy.deploy.whole_speed import Whole
from modalloy.judge.compared import Compared, Pair
from modalloy.judge.wording import fixed
from modalloy.machine.peak import Peak
from modalloy.runs.run import Run

NOTE = "compressed"  # of the manifest's notes


@dataclass(frozen=True)
class Report:
    """peak: of this machine. source: of the guard's rows. tried: every candidate."""

    contract: Contract
    peak: Peak | None
    source: str
    compared: Compared
    speed: Whole
    tried: Sequence[Tried]
    said: Sequence[str] = ()

    def state(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "profile": self.contract.profile,
            "max_loss": self.contract.max_loss,
            "guard": self.source,
            "peak": None if self.peak is None else self.peak.state(),
            "before_after": self.compared.as_dict(),
            "feed_ms": self.speed.feed,
            "compute_ms": {"one": list(self.speed.one), "many": list(self.speed.many)},
            "candidates": [one.state() for one in self.tried],
            "said": [*self.speed.said(), *self.said],
        }


def before_after(
    run: Run,
    rows: Rows,
    picked: Picked,
    speed: Whole,
    size: tuple[float, float],
    contract: Contract,
) -> Compared:
    """The table of what has changed, on the guard's rows. size: megabytes of graphs."""
    units = {t: str(getattr(o, "unit", "") or "") for t, o in run.job.tasks.items()}
    costs = {
        "Milliseconds to compute one row": Pair(*speed.one),
        "Milliseconds to compute 16 rows": Pair(*speed.many),
        "Milliseconds to read one row": Pair(speed.feed, speed.feed),
        "Megabytes of graphs, float32 included": Pair(*size),
    }
    judged = picked.judged
    lines = [*picked.said, *rows.said, f"guarded by {len(rows.guard)} {rows.source}, which chose"]
    for task, share in judged.agreement.items():
        lines.append(f"{task}: {fixed(100 * share, 2)} % of decisions are the same")
    for task, few in judged.few.items():
        allowed = contract.allowed(exact=task not in judged.losses)
        if few.rests and few.share > allowed:
            lines.append(
                f"{task}: {few.rows} rows alone could not tell that no more than "
                f"{100 * allowed:g} in a hundred are lost; that rests on the outputs, whose stated "
                f"certainty moved by {few.moved:.2g} at most"
            )
    return Compared("compress", judged.rows, rows.source, judged.tasks, units, costs, tuple(lines))


def promised(contract: Contract) -> str:
    """What was promised, in a sentence."""
    if contract.profile == "exact":
        return f"At least {100 * SAME:g} % of decisions are those of the run"
    return (
        f"No task loses more than {contract.max_loss:g} points, with 95 % certainty on the rows of "
        "the guard"
    )


def say_changes(bundle: Bundle) -> str:
    """The table before and after, for a terminal."""
    assert bundle.archive is not None, "a bundle lies in an archive"
    return Compared.from_dict(bundle.archive.manifest.notes[NOTE]).text()
