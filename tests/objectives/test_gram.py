"""Volumes are roots of determinants; what a row lacks changes nothing of them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.objectives.gram import across, gram, volumes


def unit(*shape: int) -> Tensor:
    """Vectors of length 1."""
    return F.normalize(torch.randn(*shape, dtype=torch.float64), dim=-1)


def volume(vectors: np.ndarray) -> float:
    """By numpy's determinant."""
    return float(np.sqrt(np.linalg.det(vectors @ vectors.T)))


def test_volumes_are_those_of_numpy() -> None:
    z_NKS, everything = unit(6, 4, 8), torch.ones(6, 4, dtype=torch.bool)
    found = volumes(z_NKS, everything)
    assert found.numpy() == pytest.approx([volume(z) for z in z_NKS.numpy()])


def test_two_columns_span_the_sine_of_their_angle() -> None:
    a, b = unit(5, 3), unit(5, 3)
    sine = np.sqrt(1.0 - (a * b).sum(1).numpy() ** 2)
    found = across(a, b.unsqueeze(1), torch.ones(5, 1, dtype=torch.bool))
    assert found.diagonal().numpy() == pytest.approx(sine)


def test_absent_vectors_span_nothing() -> None:
    anchor, others = unit(5, 8), unit(5, 3, 8)
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    found = across(anchor, others, present).numpy()
    for i in range(5):
        for j in range(5):
            vectors = np.stack([anchor[i], *others[j][present[j]]])
            assert found[i, j] == pytest.approx(volume(vectors))
    present = present[[1, 1, 2, 2, 2]]
    changed = torch.where(present.unsqueeze(2), others, unit(5, 3, 8))
    scale = torch.tensor(5.0).double()
    found = gram(anchor, others, present, scale)
    assert found > 0
    assert torch.equal(found, gram(anchor, changed, present, scale))


def test_rows_are_compared_with_those_that_have_the_same_columns() -> None:
    anchor, others, scale = unit(9, 8), unit(9, 3, 8), torch.tensor(5.0).double()
    sets = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0]]).bool()
    which = torch.tensor([0, 1, 0, 1, 0, 0, 1, 0, 2])
    slow = 0.0
    for k, count in ((0, 5), (1, 3)):
        own = which == k
        slow += count * gram(anchor[own], others[own], sets[which[own]], scale).item()
    assert gram(anchor, others, sets[which], scale).item() == pytest.approx(slow / 8)
    lonely = anchor[8:].requires_grad_()
    alone = gram(lonely, others[8:], sets[which[8:]], scale)
    alone.backward()
    assert alone == 0
    assert lonely.grad is not None
    assert not lonely.grad.any()


def test_incomplete_rows_find_their_own() -> None:
    generator = torch.Generator().manual_seed(0)
    anchor = F.normalize(torch.randn(40, 16, generator=generator), dim=1)
    noise = 0.5 * torch.randn(40, 2, 16, generator=generator) / 4
    others = F.normalize(anchor.unsqueeze(1) + noise, dim=-1)
    present = torch.ones(40, 2, dtype=torch.bool)
    present[::3, 1] = False
    loss = gram(anchor, others, present, torch.tensor(20.0))
    assert loss < 0.2  # compared with complete rows, which span less, none would


def test_the_loss_agrees_with_a_loop_and_falls_where_rows_agree() -> None:
    anchor, others = unit(4, 6), unit(4, 2, 6)
    present = torch.ones(4, 2, dtype=torch.bool)
    logits = np.array(
        [[-3.0 * volume(np.stack([anchor[i], *others[j]])) for j in range(4)] for i in range(4)]
    )
    slow = 0.0
    for way in (logits, logits.T):
        slow -= np.mean([way[i, i] - np.log(np.exp(way[i]).sum()) for i in range(4)])
    scale = torch.tensor(3.0).double()
    found = gram(anchor, others, present, scale)
    assert found.item() == pytest.approx(slow / 2)
    agreed = F.normalize(anchor.unsqueeze(1) + 0.1 * others, dim=-1)
    assert gram(anchor, agreed, present, scale) < found


def test_the_gradient_stays_finite_where_all_say_the_same() -> None:
    z = unit(3, 5).requires_grad_()
    present = torch.ones(3, 2, dtype=torch.bool)
    gram(z, torch.stack([z, z], 1), present, torch.tensor(10.0).double()).backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
