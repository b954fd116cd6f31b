"""A network of one hidden layer as arrays: what learned rules ask, without the library that fitted
it.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Net:
    """max(0, (x - center) / scale @ w1 + b1) @ w2 + b2."""

    center_F: np.ndarray
    scale_F: np.ndarray
    w1_FH: np.ndarray
    b1_H: np.ndarray
    w2_HO: np.ndarray
    b2_O: np.ndarray

    def __call__(self, x_BF: np.ndarray) -> np.ndarray:
        """(B, O) float64."""
        z_BF = (x_BF.astype(np.float64) - self.center_F) / self.scale_F
        h_BH = np.maximum(z_BF @ self.w1_FH.astype(np.float64) + self.b1_H, 0.0)
        return h_BH @ self.w2_HO.astype(np.float64) + self.b2_O

    def arrays(self) -> dict[str, np.ndarray]:
        """What `Net(**arrays)` needs."""
        return {name: np.ascontiguousarray(a, dtype=np.float32) for name, a in vars(self).items()}
