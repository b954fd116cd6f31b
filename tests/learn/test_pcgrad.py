"""Projected gradients agree with the paper's pseudocode, and act on shared weights alone."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job.job_file import load_job
from modalloy.learn.fit import fit
from modalloy.learn.pcgrad import project, set_gradients
from modalloy.learn.plan import Plan
from modalloy.learn.state import State
from modalloy.learn.train import one_process
from modalloy.learn.weighting import Weighting
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.readers.batch import TABLE


def algorithm(gradients: np.ndarray, orders: list[list[int]]) -> np.ndarray:
    """Algorithm 1 of the paper, line by line."""
    total = np.zeros_like(gradients[0])
    for i, order in enumerate(orders):
        own = gradients[i].copy()
        for j in order:
            if own @ gradients[j] < 0:
                own = own - (own @ gradients[j]) / (gradients[j] @ gradients[j]) * gradients[j]
        total += own
    return total


@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_projection_is_the_papers(tasks: int) -> None:
    draw = np.random.default_rng(tasks)
    for _ in range(20):
        gradients = draw.normal(size=(tasks, 7))
        orders = [[int(j) for j in draw.permutation(tasks) if j != i] for i in range(tasks)]
        found = project(torch.tensor(gradients), orders)
        assert found.numpy() == pytest.approx(algorithm(gradients, orders), abs=1e-9)


def test_two_opposed_gradients_by_hand() -> None:
    # (1, 0) and (-1, 1): each loses its part along the other, (.5, .5) and (0, 1).
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    assert project(gradients, [[1], [0]]).tolist() == pytest.approx([0.5, 1.5])
    assert project(gradients.abs(), [[1], [0]]).tolist() == [2.0, 1.0]  # no quarrel: their sum


def test_heads_keep_their_own_gradients_and_what_belongs_to_no_task_is_added() -> None:
    shared, head = nn.Parameter(torch.ones(2)), nn.Parameter(torch.tensor(2.0))
    words, alone = nn.Embedding(4, 2, sparse=True), nn.Parameter(torch.tensor(1.0))
    parameters = [shared, head, words.weight, alone]
    seen = words(torch.tensor([1])).squeeze(0)
    one = (shared @ torch.tensor([1.0, 0.0])) * head + seen.sum()
    two = (shared @ torch.tensor([-2.0, 2.0])) - seen.sum()
    rest = 3 * shared.sum()
    set_gradients(parameters, [one, two], rest)
    # Over shared weights (2, 0, 1, 1) and (-2, 2, -1, -1), the embedding's row among them.
    rows = np.array([[2.0, 0, 1, 1], [-2, 2, -1, -1]])
    expected = algorithm(rows, [[1], [0]])
    assert shared.grad.tolist() == pytest.approx((expected[:2] + 3).tolist())
    assert words.weight.grad[1].tolist() == pytest.approx(expected[2:].tolist())
    assert words.weight.grad[0].tolist() == [0.0, 0.0]
    assert head.grad.item() == 1.0
    assert alone.grad is None


class Two(nn.Module):
    """Two tasks that quarrel about one number and agree about the other."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.zeros(2))


def objective(model: Two, batch: Batch) -> Losses:
    losses = Losses()
    for name, goal in (("a", [1.0, 1.0]), ("b", [-1.0, 1.0])):
        losses.add(name, (model.x - torch.tensor(goal)).square().sum(), torch.tensor(len(batch)))
    return losses


def job_of(job_dict: Any, weighting: str) -> Any:
    tasks = {n: {"type": "regress", "target": n} for n in ("a", "b")}
    job = job_dict("parts.parquet", columns=("load",), tasks=tasks)
    job["train"] |= {"weighting": weighting, "optimizer": "sgd", "lr": 0.01, "clip": 1e6}
    return load_job(job)


def first_gradient(job: Any) -> Tensor:
    state = State.begin(Two(), Weighting(job), job.train, 1)
    rows = Batch({}, {TABLE: torch.ones(8, 1, dtype=torch.bool)}, {}, np.arange(8))
    found: list[Tensor] = []

    def change(state: State[Two]) -> float:
        found.append(state.model.x.grad.clone())
        return 0.0

    list(fit(state, objective, [rows], settings=job.train, seed=0, change=change))
    return found[0]


def test_a_training_projects_where_the_job_asks(job_dict: Any) -> None:
    # Both start at 2, so each is halved: gradients (-1, -1) and (1, -1), which do not quarrel.
    assert first_gradient(job_of(job_dict, "sum")).tolist() == pytest.approx([0.0, -2.0])
    assert first_gradient(job_of(job_dict, "pcgrad")).tolist() == pytest.approx([0.0, -2.0])
    quarrel = job_of(job_dict, "pcgrad")
    total = Weighting(quarrel)
    model = Two()
    losses = {"a": 2 * model.x[0] + 2, "b": model.x[1] - model.x[0] + 2}
    total(losses)
    total.backward(losses, model)
    expected = algorithm(np.array([[1.0, 0.0], [-0.5, 0.5]]), [[1], [0]])
    assert model.x.grad.tolist() == pytest.approx(expected.tolist())


def test_several_processes_are_refused_and_so_is_one_task(job_dict: Any) -> None:
    with pytest.raises(JobError, match="pcgrad projects gradients of whole batches"):
        one_process(Plan(objective, Weighting(job_of(job_dict, "pcgrad"))), 2)
    one_process(Plan(objective, Weighting(job_of(job_dict, "pcgrad"))), 1)
    one_process(Plan(objective, Weighting(job_of(job_dict, "famo"))), 2)
    job = job_dict("parts.parquet", columns=("load",))
    del job["tasks"]["life"]
    for weighting in ("pcgrad", "famo"):
        job["train"]["weighting"] = weighting
        with pytest.raises(JobError, match=f"{weighting} is for several tasks, and there is one"):
            load_job(job)
