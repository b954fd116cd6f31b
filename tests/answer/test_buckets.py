"""Every row counts once, shapes are few, and little is computed for nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalloy.answer.buckets import Bucket, buckets

LENGTHS = st.lists(st.integers(0, 300), min_size=0, max_size=400)


def wasted(found: list[Bucket], lengths: np.ndarray) -> float:
    """Tokens that are computed for each one that is there."""
    computed = sum(len(b.rows) * (b.length or 0) for b in found)
    return computed / max(1, np.maximum(lengths, 1).sum())


@given(LENGTHS, st.integers(1, 64))
def test_every_row_counts_once_and_fits(lengths: list[int], batch: int) -> None:
    lengths_R = np.array(lengths, dtype=np.int64)
    found = list(buckets(lengths_R, batch))
    counted = np.concatenate([np.zeros(0, np.int64), *(b.rows[: b.count] for b in found)])
    assert sorted(counted.tolist()) == list(range(len(lengths)))
    most = max([*lengths, 1])
    for bucket in found:
        assert bucket.length is not None
        assert bucket.length % 8 == 0 or bucket.length == most
        assert (lengths_R[bucket.rows] <= bucket.length).all()
        assert (lengths_R[bucket.rows] > bucket.length - 8).all() or bucket.length <= 8
        assert (bucket.rows[bucket.count :] == bucket.rows[bucket.count - 1]).all()
        assert len(bucket.rows) < 2 * bucket.count
        assert len(bucket.rows).bit_count() == 1
        assert len(bucket.rows) * bucket.length <= batch * most
    sizes = [b.length for b in found]
    assert sizes == sorted(sizes)


def test_tokens_of_a_batch_stay_about_as_many() -> None:
    lengths = np.repeat([8, 16, 32, 64, 128], 2000)
    found = list(buckets(lengths, 16))
    full = [b for b in found if b.count == len(b.rows)]
    assert {len(b.rows) * b.length for b in full if b.length} >= {16 * 128}
    assert {len(b.rows): b.length for b in full if len(b.rows) in (16, 256)} == {16: 128, 256: 8}


def test_notes_of_real_lengths_waste_little_and_have_few_shapes() -> None:
    draw = np.random.default_rng(0)
    lengths = np.clip(draw.lognormal(3.0, 0.7, 3000).astype(int), 1, 128)
    found = list(buckets(lengths, 16, longest=128))
    assert wasted(found, lengths) < 1.35
    plain = -(-3000 // 16) * 16 * 128 / lengths.sum()
    assert plain > 4
    assert len({(len(b.rows), b.length) for b in found}) < 2 * 16
    assert max(b.length or 0 for b in found) == 128


@pytest.mark.parametrize("rows", [0, 1, 5, 64, 131])
def test_rows_without_a_length(rows: int) -> None:
    found = list(buckets(None, 64, rows=rows))
    assert sum(b.count for b in found) == rows
    assert [b.length for b in found] == [None] * len(found)
    assert [len(b.rows) for b in found] == {0: [], 1: [1], 5: [8], 64: [64], 131: [64, 64, 4]}[rows]


def test_a_batch_that_is_no_power_of_two_is_kept_where_rows_are_alike() -> None:
    found = list(buckets(None, 48, rows=100))
    assert [(len(b.rows), b.count) for b in found] == [(48, 48), (48, 48), (4, 4)]
    assert [len(b.rows) for b in buckets(np.full(100, 20), 48)] == [32, 32, 32, 4]
