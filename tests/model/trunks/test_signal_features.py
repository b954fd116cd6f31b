import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor

from modalloy.model.trunks import signal_features as signals
from modalloy.model.trunks import signal_sizes as sizes

RATE = 12_000.0
SAMPLES = 4096
TIME = np.arange(SAMPLES) / RATE


def whole(x_BCL: Tensor) -> Tensor:
    return torch.ones(len(x_BCL), x_BCL.shape[-1], dtype=torch.bool)


def tensor(x: np.ndarray) -> Tensor:
    return torch.tensor(x, dtype=torch.float32).reshape(1, -1, x.shape[-1])


def am(carrier_hz: float, fault_hz: float, seed: int = 0) -> np.ndarray:
    """A ringing resonance that a fault excites `fault_hz` times a second, and noise."""
    rng = np.random.default_rng(seed)
    tone = (1 + np.cos(2 * np.pi * fault_hz * TIME)) * np.sin(2 * np.pi * carrier_hz * TIME)
    return tone + 0.1 * rng.normal(size=SAMPLES)


@pytest.mark.parametrize("hz", [500.0, 2000.0, 4375.0])
def test_spectrum_peaks_at_the_sine(hz: float) -> None:
    x_BCL = tensor(np.sin(2 * np.pi * hz * TIME))
    found = signals.spectrum(x_BCL, whole(x_BCL), 4096)[0, 0, :-1]
    band_hz = RATE / 1024 * (512 // 96)
    assert found.argmax().item() == int(hz / band_hz)


def test_spectrum_agrees_with_scipy() -> None:
    x = np.random.default_rng(0).normal(size=SAMPLES).cumsum()
    x -= x.mean()
    x_BCL = tensor(x / x.std())
    frames = signals.cut(x_BCL, whole(x_BCL), 1024)
    ours = signals.frame_power(frames.x_BCKn, frames.length_BK)[0, 0, 2:-1].numpy()
    _, theirs = scipy.signal.welch(x_BCL[0, 0].numpy(), nperseg=1024, scaling="spectrum")
    assert np.allclose(ours * 2, theirs[2:-1], rtol=0.01)


@pytest.mark.parametrize(("carrier_hz", "fault_hz"), [(3500.0, 105.0), (1000.0, 159.0), (4800, 33)])
def test_envelope_peaks_at_the_repetition(carrier_hz: float, fault_hz: float) -> None:
    x = am(carrier_hz, fault_hz)
    x_BCL = tensor(x)
    found = signals.envelope(x_BCL, whole(x_BCL), 4096, RATE)[0, 0]
    step_hz = sizes.TOP_HZ / sizes.CELLS
    assert abs((found.argmax().item() + 0.5) * step_hz - fault_hz) <= step_hz
    outline = np.abs(scipy.signal.hilbert(x))
    power = np.abs(np.fft.rfft((outline - outline.mean()) * np.hanning(SAMPLES))) ** 2
    assert abs(power.argmax() * RATE / SAMPLES - fault_hz) <= RATE / SAMPLES


def test_envelope_of_an_octave_is_hilberts() -> None:
    x = np.random.default_rng(1).normal(size=SAMPLES)
    x_BCL = tensor((x - x.mean()) / x.std())
    ours = signals.envelope_power(signals.cut(x_BCL, whole(x_BCL), SAMPLES))[0, 0, 1, 3:80].numpy()
    spectrum = np.fft.rfft(x_BCL[0, 0].numpy())
    octave = np.zeros_like(spectrum)
    octave[SAMPLES // 8 : SAMPLES // 4] = spectrum[SAMPLES // 8 : SAMPLES // 4]
    outline = np.abs(scipy.signal.hilbert(np.fft.irfft(octave)))
    window = scipy.signal.get_window("hann", SAMPLES)
    outline = outline / outline.mean()
    outline -= (outline * window).sum() / window.sum()
    theirs = np.abs(np.fft.rfft(outline * window)) ** 2 / window.sum() ** 2
    # The magnitude is wider than its band, so half the samples fold a little of it back.
    assert np.allclose(ours, theirs[3:80], rtol=0.05, atol=5e-5)


@pytest.mark.parametrize("speed_hz", [20.0, 29.5, 60.0])
def test_order_finds_the_same_fault_at_every_speed(speed_hz: float) -> None:
    x_BCL = tensor(am(3500.0, 3.58 * speed_hz))
    speed_B = torch.tensor([speed_hz])
    found = signals.order(x_BCL, whole(x_BCL), 4096, RATE, speed_B)[0, 0, sizes.CELLS :]
    step = sizes.TOP_ORDER / sizes.CELLS
    assert abs((found.argmax().item() + 0.5) * step - 3.58) <= 1.5 * step


def test_order_without_a_speed_is_zero() -> None:
    x_BCL = tensor(am(3500.0, 105.0)).repeat(2, 1, 1)
    found = signals.order(x_BCL, whole(x_BCL), 4096, RATE, torch.tensor([0.0, 29.5]))
    assert (found[0] == 0).all()
    assert (found[1] > 0).any()


def test_shape_does_not_depend_on_the_amplitude_but_level_does() -> None:
    x_BCL = tensor(am(3500.0, 105.0))
    mask, speed = whole(x_BCL), torch.tensor([29.5])
    for front in (
        lambda x: signals.envelope(x, mask, 4096, RATE),
        lambda x: signals.order(x, mask, 4096, RATE, speed),
        lambda x: signals.spectrum(x, mask, 4096)[..., :-1],
    ):
        assert torch.allclose(front(x_BCL), front(x_BCL * 20), atol=1e-3)
    levels = [signals.spectrum(x_BCL * f, mask, 4096)[0, 0, -1].item() for f in (1, 10)]
    assert abs(levels[1] - levels[0] - 1.0) < 1e-3


def all_fronts(x_BCL: Tensor, mask_BL: Tensor, segment: int) -> Tensor:
    speed_B = torch.full((len(x_BCL),), 29.5)
    parts = [
        signals.statistics(x_BCL, mask_BL),
        signals.recent(x_BCL, mask_BL),
        signals.spectrum(x_BCL, mask_BL, segment),
        signals.envelope(x_BCL, mask_BL, segment, RATE),
        signals.order(x_BCL, mask_BL, segment, RATE, speed_B),
    ]
    return torch.cat(parts, -1)


@pytest.mark.parametrize("samples", [7, 600, 1024, 1700, 2900])
def test_padding_changes_nothing(samples: int) -> None:
    torch.manual_seed(0)
    x_BCL = torch.randn(1, 2, samples)
    alone = all_fronts(x_BCL, whole(x_BCL), 1024)
    padded = torch.full((3, 2, 4000), 7.0)
    padded[0, :, :samples] = x_BCL[0]
    mask_BL = torch.ones(3, 4000, dtype=torch.bool)
    mask_BL[0, samples:] = False
    together = all_fronts(padded, mask_BL, 1024)
    assert torch.isfinite(alone).all()
    assert torch.allclose(alone[0], together[0], atol=2e-3)
    assert torch.allclose(alone[0, :, :12], together[0, :, :12], atol=1e-5)


def test_recent_sees_the_last_quarter_alone() -> None:
    x_BCL = torch.randn(1, 2, 41)
    mask_BL = torch.ones(1, 41, dtype=torch.bool)
    mask_BL[0, 40] = False  # padding: the last quarter of 40 samples is meant
    found = signals.recent(x_BCL, mask_BL)
    quarter_BCL = x_BCL[..., 30:40]
    assert torch.allclose(found, signals.statistics(quarter_BCL, whole(quarter_BCL)), atol=1e-5)
    x_BCL[..., :30] += 5.0
    assert torch.equal(signals.recent(x_BCL, mask_BL), found)


def test_dead_channels_and_single_samples_stay_finite() -> None:
    x_BCL = torch.zeros(3, 2, 500)
    x_BCL[1] = 3.0
    mask_BL = whole(x_BCL)
    mask_BL[2, 1:] = False
    found = all_fronts(x_BCL, mask_BL, 512)
    assert torch.isfinite(found).all()
    assert (found[1, :, 24 + 97 :] == 0).all()  # a constant has no lines


def test_statistics_of_one_channel() -> None:
    rng = np.random.default_rng(0)
    t = np.linspace(-0.5, 0.5, 200)
    x = rng.normal(2.0, 3.0, size=200) + 4 * t
    x_BCL = torch.full((1, 1, 256), 9.0)
    x_BCL[0, 0, :200] = torch.tensor(x)
    mask_BL = torch.arange(256)[None] < 200
    found = signals.statistics(x_BCL, mask_BL)[0, 0].double().numpy()
    slope, middle = np.polyfit(t, x, 1)
    rest = x - middle - slope * t
    z = rest / rest.std()
    usual = np.log1p(np.sqrt(2 * np.log(201)))
    expected = [
        x.mean(), slope, np.polyfit(t, x, 2)[0], np.log10(rest.std()),
        np.log10(np.sqrt((x**2).mean())),
    ]  # fmt: skip
    shapes = [
        usual - np.log1p(-z.min()), np.log1p(z.max()) - usual, z[-1],
        np.arcsinh((z**3).mean()), np.log((z**4).mean() / 3),
        np.log1p(np.abs(z).max()) - usual, (np.diff(z > 0) != 0).sum() / 200 - 0.5,
    ]  # fmt: skip
    expected += [s * 200 / 300 for s in shapes]
    assert np.allclose(found, expected, atol=2e-3)


def test_shapes_of_few_samples_count_little() -> None:
    torch.manual_seed(0)
    wide = [signals.statistics(torch.randn(50, 1, n), torch.ones(50, n).bool()) for n in (30, 3000)]
    spreads = [w[..., sizes.TRENDS :].std(0).mean().item() for w in wide]
    assert spreads[0] < 0.15
    spike_BCL = torch.randn(1, 1, 3000)
    spike_BCL[..., ::300] *= 10
    found = signals.statistics(spike_BCL, torch.ones(1, 3000).bool())[0, 0]
    assert found[9] > 1.0  # kurtosis
    assert found[10] > 0.4  # crest factor
