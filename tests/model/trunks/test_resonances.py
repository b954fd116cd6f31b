"""Resonances: found where they were put, the same in numpy, and missing where nothing rings."""

import numpy as np
import pytest
import torch

from modalloy.media.resonances import resonances as in_numpy
from modalloy.model.trunks.resonances import resonances

RATE_HZ = 16_000
TONES = ((430.0, 0.004, 1.0), (447.5, 0.004, 0.8), (1213.0, 0.01, 0.3), (3120.5, 0.002, 0.5))


def ring(
    tones: tuple[tuple[float, float, float], ...] = TONES,
    *,
    rate_hz: int = RATE_HZ,
    seconds: float = 0.25,
    start_s: float = 0.01,
    noise: float = 1e-4,
) -> np.ndarray:
    """Tones (Hz, damping, amplitude) from a stroke on, (L,) float32."""
    ago_L = np.arange(round(seconds * rate_hz)) / rate_hz - start_s
    turns_L = 2 * np.pi * ago_L.clip(0)
    rings = [a * np.exp(-d * f * turns_L) * np.cos(f * turns_L) for f, d, a in tones]
    x_L = np.sum(rings, 0) * (ago_L >= 0)
    x_L = x_L + noise * np.random.default_rng(0).normal(size=len(x_L))
    return (0.2 * x_L).astype(np.float32)


def found(*rows: np.ndarray, longest: int = 4000, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Facts and which there are, of a batch of rows of several lengths."""
    length_B = torch.tensor([len(row) for row in rows])
    wave_BL = torch.zeros(len(rows), int(length_B.max()))
    for to_L, row in zip(wave_BL, rows, strict=True):
        to_L[: len(row)] = torch.from_numpy(row)
    scale = {"rate_hz": RATE_HZ, "longest": longest}
    facts_BK3, there_BK = resonances(wave_BL, length_B, count=count, **scale)
    return facts_BK3.numpy(), there_BK.numpy()


def test_tones_are_found_with_their_sharpness() -> None:
    facts_BK3, there_BK = found(ring())
    assert there_BK[0].tolist() == [True] * 4 + [False]
    hz_K = 1000 * np.exp(facts_BK3[0, :4, 0])
    np.testing.assert_allclose(hz_K, [tone[0] for tone in TONES], rtol=2e-3)
    assert facts_BK3[0, :, 1].max() == pytest.approx(0.0, abs=0.05)
    assert facts_BK3[0, 4].tolist() == [0.0] * 3
    alone = [found(ring(((1500.0, d, 1.0),)))[0][0, 0, 2] for d in (0.02, 0.04)]
    np.testing.assert_allclose(np.exp(alone), [25.0, 12.5], rtol=0.15)  # Q = 1 / (2 damping)


def test_a_quieter_one_is_told_by_its_level() -> None:
    loud, quiet = (((800.0, 0.004, 1.0), (1900.0, 0.004, a)) for a in (0.5, 0.1))
    step = found(ring(loud))[0][0, 1, 1] - found(ring(quiet))[0][0, 1, 1]
    assert step == pytest.approx(2 * np.log10(5.0), abs=0.05)  # in tens of dB
    assert found(3 * ring(loud))[0] == pytest.approx(found(ring(loud))[0], abs=1e-4)


def test_nothing_rings_in_silence_noise_or_what_is_constant() -> None:
    draw = np.random.default_rng(1)
    noise = [draw.normal(size=4000).astype(np.float32) for _ in range(8)]
    flat = [np.zeros(4000, np.float32), np.full(4000, 0.3, np.float32), np.zeros(1, np.float32)]
    facts_BK3, there_BK = found(*noise, *flat)
    assert not there_BK.any()
    assert not facts_BK3.any()
    for row in (*noise, *flat, np.zeros(0, np.float32)):
        assert np.isnan(in_numpy(row, rate_hz=RATE_HZ, longest=4000, count=2)).all()


def test_a_row_is_heard_alone_as_in_a_batch() -> None:
    rows = [ring(), ring(seconds=0.2), ring(start_s=0.05), np.zeros(40, np.float32)]
    together = found(*rows)
    for i, row in enumerate(rows):
        alone = found(row)
        np.testing.assert_allclose(together[0][i], alone[0][0], atol=1e-5)
        assert together[1][i].tolist() == alone[1][0].tolist()


@pytest.mark.parametrize("longest", [300, 4000, 9000, 70_000])
def test_they_are_those_of_torch(longest: int) -> None:
    for row in (ring(), ring(noise=0.02), ring(start_s=0.04), ring(seconds=0.02)):
        kept = row[:longest]
        own = in_numpy(kept, rate_hz=RATE_HZ, longest=longest, count=5)
        facts_BK3, there_BK = found(kept, longest=longest)
        assert np.isfinite(own[:, 0]).tolist() == there_BK[0].tolist()
        np.testing.assert_allclose(np.nan_to_num(own), facts_BK3[0], atol=2e-3)


def test_frequencies_have_a_gradient() -> None:
    wave_BL = torch.from_numpy(ring())[None].requires_grad_()
    scale = {"rate_hz": RATE_HZ, "longest": 4000}
    facts_BK3, _ = resonances(wave_BL, torch.tensor([4000]), count=5, **scale)
    facts_BK3[..., 0].sum().backward()
    assert wave_BL.grad is not None
    assert torch.isfinite(wave_BL.grad).all()
    assert wave_BL.grad.abs().max() > 0
