"""Few bytes come back as the change that was sent, and what was left out comes later."""

import numpy as np
import pytest

from modalloy.federation.codec import Codec, decode, gaps_of, largest, places_of


def change(draw: np.random.Generator) -> dict[str, np.ndarray]:
    sizes = {"a": (40, 50), "b": (300,)}
    return {n: draw.normal(size=s).astype(np.float32) for n, s in sizes.items()}


def shapes(x: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {n: v.shape for n, v in x.items()}


@pytest.mark.parametrize(
    ("keep", "bits", "off"), [(1, 32, 0), (1, 16, 2e-3), (1, 8, 0.02), (1, 4, 0.35)]
)
def test_all_numbers_come_back(
    keep: float, bits: int, off: float, draw: np.random.Generator
) -> None:
    x = change(draw)
    found = decode(Codec(keep, bits).encode(x), shapes(x))
    for name in x:
        np.testing.assert_allclose(found[name], x[name], atol=off, rtol=0)


@pytest.mark.parametrize("bits", [32, 16, 8, 4])
def test_what_is_left_out_comes_later(bits: int, draw: np.random.Generator) -> None:
    codec, x = Codec(0.05, bits), change(draw)
    still = {n: np.zeros_like(v) for n, v in x.items()}
    sent = {n: np.zeros_like(v) for n, v in x.items()}
    for turn in range(40 if bits > 4 else 160):  # coarse numbers leave more for later
        part = decode(codec.encode(x if not turn else still), shapes(x))
        assert sum((v != 0).sum() for v in part.values()) <= 0.05 * 2300 + 1
        sent = {n: sent[n] + part[n] for n in sent}
    for name in x:
        np.testing.assert_allclose(sent[name], x[name], atol=1e-3)


def test_without_memory_it_is_lost(draw: np.random.Generator) -> None:
    codec, x = Codec(0.05, 32, remembers=False), change(draw)
    codec.encode(x)
    assert not codec.waiting
    nothing = {n: np.zeros_like(v) for n, v in x.items()}
    assert not any(v.any() for v in decode(codec.encode(nothing), shapes(x)).values())


def test_the_largest_are_sent(draw: np.random.Generator) -> None:
    x = draw.normal(size=1000)
    at = largest(x, 0.01)
    assert at is not None
    assert {*at} == {*np.argsort(-np.abs(x))[:10]}


@pytest.mark.parametrize("count", [0, 1, 7, 5000])
def test_places_come_back(count: int, draw: np.random.Generator) -> None:
    at = np.sort(draw.choice(3_000_000, count, replace=False)).astype(np.int64)
    data = gaps_of(at)
    np.testing.assert_array_equal(places_of(data), at)
    assert len(data) <= 4 * count


def test_a_hundredth_in_8_bits_takes_a_hundredth_and_a_half_of_the_bytes(
    draw: np.random.Generator,
) -> None:
    x = {"w": draw.normal(size=200_000).astype(np.float32)}
    arrays = Codec(0.01, 8).encode(x)
    assert sum(a.nbytes for a in arrays.values()) < x["w"].nbytes / 150


def test_what_does_not_fit_is_refused(draw: np.random.Generator) -> None:
    x = change(draw)
    with pytest.raises(ValueError, match="300 numbers came for 2300"):
        decode(Codec(1, 8).encode({"b": x["b"]}), shapes(x))
    with pytest.raises(ValueError, match="do not belong together"):
        decode(Codec(0.5, 8).encode(x), {"b": (300,)})
