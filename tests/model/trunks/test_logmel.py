"""Own log-mel frames against librosa and transformers, and their independence of padding."""

import librosa
import numpy as np
import pytest
import torch

from modalloy.model.trunks.logmel import log_mel, mask_stripes, mel_filters, stripe, whisper_scale


def sound(length: int, rate_hz: int) -> np.ndarray:
    t = np.arange(length) / rate_hz
    noise = np.random.default_rng(0).normal(0, 0.02, length)
    chirp = np.sin(2 * np.pi * (200 * t + 0.3 * rate_hz * t**2 / t[-1] / 2))
    return (0.4 * chirp + noise).astype(np.float32)


@pytest.mark.parametrize(("rate_hz", "n_fft", "bands"), [(16_000, 400, 80), (44_100, 1024, 64)])
def test_filters_are_librosas(rate_hz: int, n_fft: int, bands: int) -> None:
    theirs = librosa.filters.mel(sr=rate_hz, n_fft=n_fft, n_mels=bands)
    np.testing.assert_allclose(mel_filters(rate_hz, n_fft, bands), theirs, atol=1e-7)


def test_frames_are_librosas() -> None:
    rate_hz, n_fft, hop = 16_000, 512, 160
    wave = sound(8000, rate_hz)
    around = np.concatenate([wave[1 : n_fft // 2 + 1][::-1], wave, np.zeros(n_fft // 2)])
    lines = librosa.stft(around, n_fft=n_fft, hop_length=hop, center=False)[:, :50]
    power = librosa.filters.mel(sr=rate_hz, n_fft=n_fft, n_mels=64) @ np.abs(lines) ** 2
    mel = log_mel(
        torch.from_numpy(wave)[None],
        torch.tensor([8000]),
        rate_hz=rate_hz,
        n_mels=64,
        n_fft=n_fft,
        hop=hop,
    )
    assert mel.mask_BF.all()
    assert mel.mel_BMF.shape == (1, 64, 50)
    theirs = np.log10(np.maximum(power, 1e-10))
    np.testing.assert_allclose(mel.mel_BMF[0].numpy(), theirs, atol=1e-4)


def test_whisper_scale_is_transformers() -> None:
    from transformers import WhisperFeatureExtractor

    wave = sound(12_345, 16_000)
    extractor = WhisperFeatureExtractor(feature_size=80)
    theirs = extractor(wave, sampling_rate=16_000, return_tensors="np")["input_features"][0]
    mel = log_mel(
        torch.from_numpy(wave)[None],
        torch.tensor([len(wave)]),
        rate_hz=16_000,
        n_fft=400,
        hop=160,
    )
    ours = whisper_scale(mel)[0].numpy()
    assert ours.shape == (80, 78)
    np.testing.assert_allclose(ours, theirs[:, :78], atol=1e-4)


def test_a_row_does_not_hear_its_neighbours() -> None:
    lengths = torch.tensor([5000, 16_000, 90, 1])
    wave_BL = torch.zeros(4, 16_000)
    for row, length in enumerate(lengths):
        wave_BL[row, :length] = 0.3 * torch.randn(int(length))
    options = {"rate_hz": 16_000, "n_mels": 40, "n_fft": 400, "hop": 160}
    together = log_mel(wave_BL, lengths, **options)
    scaled = whisper_scale(together)
    for row, length in enumerate(lengths):
        alone = log_mel(wave_BL[row : row + 1, :length], lengths[row : row + 1], **options)
        frames = alone.mel_BMF.shape[2]
        assert frames == -(-int(length) // 160) == together.mask_BF[row].sum()
        torch.testing.assert_close(
            together.mel_BMF[row, :, :frames], alone.mel_BMF[0], atol=1e-5, rtol=0
        )
        torch.testing.assert_close(
            scaled[row, :, :frames], whisper_scale(alone)[0], atol=1e-5, rtol=0
        )
        assert (together.mel_BMF[row, :, frames:] == -10).all()


def test_what_lies_after_the_end_is_not_heard() -> None:
    wave_BL = torch.randn(1, 4000)
    options = {"rate_hz": 8000, "n_mels": 20, "n_fft": 256, "hop": 80}
    cut = log_mel(wave_BL[:, :2000], torch.tensor([2000]), **options)
    noisy = log_mel(wave_BL, torch.tensor([2000]), **options)
    torch.testing.assert_close(noisy.mel_BMF[:, :, :25], cut.mel_BMF, atol=1e-5, rtol=0)


def test_bfloat16_work_leaves_the_frames_exact() -> None:
    wave_BL, length_B = torch.randn(1, 1600), torch.tensor([1600])
    options = {"rate_hz": 16_000, "n_mels": 40, "n_fft": 400, "hop": 160}
    exact = log_mel(wave_BL, length_B, **options)
    with torch.autocast("cpu", torch.bfloat16):
        half = log_mel(wave_BL, length_B, **options)
    torch.testing.assert_close(half.mel_BMF, exact.mel_BMF, atol=0, rtol=0)


def test_stripes_hold_the_rows_mean() -> None:
    mel_BMF = torch.randn(2, 20, 40)
    mask_BF = torch.arange(40) < torch.tensor([40, 10])[:, None]
    striped_BMF = mask_stripes(mel_BMF, mask_BF)
    for row, mean in enumerate([mel_BMF[0].mean(), mel_BMF[1, :, :10].mean()]):
        hidden = striped_BMF[row] != mel_BMF[row]
        assert 0 < hidden.float().mean() < 0.5
        torch.testing.assert_close(
            striped_BMF[row][hidden], mean.expand(int(hidden.sum())), atol=1e-5, rtol=0
        )


def test_stripes_are_short_and_lie_in_their_row() -> None:
    for _ in range(50):
        one = stripe(torch.tensor([40, 10]), 40)
        assert one.sum(1).max() <= 5
        assert not one[1, 10:].any()
