"""The burst: louder with excess, hiss alone without a keyhole, at the keyhole's own pitch."""

import numpy as np
import pytest

from modalloy.twin.weld import burst
from modalloy.twin.weld.keyhole import Beam, Keyhole

BEAM = Beam(1000.0, 0.02, 20.0, 0.7e-3, "stainless", 0.6, 1.0)


def heard(excess: float, *, seed: int = 0, spot_m: float = 0.7e-3) -> np.ndarray:
    beam = BEAM._replace(spot_m=spot_m)
    return burst.burst_of(beam, Keyhole(excess, 0.0, 0.0), np.random.default_rng(seed))


def level(sound_L: np.ndarray) -> float:
    return float(np.sqrt((sound_L.astype(float) ** 2).mean())) / 32767.0


def test_a_burst_is_128_ms_of_16_bit_samples() -> None:
    sound_L = heard(1.0)
    assert sound_L.dtype == np.dtype("<i2")
    assert len(sound_L) / burst.RATE_HZ == pytest.approx(0.128)


def test_the_level_rises_with_the_excess() -> None:
    levels = [level(heard(excess)) for excess in (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)]
    assert (np.diff(levels) > 0).all()


def test_the_levels_are_those_of_hiss_and_roar_together() -> None:
    for excess in (0.0, 1.0, 3.0):
        heard_levels = [level(heard(excess, seed=seed)) ** 2 for seed in range(200)]
        fading = float((burst.envelope() ** 2).mean())
        wanted = burst.HISS**2 + (burst.LOUDNESS * excess) ** 2 * fading
        wanted *= np.exp(2.0 * (burst.GAIN_DB * np.log(10.0) / 20.0) ** 2)  # mean of gains squared
        assert np.mean(heard_levels) == pytest.approx(wanted, rel=0.06)


def test_without_a_keyhole_only_the_gas_is_heard() -> None:
    np.testing.assert_array_equal(heard(-0.3), heard(0.0))
    assert level(heard(-0.3)) == pytest.approx(burst.HISS, rel=0.3)


@pytest.mark.parametrize("spot_m", [0.5e-3, 0.7e-3, 1.0e-3])
def test_the_roar_lies_at_the_pitch_of_the_keyhole(spot_m: float) -> None:
    power_F = sum(
        np.abs(np.fft.rfft(heard(4.0, seed=seed, spot_m=spot_m).astype(float))) ** 2
        for seed in range(30)
    )
    pitch_F = np.fft.rfftfreq(burst.SAMPLES, 1.0 / burst.RATE_HZ)
    mean_hz = float((pitch_F * power_F).sum() / np.sum(power_F))
    wanted_hz = burst.oscillation_hz(spot_m / 2)
    assert mean_hz == pytest.approx(wanted_hz, rel=0.15)


def test_the_pitch_is_that_of_a_hole_in_a_liquid() -> None:
    """(2 pi f)^2 = 6 gamma / (rho w^3) at w = .35 mm, gamma = 1.8 N/m, rho = 7,000 kg/m3."""
    assert burst.oscillation_hz(0.35e-3) == pytest.approx(954.8, abs=0.5)
