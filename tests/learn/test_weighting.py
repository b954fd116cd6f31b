"""Losses are weighed as written: by their start, by learned uncertainty, by weight and share."""

import math
from typing import Any

import pytest
import torch

from modalloy.job.job_file import load_job
from modalloy.learn.weighting import Weighting
from modalloy.objectives.names import method_loss, task_loss

CONSISTENCY = method_loss("consistency")


def weighting(job_dict: Any, *, tasks: dict[str, Any] | None = None, **settings: Any) -> Weighting:
    goals = {
        "fault": {"type": "classify", "target": "fault_code", "weight": 3.0},
        "life": {"type": "regress", "target": "hours_left"},
    }
    fuse = {"type": "concat", "width": 16, "auxiliary": 0.25, "consistency": 0.5}
    job = job_dict("parts.parquet", columns=("note", "load"), tasks=tasks or goals, fuse=fuse)
    return Weighting(load_job(job | {"train": settings}))


def of(fault: float, life: float, **more: float) -> dict[str, torch.Tensor]:
    losses = {"fault": torch.tensor(fault), "life": torch.tensor(life)}
    names = {"note": "fault/note", "load": "life/load", "same": "consistency"}
    return losses | {names[k]: torch.tensor(v) for k, v in more.items()}


def test_a_sum_divides_by_the_first_loss_and_weighs(job_dict: Any) -> None:
    total = weighting(job_dict)
    assert total(of(0.5, 40.0)).item() == pytest.approx(3 * 1 + 1)
    assert total(of(0.2, 10.0)).item() == pytest.approx(3 * 0.4 + 0.25)
    # Own heads are divided by their task's start; consistency is not divided.
    share = 0.25 * (3 * 0.8 / 0.5 + 20 / 40)
    losses = of(0.2, 10.0, note=0.8, load=20.0, same=6.0)
    assert total(losses).item() == pytest.approx(1.45 + share + 0.5 * 6)


def test_a_start_is_the_first_batch_with_an_answer_and_never_below_a_tenth(job_dict: Any) -> None:
    total = weighting(job_dict)
    assert total(of(0.01, 0.0)).item() == pytest.approx(3 * 0.01 / 0.1)
    assert total(of(0.01, 30.0)).item() == pytest.approx(0.3 + 1)
    assert total(of(0.01, 15.0)).item() == pytest.approx(0.3 + 0.5)
    assert total.start_N.tolist() == pytest.approx([0.01, 30.0])


def test_a_lone_task_keeps_its_loss(job_dict: Any) -> None:
    tasks = {"life": {"type": "regress", "target": "hours_left", "weight": 2.0}}
    total = weighting(job_dict, tasks=tasks)
    for loss in (40.0, 10.0):
        assert total({"life": torch.tensor(loss)}).item() == pytest.approx(2 * loss)


def test_uncertainty_is_the_formula_of_kendall(job_dict: Any) -> None:
    total = weighting(job_dict, weighting="uncertainty")
    with torch.no_grad():
        total.log_variance_N.copy_(torch.tensor([0.7, -1.2]))
    value = total(of(0.5, 40.0, note=0.8))
    fault, note = (math.exp(-0.7) * x + 0.35 for x in (0.5, 0.8))
    life = math.exp(1.2) * 40 - 0.6
    assert value.item() == pytest.approx(3 * fault + life + 0.25 * 3 * note)
    value.backward()
    slope = [3 * (0.5 - math.exp(-0.7) * 0.5) + 0.75 * (0.5 - math.exp(-0.7) * 0.8)]
    slope.append(0.5 - math.exp(1.2) * 40)
    assert total.log_variance_N.grad.tolist() == pytest.approx(slope)


def test_a_task_that_is_seldom_labelled_ends_at_the_same_uncertainty(job_dict: Any) -> None:
    goals = {n: {"type": "regress", "target": t} for n, t in (("fault", "a"), ("life", "b"))}
    total = weighting(job_dict, tasks=goals, weighting="uncertainty")
    optimizer = torch.optim.SGD(total.parameters(), lr=0.2)
    for step in range(2000):
        optimizer.zero_grad()
        total(of(2.0, 2.0 if step % 10 == 0 else 0.0)).backward()
        optimizer.step()
    # The least of exp(-s) * 2 + s / 2 is at exp(-s) = 1 / 4.
    assert torch.exp(-total.log_variance_N).tolist() == pytest.approx([0.25, 0.25], rel=0.02)


def test_names_of_tasks_may_be_any_words(job_dict: Any) -> None:
    rate, fault = "rate kg/h", "consistency"
    tasks = {
        rate: {"type": "regress", "target": "hours_left", "weight": 5.0},
        fault: {"type": "classify", "target": "fault_code", "weight": 7.0},
    }
    total = weighting(job_dict, tasks=tasks)
    losses = {
        task_loss(rate): 8.0,
        task_loss(fault): 0.5,
        task_loss(rate, "h"): 2.0,
        CONSISTENCY: 3.0,
    }
    value = total({k: torch.tensor(v) for k, v in losses.items()})
    assert value.item() == pytest.approx(5 + 7 + 0.25 * 5 * 2 / 8 + 0.5 * 3)
