"""An epoch shows every row once, in an order that its number alone decides."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.learn.epoch_order import epoch_order


@given(st.integers(1, 200), st.integers(1, 33), st.integers(0, 5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_epoch_shows_every_row_once(rows: int, batch: int, epoch: int, texts: bool) -> None:
    which = np.arange(rows) * 3
    lengths = np.arange(rows)[::-1] % 7 if texts else None
    chunks = epoch_order(which, batch, 0, epoch, lengths)
    assert sorted(np.concatenate(chunks)) == sorted(which)
    assert max(len(c) for c in chunks) <= batch + 1
    again = epoch_order(which, batch, 0, epoch, lengths)
    assert all(np.array_equal(a, b) for a, b in zip(chunks, again, strict=True))


def test_texts_of_like_length_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 400)
    chunks = epoch_order(np.arange(400), 16, 0, 0, lengths)
    spread = np.mean([np.ptp(lengths[c]) for c in chunks])
    assert spread < 10
    plain = epoch_order(np.arange(400), 16, 0, 0, None)
    assert np.mean([np.ptp(lengths[c]) for c in plain]) > 60
