"""InfoNCE and the sigmoid loss agree with slow loops; their temperature learns."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.objectives.pairwise import infonce, sigmoid


def unit(count: int, size: int = 5) -> Tensor:
    """Vectors of length 1."""
    return F.normalize(torch.randn(count, size, dtype=torch.float64), dim=1)


def infonce_slowly(a: np.ndarray, b: np.ndarray, scale: float) -> float:
    """Row by row, both ways round."""
    total = 0.0
    for one, other in ((a, b), (b, a)):
        for i in range(len(a)):
            logits = [scale * float(one[i] @ other[j]) for j in range(len(a))]
            total -= logits[i] - np.log(np.sum(np.exp(logits)))
    return total / (2 * len(a))


def sigmoid_slowly(a: np.ndarray, b: np.ndarray, scale: float, bias: float) -> float:
    """Pair by pair."""
    total = 0.0
    for i in range(len(a)):
        for j in range(len(a)):
            sign = 1.0 if i == j else -1.0
            total += np.log1p(np.exp(-sign * (scale * float(a[i] @ b[j]) + bias)))
    return total / len(a)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_both_agree_with_loops(count: int) -> None:
    a, b = unit(count), unit(count)
    scale, bias = torch.tensor(8.0).double(), torch.tensor(-3.0).double()
    assert infonce(a, b, scale).item() == pytest.approx(infonce_slowly(a.numpy(), b.numpy(), 8.0))
    slow = sigmoid_slowly(a.numpy(), b.numpy(), 8.0, -3.0)
    assert sigmoid(a, b, scale, bias).item() == pytest.approx(slow)


def test_the_temperature_has_the_gradient_of_a_small_step() -> None:
    a, b = unit(6), unit(6)
    for loss in (infonce, lambda x, y, s: sigmoid(x, y, s, torch.tensor(-2.0).double())):
        log_scale = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda s, f=loss: f(a, b, s.exp()), (log_scale,))


def test_no_row_gives_zero_with_a_gradient() -> None:
    a = torch.zeros(0, 4, requires_grad=True)
    for loss in (infonce(a, a, torch.ones(())), sigmoid(a, a, torch.ones(()), torch.zeros(()))):
        loss.backward()
        assert loss.item() == 0.0
        assert a.grad is not None
