"""A bell curve cut off at 0 and 1, as the uncertainty of a parameter between bounds is."""

from typing import NamedTuple

import numpy as np

STEPS = 2001  # of the integrals, over at most all of [0, 1]
FAR = 12.0  # scales from the peak, beyond which there is nothing


class Truncated(NamedTuple):
    """Student's t, normal where freedom is infinite, cut off at 0 and 1. The centre may lie
    outside.
    """

    centre: float
    scale: float
    freedom: float = np.inf

    def interval(self, confidence: float) -> tuple[float, float]:
        """From t to t, with as much beyond one end as beyond the other."""
        t_S, share_S = self._cumulated()
        rest = (1.0 - confidence) / 2.0
        low, high = np.interp([rest, 1.0 - rest], share_S, t_S)
        return float(low), float(high)

    @property
    def deviation(self) -> float:
        """Its standard deviation; that of the normal curve, as t's may be infinite."""
        t_S, density_S = self._replace(freedom=np.inf)._density()
        weight_S = density_S / density_S.sum()
        mean = weight_S @ t_S
        return float(np.sqrt(weight_S @ (t_S - mean) ** 2))

    def _cumulated(self) -> tuple[np.ndarray, np.ndarray]:
        """Places and what share lies below each."""
        t_S, density_S = self._density()
        share_S = np.concatenate([[0.0], np.cumsum((density_S[1:] + density_S[:-1]) / 2.0)])
        return t_S, share_S / share_S[-1]

    def _density(self) -> tuple[np.ndarray, np.ndarray]:
        """Places and the density there, up to a factor."""
        reach = FAR * self.scale * (1.0 if np.isinf(self.freedom) else 8.0)
        peak = min(max(self.centre, 0.0), 1.0)
        t_S = np.linspace(max(peak - reach, 0.0), min(peak + reach, 1.0), STEPS)
        square_S = ((t_S - self.centre) / self.scale) ** 2
        if np.isinf(self.freedom):
            log_S = -0.5 * square_S
        else:
            log_S = -0.5 * (self.freedom + 1.0) * np.log1p(square_S / self.freedom)
        return t_S, np.exp(log_S - log_S.max())
