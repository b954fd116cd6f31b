"""Standardised features: the figures of all rows seen, whatever batches they came in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from modalloy.model.layers.scale import Standardise


@pytest.mark.parametrize("sizes", [(50,), (1, 49), (10, 20, 19, 1)])
def test_figures_do_not_depend_on_the_batches(sizes: tuple[int, ...]) -> None:
    x_BF = torch.randn(50, 6) * torch.arange(1, 7) + 3
    scale = Standardise(6)
    for part in x_BF.split(sizes):
        scale(part)
    torch.testing.assert_close(scale.mean_F, x_BF.mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(scale.variance_F, x_BF.var(0, correction=0), atol=1e-4, rtol=1e-4)
    z_BF = scale.eval()(x_BF)
    torch.testing.assert_close(z_BF.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(z_BF.std(0, correction=0), torch.ones(6), atol=1e-4, rtol=0)


def test_tokens_count_as_rows() -> None:
    scale = Standardise(4)
    scale(torch.randn(5, 3, 4))
    assert scale.seen == 15


def test_figures_stand_still_after_enough_rows_and_in_evaluation() -> None:
    scale = Standardise(2, rows=10)
    scale(torch.randn(12, 2))
    kept = scale.mean_F.clone()
    scale(torch.randn(12, 2) + 100)
    scale.eval()(torch.randn(3, 2))
    assert torch.equal(scale.mean_F, kept)
    assert scale.seen == 12


def test_a_constant_entry_cannot_shout() -> None:
    scale = Standardise(2)
    scale(torch.tensor([[1.0, 5.0], [2.0, 5.0]]))
    assert scale.eval()(torch.tensor([[1.5, 9.0]])).tolist() == [[0.0, 10.0]]


def test_rounding_is_not_drawn_out() -> None:
    generator = torch.Generator().manual_seed(0)
    x_NF = torch.randn(400, 2, generator=generator) * torch.tensor([1.0, 0.002])
    for noise, expected in ((0.0, (1.0, 0.9)), (0.01, (1.0, 0.2))):
        scale = Standardise(2, noise=noise)
        for rows in x_NF.split(100):
            scale(rows)
        deviation_F = scale.eval()(x_NF).std(0)
        assert deviation_F.tolist() == pytest.approx(expected, abs=0.05)


def test_entries_are_hidden_in_training_alone() -> None:
    scale, x_BF = Standardise(1000, dropout=0.2), torch.randn(8, 1000)
    hidden = (scale(x_BF) == 0).float().mean()
    assert hidden == pytest.approx(0.2, abs=0.03)
    assert (scale.eval()(x_BF) != 0).all()


def test_it_is_part_of_the_weights() -> None:
    scale = Standardise(3)
    scale(torch.randn(4, 3))
    again = Standardise(3)
    again.load_state_dict(scale.state_dict())
    assert torch.equal(again.variance_F, scale.variance_F)
    assert again.seen == 4


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A group of processes with this one alone in it."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("first", [0, 4])
def test_a_step_without_rows_in_any_process_changes_nothing(group: None, first: int) -> None:
    scale, alone = Standardise(3), Standardise(3)
    scale.together = True
    x_NF = torch.randn(7, 3)
    for rows in (x_NF[:first], x_NF[:0], x_NF[first:]):
        assert scale(rows).shape == rows.shape
    alone(x_NF)
    assert scale.seen == 7
    torch.testing.assert_close(scale.mean_F, alone.mean_F)
    torch.testing.assert_close(scale.variance_F, alone.variance_F)
