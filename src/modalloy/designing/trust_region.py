"""The box around the best design in which the next ones are sought: it grows while they get better
and shrinks while they do not.

After TuRBO and SCBO (Eriksson et al. 2019, arXiv 1910.01739; Eriksson & Poloczek 2021, arXiv
2002.08526), with a batch as the step and a cube as the box.
"""

from typing import NamedTuple

import numpy as np

FIRST, LARGEST, SMALLEST = 0.8, 1.6, 0.5**7
AFTER_SUCCESSES, AFTER_FAILURES = 2, 2


class TrustRegion(NamedTuple):
    """A box in [0, 1]^D: its centre, its length as a share of the space, and how it has fared."""

    centre_D: np.ndarray
    length: float = FIRST
    successes: int = 0
    failures: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether it is too small to go on with; a new one may begin elsewhere."""
        return self.length < SMALLEST

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Its lower and upper corner, (D,) each, inside [0, 1]."""
        low_D = np.clip(self.centre_D - self.length / 2.0, 0.0, 1.0)
        return low_D, np.clip(self.centre_D + self.length / 2.0, 0.0, 1.0)

    def after(self, centre_D: np.ndarray, *, better: bool) -> "TrustRegion":
        """The region after a batch, around the best design now; better: than before the batch."""
        wins, losses = (self.successes + 1, 0) if better else (0, self.failures + 1)
        if wins >= AFTER_SUCCESSES:
            return TrustRegion(centre_D, min(2.0 * self.length, LARGEST))
        if losses >= AFTER_FAILURES:
            return TrustRegion(centre_D, self.length / 2.0)
        return TrustRegion(centre_D, self.length, wins, losses)
