"""Features of signals in numpy: the numbers of torch, for rows of all lengths, with holes too."""

import numpy as np
import pytest
import torch

from modalloy.classical import signals as ours
from modalloy.model.trunks import signal_features as theirs


def rows(length: int, channels: int, draw: np.random.Generator) -> list[np.ndarray]:
    """Noise, tones, a trend and a channel that is dead, float32 as readers give it."""
    time = np.arange(length)
    kinds = [
        draw.normal(size=length),
        np.sin(time * 0.31 + 0.1) + 0.1 * draw.normal(size=length),
        0.01 * time + draw.normal(0, 0.3, length),
        np.full(length, 0.7),
    ]
    return [np.stack([np.roll(kinds, k, 0)[c] for c in range(channels)]) for k in range(4)]


# Single precision is that far from the truth in the logarithm of weak powers.
FRONTS = {"statistics": (), "recent": (), "spectrum": (2048,), "envelope": (2048, 500.0)}


@pytest.mark.parametrize("length", [1, 2, 31, 64, 100, 1025, 2048])
@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_those_of_torch(length: int, channels: int, draw: np.random.Generator) -> None:
    for x in rows(length, channels, draw):
        for holes in (False, True):
            x_CL = np.pad(x, ((0, 0), (0, 2048 - length))).astype(np.float32)
            mask_L = np.arange(2048) < length
            if holes:
                mask_L &= draw.random(2048) < 0.8
            given = (x_CL, mask_L)
            for kind, apart in ((torch.float64, 1e-5), (torch.float32, 2e-4)):
                torch_1 = (torch.from_numpy(x_CL)[None].to(kind), torch.from_numpy(mask_L)[None])
                for name, more in FRONTS.items():
                    got = getattr(ours, name)(*given, *more)
                    expected = getattr(theirs, name)(*torch_1, *more)[0].numpy()
                    assert got.shape == expected.shape
                    assert np.allclose(got, expected, rtol=1e-5, atol=apart), (name, kind)
