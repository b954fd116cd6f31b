"""Noise of each output and spread of each parameter between parts: likeliest values, intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

from modalloy.twin.calibration.mixed_model import Gathered, Scales, Solved, solve

LEAST_SPREAD = 1e-4  # of a parameter's width: less is none
MOST_SPREAD = 1.0
LEAST_NOISE, MOST_NOISE = 1e-7, 10.0  # of an output's own size
LEAP, WALKS = 2.0, 20  # of a logarithm in one search, and how many searches follow each other
STARTS = (0.02, 0.2)  # spreads that a search begins with
HINT = 2e-3  # the same where others are nearly right
FIRST, STRIDE = 5e-4, 1.5  # of a walk to the end of an interval
NOTHING = 30.0  # times less spread than the likeliest is as good as none
ACCURATE = {"ftol": 1e-13, "gtol": 1e-7, "maxiter": 500}
QUICK = {"ftol": 1e-7, "maxiter": 100}  # for intervals, where a hundredth of a unit does no harm


@dataclass(frozen=True)
class ScaleFit:
    """What is fitted. known: noise of outputs by number, where it is given. spread: whether parts
    may differ.
    """

    sums: Gathered
    prior_mean_K: np.ndarray
    prior_precision_K: np.ndarray
    known: Mapping[int, float]
    spread: bool

    def likeliest(self, start: Scales | None = None, held: Mapping[int, float] = {}) -> Scales:
        """Noise and spread of the highest restricted likelihood.

        start: where the search begins; at several places without. held: spreads by number of
        parameter that stay as they are.
        """
        outputs, size = len(self.sums.size_O), len(self.prior_mean_K)
        fixed_N = np.full(outputs + size, np.nan)  # logarithms of noise, then of spread
        for o, noise in self.known.items():
            fixed_N[o] = np.log(noise)
        for k, spread in held.items():
            fixed_N[outputs + k] = np.log(max(spread, LEAST_SPREAD))
        if not self.spread:
            fixed_N[outputs:] = -np.inf
        log_O = np.log(self.sums.size_O)
        low_N = np.r_[log_O + np.log(LEAST_NOISE), np.full(size, np.log(LEAST_SPREAD))]
        high_N = np.r_[log_O + np.log(MOST_NOISE), np.full(size, np.log(MOST_SPREAD))]
        free_N = np.isnan(fixed_N)
        floor = HINT if held else STARTS[0]
        if start is not None:
            begin = [np.log(np.r_[start.noise_O, np.maximum(start.spread_K, floor)])]
        else:
            begin = [np.r_[log_O - 1.0, np.full(size, np.log(one))] for one in STARTS]
        bounds = np.stack([low_N, high_N], axis=1)
        best: tuple[float, np.ndarray] | None = None
        for x_N in begin:
            found = self._search(fixed_N, np.clip(x_N, low_N, high_N), bounds, bool(held))
            if best is None or found[0] < best[0]:
                best = found
        assert best is not None
        x_N = np.where(free_N, best[1], fixed_N)
        spread_K = np.exp(x_N[outputs:])
        spread_K[spread_K <= LEAST_SPREAD * 1.01] = 0.0
        return Scales(np.exp(x_N[:outputs]), spread_K)

    def _search(
        self, fixed_N: np.ndarray, x_N: np.ndarray, bounds_N2: np.ndarray, quick: bool
    ) -> tuple[float, np.ndarray]:
        """Cost and place of one search."""
        free_N = np.isnan(fixed_N)
        outputs = len(self.sums.size_O)

        def cost(free: np.ndarray) -> tuple[float, np.ndarray]:
            place_N = fixed_N.copy()
            place_N[free_N] = free
            at = Scales(np.exp(place_N[:outputs]), np.exp(place_N[outputs:]))
            solved = self.solve(at)
            return solved.cost, np.r_[solved.slope_noise_O, solved.slope_spread_K][free_N]

        at_N = np.where(free_N, x_N, fixed_N)
        value = cost(at_N[free_N])[0]
        options = QUICK
        for _ in range(WALKS if free_N.any() else 0):
            # A search may leap over a hill to where spread explains one output's every cell.
            near_N2 = np.clip(at_N[free_N, None] + [-LEAP, LEAP], *bounds_N2[free_N].T[:, :, None])
            given = {"jac": True, "bounds": near_N2, "options": options}
            found = minimize(cost, at_N[free_N], method="L-BFGS-B", **given)
            at_N[free_N], value = found.x, float(found.fun)
            ends_N2, whole_N2 = np.isclose(near_N2, found.x[:, None]), bounds_N2[free_N]
            if not (ends_N2 & (near_N2 != whole_N2)).any():
                if quick or options is ACCURATE:
                    break
                options = ACCURATE
        return value, at_N

    def solve(self, scales: Scales) -> Solved:
        """Shift of the mean and of parts at these scales."""
        return solve(self.sums, scales, self.prior_mean_K, self.prior_precision_K)

    def spread_interval(self, k: int, best: Scales, confidence: float) -> tuple[float, float]:
        """Spreads of parameter k that rows and the twin's file do not rule out, by the profile of
        the cost.

        From 0 where none fits them as well; up to MOST_SPREAD where neither sets a bound.
        """
        top = float(best.spread_K[k])
        low = self._end(k, best, top, max(top / NOTHING, LEAST_SPREAD), 1.0 / STRIDE, confidence)
        high = self._end(k, best, max(top, FIRST), MOST_SPREAD, STRIDE, confidence)
        return low or 0.0, MOST_SPREAD if high is None else high

    def _end(
        self, k: int, best: Scales, spread: float, last: float, stride: float, confidence: float
    ) -> float | None:
        """Where the profile leaves the interval, on a walk to `last`; None where it does not.

        On a walk each search begins where the one before it ended, so that all are on one slope.
        """
        least, allowed = self.solve(best).cost, float(chi2.ppf(confidence, 1))
        near, root, reached = best, 0.0, spread
        while (spread - last) * np.sign(stride - 1.0) < 0.0:
            spread = min(spread * stride, last) if stride > 1.0 else max(spread * stride, last)
            near = self.likeliest(near, {k: spread})
            before, root = root, float(np.sqrt(max(self.solve(near).cost - least, 0.0)))
            if root**2 > allowed:  # the root of a fall is nearly straight
                share = (np.sqrt(allowed) - before) / (root - before)
                return float(reached * (spread / reached) ** share)
            reached = spread
        return None
