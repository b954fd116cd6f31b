"""What a compression promises: how many decisions stay the same, or how many points may be lost."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from modalloy.answer.golden_rows import SHARE as SAME
from modalloy.deploy.few_rows import enough
from modalloy.errors import JobError
from modalloy.judge.wording import fixed

if TYPE_CHECKING:
    from modalloy.deploy.guard import Judged

Profile = Literal["latency", "throughput", "size", "exact"]
PROFILES: tuple[Profile, ...] = ("latency", "throughput", "size", "exact")
LEAST_KEPT = 0.8  # share of nearest neighbours that search keeps
LEAST_SAME = 0.99  # share of rows that are called unlike those of training, or not, as by the run
MOST_LOSS = 20.0  # points; a model that may lose more is another model
GUARDED = 2000  # held-back rows that are judged where a loss is not tiny; more only take longer
MOST_GUARDED = 20_000


@dataclass(frozen=True)
class Contract:
    """profile: what is to be gained. max_loss: points that a task may lose; for `exact` it is
    decisions that count.
    """

    profile: Profile
    max_loss: float

    def check(self) -> None:
        """JobError for a profile or a loss that there is none of."""
        if self.profile not in PROFILES:
            raise JobError(f"profile: '{self.profile}' is none of {', '.join(PROFILES)}.")
        if not 0.0 <= self.max_loss <= MOST_LOSS:
            raise JobError(
                f"max_loss: {self.max_loss:g} is no loss to allow; give points from 0 to "
                f"{MOST_LOSS:g}, such as 0.5."
            )

    def rows(self) -> int:
        """Held-back rows that are judged at most: enough to rule out what may be lost twice over,
        as far as time allows."""
        wanted = enough(self.allowed(exact=False)) or MOST_GUARDED
        return min(max(GUARDED, 2 * wanted), MOST_GUARDED)

    def applied(self, judged: "Judged") -> "Judged":
        """What was judged, with the reasons why it is refused."""
        return replace(judged, reasons=tuple(self.reasons(judged)))

    def reasons(self, judged: "Judged") -> list[str]:
        """Why this is refused; nothing where it keeps the contract."""
        found = [*self.decisions(judged), *self.losses(judged), *self.unlike(judged)]
        worst = judged.worst
        if worst is not None and worst.surely > self.max_loss:
            found.append(
                f"{worst.task}: rows with {worst.name} lose {fixed(worst.lost, 1)} points, surely "
                f"more than {fixed(worst.surely, 1)}"
            )
        if judged.kept is not None and judged.kept < LEAST_KEPT:
            found.append(
                f"{fixed(100 * judged.kept, 1)} % of nearest neighbours are kept, "
                f"{100 * LEAST_KEPT:g} % are needed for search"
            )
        if not judged.finite:
            found.append("numbers far outside all training give no finite answer")
        return found

    def decisions(self, judged: "Judged") -> Iterator[str]:
        """Tasks of which decisions count, and too many changed or too few rows say so."""
        for task, own in judged.alike.items():
            if self.profile != "exact" and task in judged.losses:
                continue
            why = "are promised" if self.profile == "exact" else "must be, for want of a figure"
            few = judged.few.get(task)
            if not own.fine:
                yield (
                    f"{task}: {fixed(100 * own.share, 2)} % of decisions are the same, "
                    f"{100 * SAME:g} % {why}; one with a margin of {own.worst:.3g} changed"
                )
            elif few is not None and not few.rests and few.share > self.allowed(exact=True):
                change = f"{fixed(100 * few.share, 2)} % change{more(self.allowed(exact=True))}"
                yield (
                    f"{task}: {100 * SAME:g} % of decisions {why}, and on {few.rows} rows it "
                    f"cannot be ruled out that {change}"
                )

    def too_few(self, judged: "Judged") -> bool:
        """Whether some task's rows are too few for any change at all to keep the contract."""
        return any(
            not few.rests and few.share > self.allowed(exact=task not in judged.losses)
            for task, few in judged.few.items()
        )

    def allowed(self, *, exact: bool) -> float:
        """Share of rows that may be lost, or decided otherwise where decisions count."""
        return 1.0 - SAME if exact or self.profile == "exact" else self.max_loss / 100.0

    def losses(self, judged: "Judged") -> Iterator[str]:
        """Tasks that lose too much, or of which too few rows are known to say that they do not."""
        if self.profile == "exact":
            return
        for task, (lost, at_most) in judged.losses.items():
            if at_most > self.max_loss:
                few = judged.few.get(task)
                rows = judged.rows if few is None else few.rows
                short = few is not None and not few.rests and few.share > self.allowed(exact=False)
                yield (
                    f"{task}: {fixed(lost, 2)} points lost, and {fixed(at_most, 2)} cannot be "
                    f"ruled out on {rows} rows ({self.max_loss:g} allowed)"
                    f"{more(self.allowed(exact=False)) if short else ''}"
                )

    def unlike(self, judged: "Judged") -> list[str]:
        """Why rows that are unlike those of training forbid it: too many others are called so."""
        own, least = judged.unlike, SAME if self.profile == "exact" else LEAST_SAME
        if own is None or (own.fine if self.profile == "exact" else own.share >= least):
            return []
        return [
            f"{fixed(100 * own.share, 2)} % of rows are called unlike those of training, or not, "
            f"as by the run; {100 * least:g} % must be"
        ]


def more(share: float) -> str:
    """How many rows would say that no more than this share is lost."""
    rows = enough(share)
    if rows is None:
        return "; no number of rows rules out every loss"
    if rows > MOST_GUARDED:
        return f"; it would take {rows} rows, and no more than {MOST_GUARDED} are judged"
    return f"; {rows} labelled rows to guard by would be enough, if none of them is lost"
