"""What is to be run of a twin: a plan or given designs, a seed, hidden parameters, fixed values."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

PlanKind = Literal["latin", "sobol", "factorial"]
RunPlan = Literal["latin", "sobol", "factorial", "active"]
Unseen = Literal["drawn", "default"]


class Choosing(NamedTuple):
    """How runs of an active plan are chosen: `first` of them spread by a Sobol sequence, then
    `batch` at once, after what came of those before.

    about: the outputs that the runs are to teach. minimise, maximise: the outputs that are to be
    small or large; where there are some, runs are chosen that promise so, in place of `about`.
    """

    first: int
    batch: int
    about: tuple[str, ...] = ()
    minimise: tuple[str, ...] = ()
    maximise: tuple[str, ...] = ()


class Asked(NamedTuple):
    """kind, count: of the plan. seed: of everything. hidden: whether hidden parameters are drawn
    for each run or stay at their defaults. fixed: values of variables or hidden parameters that are
    the same in every run. designs: in place of a plan, a mapping each; they may set hidden
    parameters too. choosing: of an active plan.
    """

    kind: RunPlan
    count: int
    seed: int
    hidden: Unseen
    fixed: Mapping[str, Any]
    designs: Sequence[Mapping[str, Any]] | None = None
    choosing: Choosing | None = None

    def in_json(self) -> dict[str, Any]:
        """The plan as a record of runs names it."""
        common = {"hidden": self.hidden, "set": dict(self.fixed)}
        if self.designs is not None:
            return {"designs": [dict(design) for design in self.designs], **common}
        chosen = {} if self.choosing is None else self.choosing._asdict()
        return {"kind": self.kind, "runs": self.count, **chosen, **common}
