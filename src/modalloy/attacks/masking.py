"""Whether an attack's figures can be believed: the signs of masked gradients, each a check.

The checks are those of Athalye et al. 2018 (1802.00420) and Carlini et al. 2019 (1902.06705). A
network that fails one may look robust only because gradients lead its attackers astray.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

ABOUT_ZERO = 0.05  # share of right answers that is left where an attacker may do nearly anything
ASIDE = 0.01  # share of rows that a black box alone may break, and the share without a slope
STABLE = 0.03  # largest difference between the shares of right answers after each restart
STABLE_LOSS = 0.1  # the same of other figures, as a share of the largest


class Check(NamedTuple):
    """One check: its name, whether it was passed, and what was found, in a sentence."""

    name: str
    passed: bool
    said: str


def check_growth(figure: str, points: Sequence[tuple[float, float]], blind: float | None) -> Check:
    """Right answers fall to about none as budgets grow; errors rise to those of a blind answer.

    points: how many times the budgets, and the mean cost (wrong answers or loss). blind: the mean
    cost of always giving one answer; for None errors must double.
    """
    factor, cost = points[-1]
    if figure == "accuracy":
        passed = 1 - cost <= ABOUT_ZERO
        said = f"with {factor:g} times the budgets {100 * (1 - cost):.1f} % of answers are right"
    else:
        goal = 2 * points[0][1] if blind is None else blind
        passed = cost >= goal
        said = f"with {factor:g} times the budgets the mean loss is {cost:.3g}"
    wanted = "at most 5 %" if figure == "accuracy" else "at least what one blind answer costs"
    return Check("growth", passed, f"{said}; it should be {wanted}")


def check_black_box(white_N: Tensor, black_N: Tensor) -> Check:
    """A black box does not break rows that hold against every attack by gradients.

    white_N, black_N: what each row costs under the worst of either, within the same budgets.
    """
    behind = float((black_N > white_N * 1.01 + 1e-6).float().mean()) if len(white_N) else 0.0
    said = f"{100 * behind:.1f} % of rows are hurt more by Square than by any attack by gradients"
    return Check("black box", behind <= ASIDE, f"{said}; it should be at most 1 %")


def check_restarts(figure: str, costs: Sequence[float]) -> Check:
    """Attacks from other starts find the same."""
    apart = max(costs) - min(costs)
    if figure == "accuracy":
        passed, told = apart <= STABLE, f"{100 * apart:.1f} points apart"
    else:
        apart /= max(*costs, 1e-12)
        passed, told = apart <= STABLE_LOSS, f"{100 * apart:.0f} % apart"
    return Check("restarts", passed, f"{len(costs)} restarts end {told}")


def check_slopes(flat_N: Tensor) -> Check:
    """Gradients are not zero: where they are, an attack by gradients does not know where to go.

    flat_N: whether each row has no gradient at all.
    """
    share = float(flat_N.float().mean()) if len(flat_N) else 0.0
    said = f"{100 * share:.1f} % of rows have a gradient of zero; it should be at most 1 %"
    return Check("gradients", share <= ASIDE, said)


def worst_of(costs: Sequence[Tensor]) -> Tensor:
    """What each row costs under the worst of some attacks."""
    return torch.stack(list(costs)).amax(0)
