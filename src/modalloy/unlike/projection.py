"""Vectors of a pretrained network brought to few numbers that keep how far apart they are."""

import numpy as np

KEPT = 64  # numbers that are left


def projected(x_BF: np.ndarray) -> np.ndarray:
    """(B, F) to (B, 64) float32, or as they are where they are no more: sums with signs drawn by
    chance, the same for every run (Achlioptas 2003).

    Directions in which training rows do not differ are kept as well as all others: it is there that
    a black picture lies. NaN stays.
    """
    count = x_BF.shape[1]
    if count <= KEPT:
        return x_BF.astype(np.float32)
    # The old generator, whose numbers numpy never changes: what a run keeps hangs on them.
    signs_FK = np.random.RandomState(0).randint(0, 2, (count, KEPT)) * 2.0 - 1.0
    out_BK = np.einsum("bf,fk->bk", x_BF.astype(np.float64), signs_FK / np.sqrt(KEPT))
    return out_BK.astype(np.float32)
