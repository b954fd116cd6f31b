"""What is tried in turn where an 8-bit graph fails its guard: more and more of it in float32."""

from collections.abc import Callable, Mapping
from typing import Any

from modalloy.deploy.budget import Budget
from modalloy.deploy.guard import Judged
from modalloy.machine.confined import Confined

MOST_FLOAT = 0.5  # of the layers; a graph of which more stays in float32 gains nothing
HOME = "modalloy.deploy.candidate_builds.nncf_int8"

Confine = Callable[[str, Mapping[str, Any]], Confined]
Judge = Callable[[Mapping[str, Any]], Judged]


class Climbed:
    """Where the climb ended. built: of the rung that passed, None where none did. judged: of the
    last rung. rungs: in words, each with what came of it.
    """

    def __init__(self) -> None:
        self.built: Mapping[str, Any] | None = None
        self.judged: Judged | None = None
        self.rungs: list[str] = []
        self.seconds = 0.0

    @property
    def text(self) -> str:
        """All rungs on one line."""
        return "; ".join(self.rungs)


def climb(
    given: Mapping[str, Any], confine: Confine, judge: Judge, budget: Budget, *, failed: Judged
) -> Climbed:
    """Repair an 8-bit graph that has true ranges already: float32 in the first layers, then in
    those that lose most, one, two, four... of them.

    given: of `nncf_int8.build`. confine: runs a function apart. judge: guards what was built.
    failed: what the guard said of it.
    """
    climbed = Climbed()
    climbed.rungs.append(f"true ranges: {failed.reasons[0]}")

    def rung(name: str, **more: Any) -> bool:
        if budget.over():
            climbed.rungs.append(f"{name}: not tried, the time was used up")
            return False
        made = confine(f"{HOME}:build", {**given, **more})
        climbed.seconds += made.seconds
        if made.why is not None:
            climbed.rungs.append(f"{name}: {made.why}")
            return False
        climbed.judged = judge(made.result)
        if climbed.judged.passed:
            climbed.built = made.result
            climbed.rungs.append(f"{name}: passed")
            return True
        climbed.rungs.append(f"{name}: {climbed.judged.reasons[0]}")
        return False

    if rung("float input layer", float_inputs=True):
        return climbed
    asked = {n: given[n] for n in ("graph", "rows", "threads", "attention")}
    order = confine(f"{HOME}:rank", {**asked, "kept": []})
    climbed.seconds += order.seconds
    if order.why is not None:
        climbed.rungs.append(f"layers by what they lose: {order.why}")
        return climbed
    layers, count = order.result["layers"], 1
    while count <= max(1, MOST_FLOAT * len(layers)):
        names = layers[:count]
        said = f"{count} of {len(layers)} layers in float32"
        if rung(said, float_layers=names):
            return climbed
        count *= 2
    return climbed
