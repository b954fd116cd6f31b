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
    real, imag = transform(x, torch.zeros_like(x), -1.0)
    return torch.stack([real, imag], -1)[..., : x.shape[-1] // 2 + 1, :]


def inverse_size(pairs: Tensor) -> Tensor:
    """Absolute values of the inverse transform of complex lines, (..., m, 2) -> (..., m)."""
    if not torch.compiler.is_exporting():
        return torch.fft.ifft(torch.view_as_complex(pairs)).abs()
    real, imag = transform(pairs[..., 0], pairs[..., 1], 1.0)
    return (real.square() + imag.square()).sqrt() / pairs.shape[-2]


def transform(real: Tensor, imag: Tensor, sign: float) -> tuple[Tensor, Tensor]:
    """Sum of x_j exp(sign 2 pi i j k / n) for each k, as real and imaginary part, each (..., n).

    One step of the fast transform (Cooley & Tukey 1965): with n = a b, first over every b-th number
    and then over the b results, so that no matrix is wider than the root of twice n.
    """
    n = real.shape[-1]
    a = 1 << math.ceil(math.log2(n) / 2)
    b = n // a
    assert a * b == n, f"{n} is no power of two"
    first_aa, turn_ab, second_bb = (
        roots(np.outer(np.arange(p), np.arange(q)), m, sign).to(real.device)
        for p, q, m in ((a, a, a), (a, b, n), (b, b, b))
    )
    x, y = real.unflatten(-1, (a, b)), imag.unflatten(-1, (a, b))
    x, y = first_aa[0] @ x - first_aa[1] @ y, first_aa[0] @ y + first_aa[1] @ x
    x, y = x * turn_ab[0] - y * turn_ab[1], x * turn_ab[1] + y * turn_ab[0]
    x, y = x @ second_bb[0] - y @ second_bb[1], x @ second_bb[1] + y @ second_bb[0]
    return x.transpose(-1, -2).flatten(-2), y.transpose(-1, -2).flatten(-2)


def roots(turns: np.ndarray, n: int, sign: float) -> Tensor:
    """Cosine and sine of these n-th parts of a turn, (2, ...) float32."""
    angle = sign * 2 * np.pi * (turns % n) / n
    return torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32))
