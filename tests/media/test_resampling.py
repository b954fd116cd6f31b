"""Sounds at another rate: as scipy has them, for ratios up and down, odd ones and short sounds."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from modalloy.media.resampling import polyphase


@pytest.mark.parametrize(
    ("up", "down"), [(160, 441), (441, 160), (1, 48), (3, 1), (2, 2), (1999, 2000), (1993, 751)]
)
@pytest.mark.parametrize("length", [1, 7, 500, 4410])
def test_it_is_scipys(up: int, down: int, length: int, draw: np.random.Generator) -> None:
    x_L = draw.normal(size=length).astype(np.float32)
    got = polyphase(x_L, up, down)
    expected = resample_poly(x_L, up, down)
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    assert np.allclose(got, expected, atol=3e-6)
