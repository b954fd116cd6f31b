"""The order in which an epoch sees the rows it learns from, and which of them share a batch."""

import numpy as np


def epoch_order(
    rows: np.ndarray, batch: int, seed: int, epoch: int, lengths: np.ndarray | None
) -> list[np.ndarray]:
    """The batches of one epoch, shuffled; texts of like length share a batch, so that little is
    padded.

    Depends on its arguments alone, so a resumed run sees the same batches.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(rows))
    if lengths is not None:
        pools = [order[i : i + 50 * batch] for i in range(0, len(order), 50 * batch)]
        order = np.concatenate([p[np.argsort(lengths[p], kind="stable")] for p in pools])
    chunks = [rows[order[i : i + batch]] for i in range(0, len(order), batch)]
    if len(chunks) > 1 and len(chunks[-1]) == 1:  # one row has no batch statistics
        chunks[-2:] = [np.concatenate(chunks[-2:])]
    return [chunks[i] for i in rng.permutation(len(chunks))]
