"""Weights by FAMO agree with the authors' update, written with torch's own Adam and autograd."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modalloy.job.job_file import load_job
from modalloy.learn.famo import DECAY, RATE, Famo
from modalloy.learn.fit import fit
from modalloy.learn.state import State
from modalloy.learn.weighting import Weighting
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.readers.batch import TABLE


class Authors:
    """As in the code beside the paper, losses having no lower bound but zero."""

    def __init__(self, tasks: int) -> None:
        self.xi = torch.zeros(tasks, requires_grad=True)
        self.adam = torch.optim.Adam([self.xi], lr=RATE, weight_decay=DECAY)
        self.before = torch.zeros(tasks)

    def total(self, losses: Tensor) -> Tensor:
        self.before = losses
        z = self.xi.softmax(-1).detach()
        scale = (z / losses).sum().detach()
        return (losses.log() * z / scale).sum()

    def learn(self, losses: Tensor) -> None:
        fell = self.before.log() - losses.log()
        z = self.xi.softmax(-1)
        (self.xi.grad,) = torch.autograd.grad(z, self.xi, fell.detach())
        self.adam.step()


def test_weights_and_totals_are_the_authors() -> None:
    own, authors, draw = Famo(3), Authors(3), np.random.default_rng(0)
    for _ in range(30):
        before = torch.tensor(draw.uniform(0.1, 4, 3), dtype=torch.float32)
        after = before * torch.tensor(draw.uniform(0.8, 1.0, 3), dtype=torch.float32)
        total = own(before, torch.ones(3))
        assert total.item() == pytest.approx(authors.total(before).item(), abs=1e-4)
        own.learn(after)
        authors.learn(after)
    assert own.xi_N.abs().max() > 0.1
    torch.testing.assert_close(own.xi_N, authors.xi.detach(), atol=1e-4, rtol=1e-4)


def test_by_numpy_for_two_tasks() -> None:
    famo = Famo(2)
    losses = torch.tensor([0.5, 2.0], requires_grad=True)
    total = famo(losses, torch.tensor([1.0, 3.0]))
    scale = 0.5 / 0.5 + 0.5 / 2.0
    assert total.item() == pytest.approx(
        (0.5 * np.log(0.5) + 3 * 0.5 * np.log(2.0)) / scale, rel=1e-5
    )
    total.backward()
    # The gradients' shares add up to 1 where all tasks weigh alike; the second weighs three times.
    assert losses.grad.tolist() == pytest.approx([1.0 / scale, 3 * 0.25 / scale], rel=1e-5)
    famo.learn(torch.tensor([0.5, 1.0]))  # the second fell by log 2, the first not at all
    # Adam's first step is as long as its rate: down for the one that fell.
    assert famo.xi_N.tolist() == pytest.approx([RATE, -RATE], rel=1e-3)


def test_a_task_without_an_answer_neither_counts_nor_changes() -> None:
    famo = Famo(2)
    losses = torch.tensor([0.5, 0.0], requires_grad=True)
    total = famo(losses, torch.ones(2))
    assert total.item() == pytest.approx(0.5 * np.log(0.5) / (0.5 / 0.5))
    total.backward()
    assert losses.grad.tolist() == pytest.approx([1.0, 0.0])
    famo.learn(torch.tensor([0.4, 3.0]))
    assert famo.xi_N.tolist() == [0.0, 0.0]  # of one task alone there is nothing to weigh
    assert famo(torch.tensor([0.0, 0.0], requires_grad=True), torch.ones(2)).item() == 0.0


def test_tasks_with_answers_are_weighed_as_though_there_were_no_others() -> None:
    three, two, draw = Famo(3), Famo(2), np.random.default_rng(1)
    for _ in range(40):
        before = torch.tensor(draw.uniform(0.1, 4, 2), dtype=torch.float32)
        after = before * torch.tensor([0.7, 0.95])
        for famo, rest in ((three, torch.zeros(1)), (two, torch.zeros(0))):
            famo(torch.cat([before, rest]), torch.ones(2 + len(rest)))
            famo.learn(torch.cat([after, rest]))
    assert three.xi_N[:2].tolist() == pytest.approx(two.xi_N.tolist(), abs=1e-6)
    assert three.xi_N[2] == 0.0


def test_running_figures_count_a_batch_once(job_dict: Any) -> None:
    class Normed(Two):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(1, momentum=0.5)

    def normed(model: Normed, batch: Batch) -> Losses:
        model.norm(torch.ones(4, 1))
        return objective(model, batch)

    job = job_of(job_dict, "famo")
    state = State.begin(Normed(), Weighting(job), job.train, 1)
    rows = Batch({}, {TABLE: torch.ones(8, 1, dtype=torch.bool)}, {}, np.arange(8))
    list(fit(state, normed, [rows], settings=job.train, seed=0))
    assert state.model.norm.running_mean.item() == pytest.approx(0.5)
    assert state.model.norm.num_batches_tracked.item() == 1


def job_of(job_dict: Any, weighting: str, weight: float = 1.0) -> Any:
    tasks = {n: {"type": "regress", "target": n} for n in ("a", "b")}
    tasks["a"]["weight"] = weight
    job = job_dict("parts.parquet", columns=("load",), tasks=tasks)
    job["train"] |= {"weighting": weighting, "ema": 0.0, "lr": 0.02, "warmup": 0.0}
    return load_job(job)


class Two(nn.Module):
    """Two tasks on one number; the loss of `b` is a thousand times that of `a`."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.noise = nn.Parameter(torch.tensor(0.0)), nn.Dropout(0.5)


def objective(model: Two, batch: Batch) -> Losses:
    jitter = model.noise(torch.ones(64)).mean()
    losses = Losses()
    for name, goal, scale in (("a", 1.0, 1.0), ("b", -1.0, 1000.0)):
        loss = scale * ((model.shared - goal) ** 2).exp() * jitter
        losses.add(name, loss, torch.tensor(len(batch)))
    return losses


def ended(job: Any) -> tuple[float, Weighting]:
    torch.manual_seed(0)
    total = Weighting(job)
    state = State.begin(Two(), total, job.train, 300)
    rows = Batch({}, {TABLE: torch.ones(8, 1, dtype=torch.bool)}, {}, np.arange(8))
    for _ in fit(state, objective, [rows] * 300, settings=job.train, seed=0):
        pass
    return state.model.shared.item(), total


def test_a_training_balances_tasks_whatever_their_scale_and_the_weight_of_a_task_counts(
    job_dict: Any,
) -> None:
    place, total = ended(job_of(job_dict, "famo"))
    assert abs(place) < 0.25  # halfway between both goals, though one loss is 1000 times as large
    assert total.famo is not None
    assert total.famo.steps_N.tolist() == [300, 300]
    assert ended(job_of(job_dict, "famo", 4.0))[0] > place + 0.1


def test_the_losses_after_a_step_are_asked_for_with_the_same_chance(job_dict: Any) -> None:
    seen: list[float] = []

    def watched(model: Two, batch: Batch) -> Losses:
        losses = objective(model, batch)
        seen.append((losses["b"] / ((model.shared + 1) ** 2).exp()).item())
        return losses

    job = job_of(job_dict, "famo")
    state = State.begin(Two(), Weighting(job), job.train, 3)
    rows = Batch({}, {TABLE: torch.ones(8, 1, dtype=torch.bool)}, {}, np.arange(8))
    list(fit(state, watched, [rows] * 3, settings=job.train, seed=0))
    assert len(seen) == 6
    for before, after in zip(seen[::2], seen[1::2], strict=True):
        assert before == pytest.approx(after, rel=1e-5)
    assert len({round(s, 3) for s in seen}) == 3
