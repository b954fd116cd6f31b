"""What is to be run of a twin: a plan or given designs, a seed, hidden parameters, fixed values."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

PlanKind = Literal["latin", "sobol", "factorial"]
Unseen = Literal["drawn", "default"]


class Asked(NamedTuple):
    """kind, count: of the plan. seed: of everything. hidden: whether hidden parameters are drawn
    for each run or stay at their defaults. fixed: values of variables or hidden parameters that are
    the same in every run. designs: in place of a plan, a mapping each; they may set hidden
    parameters too.
    """

    kind: PlanKind
    count: int
    seed: int
    hidden: Unseen
    fixed: Mapping[str, Any]
    designs: Sequence[Mapping[str, Any]] | None = None

    def in_json(self) -> dict[str, Any]:
        """The plan as a record of runs names it."""
        common = {"hidden": self.hidden, "set": dict(self.fixed)}
        if self.designs is not None:
            return {"designs": [dict(design) for design in self.designs], **common}
        return {"kind": self.kind, "runs": self.count, **common}
