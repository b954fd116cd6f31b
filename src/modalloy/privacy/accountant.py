"""What noised steps promise together: epsilon of so many of them, and the noise that an epsilon
asks for.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple, assert_never

import numpy as np
from scipy.special import logsumexp

from modalloy.errors import JobError
from modalloy.job.private import Private
from modalloy.machine.imports import require

Accountant = Literal["rdp", "prv"]
ORDERS = (*np.arange(1.1, 11.0, 0.1).tolist(), *range(11, 64), 72, 96, 128, 192, 256, 512)
EXACT = 1e-3  # of the noise multiplier, relative
EXACT_PRV, GAIN = 1e-2, 0.3  # the same by `prv`, and how much less noise it asks for at most
PRV_ERROR = 0.01  # of epsilon; it is added, so that the promise holds
MOST = 0.1  # noise of one weight, in lengths of what all drawn units together may say


class Plan(NamedTuple):
    """The noise of a training, and what it promises.

    multiplier: deviation of the noise in lengths of the longest gradient. rate: chance of a unit to
    be drawn into a step. epsilon: of all steps together, for delta.
    """

    multiplier: float
    rate: float
    steps: int
    epsilon: float
    delta: float
    units: int
    unit: str
    accountant: Accountant

    def facts(self) -> dict[str, float | int | str]:
        """As data, for a report or a card."""
        return self._asdict()


def plan(options: Private, units: int, steps: int) -> Plan:
    """The noise that keeps what was asked for over so many steps from so many units.

    JobError where delta is too large for so few units, and where the noise would drown all that
    they can say; it names the units that would do.
    """
    delta = min(1e-5, 0.1 / max(1, units)) if options.delta == "auto" else options.delta
    if delta * units >= 1:
        raise JobError(
            f"private.delta: {delta:g} lets one of {units} units be told entirely; ask for less "
            f"than {1 / units:.1g}, or leave it to auto"
        )
    rate, kind = options.share, options.accountant
    multiplier = noise_for(options.epsilon, delta, rate, steps, accountant=kind)
    expected = rate * units
    if multiplier > MOST * expected:
        enough = math.ceil(multiplier / (MOST * rate))
        raise JobError(
            f"private.epsilon: {options.epsilon:g} cannot be met with {units} units of "
            f"{options.unit} over {steps} steps and anything still be learned: noise of "
            f"{multiplier:.3g} gradients on {expected:.3g} of them; {enough:,} units would do, "
            "or a larger epsilon, or fewer steps"
        )
    kept = epsilon(rate, multiplier, steps, delta, accountant=kind)
    return Plan(multiplier, rate, steps, kept, delta, units, options.unit, kind)


def epsilon(
    rate: float, multiplier: float, steps: int, delta: float, *, accountant: Accountant = "rdp"
) -> float:
    """Epsilon of so many steps of the subsampled Gaussian mechanism, for delta; infinite without
    noise, 0 without steps. Units are added or removed, not replaced.

    JobError where `prv` is asked for and opacus is not installed.
    """
    if steps == 0 or rate == 0:
        return 0.0
    if multiplier <= 0:
        return math.inf
    match accountant:
        case "rdp":
            return from_rdp(rdp(rate, multiplier, ORDERS) * steps, ORDERS, delta)
        case "prv":
            return prv(rate, multiplier, steps, delta)
        case other:
            assert_never(other)


def noise_for(
    wanted: float, delta: float, rate: float, steps: int, *, accountant: Accountant = "rdp"
) -> float:
    """The least noise multiplier whose epsilon is at most what is wanted, to a thousandth; by `prv`
    to a hundredth."""
    high = 1.0
    while epsilon(rate, high, steps, delta) > wanted:
        high *= 2
    low = high / 2 if high > 1 else 0.0
    while high - low > EXACT * high:
        middle = (low + high) / 2
        met = epsilon(rate, middle, steps, delta) <= wanted if middle > 0.05 else False
        low, high = (low, middle) if met else (middle, high)
    return high if accountant == "rdp" else tightened(wanted, delta, rate, steps, high)


def tightened(wanted: float, delta: float, rate: float, steps: int, high: float) -> float:
    """The same by `prv`, from what `rdp` asks for; never more than that."""
    if prv(rate, high, steps, delta) > wanted:  # of very few steps its error may outweigh it
        return high
    low = high * (1 - GAIN)
    while high - low > EXACT_PRV * high:
        middle = (low + high) / 2
        met = prv(rate, middle, steps, delta) <= wanted
        low, high = (low, middle) if met else (middle, high)
    return high


def rdp(rate: float, multiplier: float, orders: Sequence[float]) -> np.ndarray:
    """Renyi divergence of one step at each order (Mironov et al. 2019, 1908.10530, section 3).

    A(a) = E[((1 - q) + q exp((2 z - 1) / (2 s^2)))^a] over z from N(0, s^2), and log A(a) / (a - 1)
    is the divergence. We integrate by the trapezoid rule, which is exact to rounding for such
    functions, where the article sums a series.
    """
    if rate == 1.0:
        return np.array([a / (2 * multiplier**2) for a in orders])
    return np.array([log_moment(rate, multiplier, a) / (a - 1) for a in orders])


def log_moment(rate: float, multiplier: float, order: float) -> float:
    """log A(a). The mass of the integral lies around 0 and around the order."""
    step = min(multiplier, multiplier**2) / 12
    z_N = np.arange(-12 * multiplier, order + 12 * multiplier, step)
    shift_N = (2 * z_N - 1) / (2 * multiplier**2)
    log_ratio_N = np.logaddexp(math.log1p(-rate), math.log(rate) + shift_N)
    log_density_N = -(z_N**2) / (2 * multiplier**2) - math.log(multiplier * math.sqrt(2 * math.pi))
    return float(logsumexp(order * log_ratio_N + log_density_N) + math.log(step))


def from_rdp(rdp_A: np.ndarray, orders: Sequence[float], delta: float) -> float:
    """Epsilon for delta of Renyi divergences (Balle et al. 2020, 1905.09982, theorem 21)."""
    a_A = np.asarray(orders)
    found_A = rdp_A - (math.log(delta) + np.log(a_A)) / (a_A - 1) + np.log1p(-1 / a_A)
    return max(0.0, float(found_A.min()))


def prv(rate: float, multiplier: float, steps: int, delta: float) -> float:
    """The upper end of epsilon by opacus' accountant of privacy loss variables."""
    require("opacus", "private", "private.accountant: prv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of orders that its own bound is found at, and imports
        from opacus.accountants import PRVAccountant

        accountant = PRVAccountant()
        # A rate of exactly 1 is a limit that it has no formula for.
        accountant.history = [(multiplier, min(rate, 1 - 1e-9), steps)]
        return float(accountant.get_epsilon(delta, eps_error=PRV_ERROR))
