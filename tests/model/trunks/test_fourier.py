"""Transforms by matrices against numpy's, in every length that fronts of series use."""

import numpy as np
import pytest
import torch

from modalloy.model.trunks.fourier import inverse_size, line_pairs, power_lines


@pytest.mark.parametrize("exporting", [False, True])
@pytest.mark.parametrize("n", [16, 32, 128, 2048, 16_384])
def test_transforms(n: int, exporting: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: exporting)
    rng = np.random.default_rng(n)
    x = rng.normal(size=(2, 3, n)).astype(np.float32)
    lines = np.fft.rfft(x.astype(np.float64))
    close = {"rtol": 1e-4, "atol": 1e-5 * n}
    pairs = line_pairs(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(
        pairs[..., 0] + 1j * pairs[..., 1], lines, rtol=0, atol=1e-5 * n**0.5
    )
    np.testing.assert_allclose(power_lines(torch.from_numpy(x)), np.abs(lines) ** 2, **close)
    z = rng.normal(size=(2, 3, n, 2)).astype(np.float32)
    wanted = np.abs(np.fft.ifft(z[..., 0] + 1j * z[..., 1]))
    np.testing.assert_allclose(inverse_size(torch.from_numpy(z)), wanted, rtol=1e-4, atol=1e-6)
