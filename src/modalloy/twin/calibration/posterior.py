"""How sure hidden parameters are: Laplace's approximation at the estimate, inside the bounds."""

from typing import NamedTuple

import numpy as np

from modalloy.twin.calibration.calibrated import Told
from modalloy.twin.calibration.mixed_model import Scales
from modalloy.twin.calibration.prior import Prior
from modalloy.twin.calibration.refined import Measured, Refined
from modalloy.twin.calibration.truncated import Truncated

UNTOLD = 0.9  # of the prior's deviation: rows that leave so much have told next to nothing


class Posterior(NamedTuple):
    """K parameters as t. low_K, high_K: the interval, at the confidence asked. deviation_K,
    before_K: with rows and without. alone_K: with rows, were all other parameters known. spread_:
    between parts, likeliest and what rows do not rule out.
    """

    t_K: np.ndarray
    low_K: np.ndarray
    high_K: np.ndarray
    deviation_K: np.ndarray
    before_K: np.ndarray
    alone_K: np.ndarray
    stopped_K: np.ndarray
    correlation_KK: np.ndarray
    spread_K: np.ndarray
    spread_low_K: np.ndarray
    spread_high_K: np.ndarray

    def told(self, k: int) -> Told:
        """What rows say of parameter k: its value, only one that goes with others', or nothing."""
        if self.deviation_K[k] < UNTOLD * self.before_K[k]:
            return "alone"
        return "together" if self.alone_K[k] < UNTOLD * self.before_K[k] else "not"


def posterior_of(
    refined: Refined, prior: Prior, measured: Measured, *, confidence: float
) -> Posterior:
    """The estimate with its uncertainty.

    Normal with the curvature at the estimate (Tierney and Kadane, 1986) and cut off at the bounds;
    intervals are those of Student's t where noise or spread come from the rows too.
    """
    covariance_KK = np.linalg.inv(refined.solved.precision_KK)
    scale_K = np.sqrt(np.diag(covariance_KK))
    held = np.flatnonzero(refined.stopped_K)
    free = np.flatnonzero(~refined.stopped_K)
    if len(held):  # given those at their bounds, the others are surer
        given_FF = np.linalg.inv(refined.solved.precision_KK[np.ix_(free, free)])
        scale_K[free] = np.sqrt(np.diag(given_FF))
    centre_K = np.where(refined.stopped_K, refined.centre_K, refined.t_K)
    freedom = freedom_of(measured, prior.size)
    curves = [Truncated(c, s, freedom) for c, s in zip(centre_K, scale_K, strict=True)]
    ends = np.array([curve.interval(confidence) for curve in curves])
    deviation_K = np.array([curve.deviation for curve in curves])
    root_K = np.sqrt(np.diag(covariance_KK))
    spreads = spread_ends(refined, measured, confidence)
    alone = np.diag(refined.solved.precision_KK) ** -0.5
    alone_K = np.array([Truncated(c, s).deviation for c, s in zip(centre_K, alone, strict=True)])
    return Posterior(
        refined.t_K,
        ends[:, 0],
        ends[:, 1],
        deviation_K,
        deviations_before(prior),
        alone_K,
        refined.stopped_K,
        covariance_KK / np.outer(root_K, root_K),
        refined.scales.spread_K,
        spreads[:, 0],
        spreads[:, 1],
    )


def deviations_before(prior: Prior) -> np.ndarray:
    """Deviation of each parameter without rows."""
    scale_K = prior.precision_K**-0.5
    return np.array(
        [Truncated(c, s).deviation for c, s in zip(prior.centre_K, scale_K, strict=True)]
    )


def freedom_of(measured: Measured, size: int) -> float:
    """Degrees of freedom: of parts where these differ, else of cells; infinite where all noise is
    given.
    """
    outputs = measured.y_NO.shape[1]
    if measured.spread:
        return max(float(measured.part_N.max()) + 1.0 - size, 1.0)
    if len(measured.noise) == outputs:
        return np.inf
    return max(float(np.isfinite(measured.y_NO).sum()) - size - outputs + 1.0, 1.0)


def spread_ends(refined: Refined, measured: Measured, confidence: float) -> np.ndarray:
    """Interval of each parameter's spread between parts, (K, 2); 0 where parts may not differ."""
    scales: Scales = refined.scales
    if not measured.spread:
        return np.zeros((len(scales.spread_K), 2))
    return np.array(
        [refined.fit.spread_interval(k, scales, confidence) for k in range(len(scales.spread_K))]
    )
