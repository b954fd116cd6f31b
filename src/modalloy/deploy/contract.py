"""What a compression promises: how many decisions stay the same, or how many points may be lost."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from modalloy.answer.golden_rows import SHARE as SAME
from modalloy.errors import JobError
from modalloy.judge.wording import fixed

if TYPE_CHECKING:
    from modalloy.deploy.guard import Judged

Profile = Literal["latency", "throughput", "size", "exact"]
PROFILES: tuple[Profile, ...] = ("latency", "throughput", "size", "exact")
LEAST_KEPT = 0.8  # share of nearest neighbours that search keeps
MOST_LOSS = 20.0  # points; a model that may lose more is another model


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

    def applied(self, judged: "Judged") -> "Judged":
        """What was judged, with the reasons why it is refused."""
        return replace(judged, reasons=tuple(self.reasons(judged)))

    def reasons(self, judged: "Judged") -> list[str]:
        """Why this is refused; nothing where it keeps the contract."""
        found = []
        for task, own in judged.alike.items():
            if self.profile == "exact" and not own.fine:
                found.append(
                    f"{task}: {fixed(100 * own.share, 2)} % of decisions are the same, "
                    f"{100 * SAME:g} % are promised; one with a margin of {own.worst:.3g} changed"
                )
        for task, (lost, at_most) in judged.losses.items():
            if self.profile != "exact" and at_most > self.max_loss:
                found.append(
                    f"{task}: {fixed(lost, 2)} points lost, and {fixed(at_most, 2)} cannot be "
                    f"ruled out on {judged.rows} rows ({self.max_loss:g} allowed)"
                )
        worst = judged.worst
        if self.profile != "exact" and worst is not None and worst.surely > self.max_loss:
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
