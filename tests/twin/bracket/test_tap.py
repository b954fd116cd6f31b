"""What is heard of a tap: frequencies, decay and levels that follow from the modes."""

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from modalloy.media.sound import read_audio
from modalloy.twin.bracket import tap
from modalloy.twin.bracket.frame import Modes
from modalloy.twin.bracket.tap import RATE_HZ, SAMPLES, Tap

HZ = np.array([500.0, 1240.0, 3333.0])
DEEP = np.array([[1.0, 0.8, -0.5], [0.9, -1.0, 0.7]])  # of each mode, at the tap and at the ear
HERE = Tap(np.array([1.0, 0.0]), np.array([0.0, 1.0]))


def sound(frequency_hz_K: np.ndarray = HZ, damping: float = 0.002, seed: int = 0) -> np.ndarray:
    count = len(frequency_hz_K)
    return tap.tap_sound(Modes(frequency_hz_K, DEEP[:, :count]), HERE, damping=damping, seed=seed)


def test_peaks_lie_at_the_modes() -> None:
    power = np.abs(np.fft.rfft(sound()))
    step_hz = RATE_HZ / SAMPLES
    for hz in HZ:
        near = slice(int((hz - 100) / step_hz), int((hz + 100) / step_hz))
        assert abs((near.start + np.argmax(power[near])) * step_hz - hz) <= step_hz


def test_a_mode_decays_by_the_damping() -> None:
    """The amplitude halves in ln 2 / (damping times angular frequency)."""
    halves_s = np.log(2) / (0.005 * 2 * np.pi * HZ[0])
    wave_L = sound(HZ[:1], damping=0.005)
    late = round(halves_s * RATE_HZ)
    window = 4 * round(RATE_HZ / HZ[0])
    first, then = (np.std(wave_L[at : at + window]) for at in (0, late))
    assert then / first == pytest.approx(0.5, rel=0.03)


def test_the_first_sample_is_the_modes_together() -> None:
    """At once after an impulse each mode moves at J phi phi'; here of the usual strength."""
    strengths = [np.exp(tap.UNEVEN * np.random.default_rng(s).normal()) for s in range(20)]
    heard = [sound(seed=s)[0] * tap.FULL_SCALE_M_S for s in range(20)]
    felt_K = tap.felt(2 * np.pi * HZ, tap.CONTACT_S)
    usual = tap.IMPULSE_NS * float((DEEP.prod(axis=0) * felt_K).sum())
    assert heard == pytest.approx(
        usual * np.array(strengths), abs=5 * tap.NOISE * tap.FULL_SCALE_M_S
    )


def test_above_the_highest_frequency_nothing_is_heard_but_noise() -> None:
    wave_L = sound(np.array([tap.HIGHEST_HZ + 1.0]))
    assert wave_L.std() == pytest.approx(tap.NOISE, rel=0.05)


@pytest.mark.parametrize("hz", [50.0, 500.0, 2500.0, 4100.0, 7000.0])
def test_what_a_mode_keeps_of_half_a_sine(hz: float) -> None:
    """Duhamel's integral: the swing that an undamped mode keeps after the force has gone."""
    omega, long_s = 2 * np.pi * hz, tap.CONTACT_S
    impulse = 2 * long_s / np.pi  # of a half sine of height 1
    parts = [
        quad(lambda t, turn=turn: np.sin(np.pi * t / long_s) * turn(omega * t), 0, long_s)[0]
        for turn in (np.cos, np.sin)
    ]
    found = tap.felt(np.array([omega]), long_s)[0]
    assert abs(found) == pytest.approx(np.hypot(*parts) / impulse, rel=1e-6)


def test_a_mode_that_is_as_long_as_the_contact_is_no_hole() -> None:
    same = np.pi / tap.CONTACT_S
    found_K = tap.felt(np.array([same * (1 - 1e-5), same, same * (1 + 1e-5)]), tap.CONTACT_S)
    assert found_K == pytest.approx(np.full(3, np.pi / 4), rel=1e-4)


def test_blocks_are_the_plain_sum() -> None:
    amplitude_K = np.array([1.0 + 0.5j, -0.3])
    root_K = np.array([-8.0 + 3000j, -20.0 + 9000j])
    t_L = np.arange(1000) / RATE_HZ
    plain_L = sum((a * np.exp(r * t_L)).real for a, r in zip(amplitude_K, root_K, strict=True))
    assert tap.decaying(amplitude_K, root_K, 1000, RATE_HZ) == pytest.approx(plain_L, abs=1e-11)


def test_a_file_is_what_was_heard(tmp_path: Path) -> None:
    wave_L = sound()
    tap.write_wav(tmp_path / "tap.wav", wave_L)
    found = read_audio(tmp_path / "tap.wav")
    assert (found.rate_hz, len(found.wave)) == (RATE_HZ, SAMPLES)
    assert found.wave == pytest.approx(wave_L, abs=1 / 32000)
