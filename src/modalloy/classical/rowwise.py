"""Sums and products whose result for a row does not depend on the rows beside it.

A matrix product of many rows takes other steps than that of one, and differs in its last bits.
"""

import numpy as np


def product(x_BF: np.ndarray, w_FK: np.ndarray) -> np.ndarray:
    """The matrix product (B, K), one row at a time."""
    out_BK = np.empty((len(x_BF), w_FK.shape[1]))
    w_FK = np.ascontiguousarray(w_FK)
    for row, x_F in enumerate(np.ascontiguousarray(x_BF)):
        out_BK[row] = x_F @ w_FK
    return out_BK


def softmax(x_BK: np.ndarray) -> np.ndarray:
    """Shares (B, K) that sum to 1, summed from the first class on."""
    x_KB = np.ascontiguousarray(x_BK.T)
    e_KB = np.exp(x_KB - x_KB.max(0))
    return (e_KB / np.add.accumulate(e_KB, axis=0)[-1]).T
