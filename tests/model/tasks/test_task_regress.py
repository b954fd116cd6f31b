"""The regressing head: costs and pinball against loops, units, quantiles that never cross."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.build import decode
from modalloy.job import config
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.regress import Regress
from modalloy.model.tokens import Batch, Fused, arrays
from modalloy.readers.targets.regress import NumberTarget

D = 8
NOTHING = Batch({}, {})  # the head looks at summaries alone
TARGET = NumberTarget("life", "y", center=100.0, scale=20.0, log=False)


def make_task(*, members: int = 1, **options: Any) -> Regress:
    options_ = config.Regress(target="y", **options)
    task = build_task("life", options_, TARGET, D, members, 0.0)
    assert isinstance(task, Regress)
    return task


def answer_of(outputs: dict[str, torch.Tensor]) -> Answer:
    return decode(config.Regress(target="y"), TARGET, arrays(outputs))


def make_target(y: list[float], known: list[bool] | None = None) -> dict[str, Tensor]:
    known_B = torch.ones(len(y), dtype=torch.bool) if known is None else torch.tensor(known)
    return {"y": torch.tensor(y), "known": known_B}


def fused(rows: int, members: int = 1) -> Fused:
    return Fused(torch.randn(rows, members, D))


def slow_cost(error: float, kind: str) -> float:
    if kind == "squared":
        return error**2
    if kind == "absolute" or abs(error) > 1:
        return abs(error) if kind == "absolute" else abs(error) - 0.5
    return error**2 / 2


@pytest.mark.parametrize("kind", ["squared", "absolute", "huber"])
@pytest.mark.parametrize("members", [1, 3])
def test_loss_agrees_with_a_loop(kind: str, members: int) -> None:
    task = make_task(members=members, loss=kind)
    y = [0.3, -2.0, 3.0]
    outputs = task(fused(3, members), {}, NOTHING)
    value = outputs["value"].detach().numpy()
    costs = [slow_cost(v - t, kind) for row, t in zip(value, y, strict=True) for v in row]
    assert task.loss(outputs, make_target(y)).item() == pytest.approx(np.mean(costs), rel=1e-5)


def test_pinball_loss_agrees_with_a_loop() -> None:
    levels = (0.9, 0.1, 0.5)  # in no order
    task = make_task(members=2, quantiles=levels)
    y = [0.3, -2.0, 3.0]
    target = make_target(y)
    outputs = task(fused(3, 2), {}, NOTHING)
    total = []
    for row, t in zip(outputs["quantiles"].detach().numpy(), y, strict=True):
        for member in row:
            for q, level in zip(member, levels, strict=True):
                total.append(level * (t - q) if t > q else (1 - level) * (q - t))
    point = make_task(members=2)
    point_loss = point.loss({"value": outputs["value"]}, target)
    expected = point_loss.item() + np.mean(total)
    assert task.loss(outputs, target).item() == pytest.approx(expected, rel=1e-5)


def test_quantiles_never_cross_and_keep_their_order() -> None:
    task = make_task(members=2, quantiles=(0.9, 0.1, 0.5))
    with torch.no_grad():
        task.head.weight_KDC.normal_(0, 5)
    found = answer_of(task(fused(200, 2), {}, NOTHING))["quantiles"]
    assert (found[:, 1] <= found[:, 2]).all()
    assert (found[:, 2] <= found[:, 0]).all()


def test_quantiles_begin_at_those_of_a_standard_normal() -> None:
    task = make_task(quantiles=(0.1, 0.5, 0.9))
    found = task(Fused(torch.zeros(1, 1, D)), {}, NOTHING)["quantiles"]
    assert found.flatten().tolist() == pytest.approx([-1.2816, 0.0, 1.2816], abs=1e-3)


def test_quantiles_are_learned() -> None:
    task = make_task(quantiles=(0.1, 0.9))
    y = (torch.rand(400) * 4).tolist()
    z = Fused(torch.zeros(400, 1, D))
    target = make_target(y)
    for _ in range(300):
        loss = task.loss(task(z, {}, NOTHING), target)
        gradient = torch.autograd.grad(loss, task.head.bias_KC)[0]
        task.head.bias_KC.data -= 0.3 * gradient
    found = task(z, {}, NOTHING)["quantiles"][0, 0].tolist()
    assert found == pytest.approx(np.quantile(y, [0.1, 0.9]).tolist(), abs=0.15)


def test_answers_are_in_the_targets_unit() -> None:
    outputs = {"value": torch.tensor([[0.5], [-1.0]]), "quantiles": torch.zeros(2, 1, 1)}
    answer = answer_of(outputs)
    assert answer["value"].tolist() == [110.0, 80.0]
    assert answer["quantiles"].tolist() == [[100.0], [100.0]]


def test_unknown_rows_teach_nothing() -> None:
    task = make_task(quantiles=(0.1, 0.9))
    z = fused(3).summary_BKD.requires_grad_()
    target = make_target([1.0, 0.0, 2.0], [True, False, True])
    loss = task.loss(task(Fused(z), {}, NOTHING), target)
    loss.backward()
    assert z.grad is not None
    assert (z.grad[1] == 0).all()
    some = make_target([1.0, 2.0])
    alone = task.loss(task(Fused(z[[0, 2]]), {}, NOTHING), some)
    assert loss.item() == pytest.approx(alone.item())


def test_no_known_row_costs_exactly_nothing() -> None:
    task = make_task(quantiles=(0.1, 0.9))
    loss = task.loss(task(fused(2), {}, NOTHING), make_target([1.0, 0.0], [False, False]))
    assert loss.item() == 0.0
    loss.backward()
    assert task.head.weight_KDC.grad is not None
    assert (task.head.weight_KDC.grad == 0).all()


def test_members_are_averaged() -> None:
    task = make_task(members=3, quantiles=(0.1, 0.9))
    outputs = task(fused(4, 3), {}, NOTHING)
    parts = [answer_of({n: o[:, [k]] for n, o in outputs.items()}) for k in range(3)]
    found = answer_of(outputs)
    for name in ("value", "quantiles"):
        assert found[name] == pytest.approx(np.mean([p[name] for p in parts], axis=0))
    assert found["value"].shape == (4,)
    assert found["quantiles"].shape == (4, 2)


def test_a_row_alone_is_answered_as_in_a_batch() -> None:
    task = make_task(members=2).eval()
    z = fused(5, 2)
    whole = answer_of(task(z, {}, NOTHING))["value"]
    alone = answer_of(task(Fused(z.summary_BKD[3:4]), {}, NOTHING))["value"]
    assert alone[0] == pytest.approx(whole[3], rel=1e-6)
