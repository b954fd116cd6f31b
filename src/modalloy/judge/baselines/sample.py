"""The training and test rows that baselines see, drawn by chance where there are many."""

from dataclasses import dataclass

import numpy as np

from modalloy.classical.rows import Embedded
from modalloy.table.split import Parts


@dataclass(frozen=True)
class Sample:
    """Rows that baselines see; `train` and `test` are positions within `rows`.

    test_at: where each test row stands in parts.test. seen_train, seen_test: positions with frozen
    features.
    """

    rows: np.ndarray
    train: np.ndarray
    test: np.ndarray
    test_at: np.ndarray
    seen_train: np.ndarray
    seen_test: np.ndarray
    note: str
    seen_note: str


def draw(parts: Parts, frozen: Embedded | None, most: int, seed: int) -> Sample:
    """Training and test rows, each cut to `most` by chance; rows with frozen features stay."""
    rng = np.random.default_rng(seed)
    drawn, seen, said, seen_said = [], [], [], []
    for name in ("train", "test"):
        rows = getattr(parts, name)
        known = (
            np.isin(rows, getattr(frozen, name))
            if frozen is not None
            else np.zeros(len(rows), bool)
        )
        order = rng.permutation(len(rows))
        order = order[np.argsort(~known[order], kind="stable")]
        at = np.sort(order[:most])
        drawn.append(at)
        seen.append(np.flatnonzero(known[at]))
        kind = "training" if name == "train" else name
        for count, notes in ((len(at), said), (len(seen[-1]), seen_said)):
            if count < len(rows):
                notes.append(f"{count} of {len(rows)} {kind} rows")
    train_at, test_at = drawn
    return Sample(
        rows=np.concatenate([parts.train[train_at], parts.test[test_at]]),
        train=np.arange(len(train_at)),
        test=len(train_at) + np.arange(len(test_at)),
        test_at=test_at,
        seen_train=seen[0],
        seen_test=len(train_at) + seen[1],
        note=f"on {' and '.join(said)}" if said else "",
        seen_note=f"on {' and '.join(seen_said)}" if seen_said else "",
    )
