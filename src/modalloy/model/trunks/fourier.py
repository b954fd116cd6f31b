"""Fourier transforms of frames; in a graph for export, as products with small matrices.

ONNX has a transform of its own, but OpenVINO (2026.4) reads it wrongly: its axis is not looked at,
and frames of real numbers keep a dimension too many.
"""

import math

import numpy as np
import torch
from torch import Tensor


def power_lines(x: Tensor) -> Tensor:
    """Power of the lines of real frames, (..., n) -> (..., n / 2 + 1); n is a power of two."""
    if not torch.compiler.is_exporting():
        return torch.fft.rfft(x).abs().square()
    return line_pairs(x).square().sum(-1)


def line_pairs(x: Tensor) -> Tensor:
    """Lines of real frames as pairs of real and imaginary part, (..., n) -> (..., n / 2 + 1, 2)."""
    if not torch.compiler.is_exporting():
        return torch.view_as_real(torch.fft.rfft(x))
    pairs = torch.stack([x, torch.zeros_like(x)], -1)
    return transform(pairs, -1)[..., : x.shape[-1] // 2 + 1, :]


def inverse_size(pairs: Tensor) -> Tensor:
    """Absolute values of the inverse transform of complex lines, (..., m, 2) -> (..., m)."""
    if not torch.compiler.is_exporting():
        return torch.fft.ifft(torch.view_as_complex(pairs)).abs()
    return transform(pairs, 1).square().sum(-1).sqrt() / pairs.shape[-2]


def transform(pairs: Tensor, sign: int) -> Tensor:
    """Sum of x_j exp(sign 2 pi i j k / n) for each k, (..., n, 2) as pairs, without a factor.

    One step of the fast transform (Cooley & Tukey 1965): with n = a b, first over every b-th number
    and then over the b results, so that no matrix has more than 8 n entries.
    """
    n = pairs.shape[-2]
    a = 1 << math.ceil(math.log2(n) / 2)
    b = n // a
    assert a * b == n, f"{n} is no power of two"
    turn_ab2 = roots(a, b, n, sign).to(pairs.device)
    z_Nba2 = pairs.reshape(-1, a, b, 2).transpose(1, 2)
    z_Nab2 = times(z_Nba2, sign).transpose(1, 2)
    x_Nab, y_Nab = z_Nab2.unbind(-1)
    cos_ab, sin_ab = turn_ab2.unbind(-1)
    z_Nab2 = torch.stack([x_Nab * cos_ab - y_Nab * sin_ab, x_Nab * sin_ab + y_Nab * cos_ab], -1)
    return times(z_Nab2, sign).transpose(1, 2).reshape(pairs.shape)


def times(z: Tensor, sign: int) -> Tensor:
    """The transform along the next to last dimension, (N, M, n, 2), by one matrix."""
    n = z.shape[-2]
    cos_nn, sin_nn = roots(n, n, n, sign).unbind(-1)
    # A number gives its real part's share and its imaginary part's to both parts of a line.
    given = torch.stack([torch.stack([cos_nn, sin_nn], -1), torch.stack([-sin_nn, cos_nn], -1)], 1)
    return (z.flatten(2) @ given.reshape(2 * n, 2 * n).to(z.device)).unflatten(2, (n, 2))


def roots(a: int, b: int, n: int, sign: int) -> Tensor:
    """Cosine and sine of j k n-th parts of a turn, for j < a and k < b, (a, b, 2) float32."""
    turns_ab = np.outer(np.arange(a), np.arange(b)) % n
    angle_ab = sign * 2 * np.pi * turns_ab / n
    return torch.from_numpy(np.stack([np.cos(angle_ab), np.sin(angle_ab)], -1).astype(np.float32))
