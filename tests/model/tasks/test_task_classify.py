"""The classifying head: its loss against loops, its answers, partly labelled and lone rows."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from modalloy.answer.decoding.build import decode
from modalloy.job import config
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.classify import Classify
from modalloy.model.tokens import Batch, Fused, arrays
from modalloy.readers.targets.classify import ClassTarget

NAMES = ("crack", "dent", "ok")
D = 8
NOTHING = Batch({}, {})  # the head looks at summaries alone


def class_target(labels: str) -> ClassTarget:
    return ClassTarget("fault", "y", NAMES, (1, 2, 5), 8, labels == "multi")


def shares(outputs: dict[str, torch.Tensor], labels: str = "single") -> np.ndarray:
    options = config.Classify.model_validate({"target": "y", "labels": labels})
    return decode(options, class_target(labels), arrays(outputs))["probability"]


def make_task(*, members: int = 1, smoothing: float = 0.0, **options: Any) -> Classify:
    target = class_target(options.get("labels", "single"))
    options_ = config.Classify(target="y", **options)
    task = build_task("fault", options_, target, D, members, smoothing)
    assert isinstance(task, Classify)
    return task


def make_target(y: Any, known: list[bool] | None = None) -> dict[str, Tensor]:
    y = torch.as_tensor(y)
    known_B = torch.ones(len(y), dtype=torch.bool) if known is None else torch.tensor(known)
    return {"y": y, "known": known_B}


def fused(rows: int, members: int = 1) -> Fused:
    return Fused(torch.randn(rows, members, D))


def slow_loss(logits: np.ndarray, y: list[int], weight: list[float], smoothing: float) -> float:
    total, norm = 0.0, 0.0
    for row, true in zip(logits, y, strict=True):
        for member in row:
            log_p = member - np.log(np.exp(member).sum())
            total -= (1 - smoothing) * weight[true] * log_p[true]
            total -= smoothing / len(log_p) * sum(w * p for w, p in zip(weight, log_p, strict=True))
            norm += weight[true]
    return total / norm


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_loss_agrees_with_a_loop(members: int, smoothing: float, class_weights: str) -> None:
    task = make_task(members=members, smoothing=smoothing, class_weights=class_weights)
    y = [0, 2, 1, 2]
    outputs = task(fused(4, members), {}, NOTHING)
    # 8 training rows, counts 1, 2 and 5.
    weight = [8 / 3, 8 / 6, 8 / 15] if class_weights == "balanced" else [1.0, 1.0, 1.0]
    expected = slow_loss(outputs["logits"].detach().numpy(), y, weight, smoothing)
    assert task.loss(outputs, make_target(y)).item() == pytest.approx(expected, rel=1e-5)


def test_several_labels_learn_apart() -> None:
    task = make_task(labels="multi", smoothing=0.2)
    y = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    outputs = task(fused(2), {}, NOTHING)
    p = outputs["logits"].sigmoid().squeeze(1)
    soft = y * 0.8 + 0.1
    expected = -(soft * p.log() + (1 - soft) * (1 - p).log()).mean()
    assert task.loss(outputs, make_target(y)).item() == pytest.approx(expected.item(), rel=1e-5)
    assert np.allclose(shares(outputs, "multi"), p.detach().numpy())


def test_balanced_labels_weigh_the_rare_one_more() -> None:
    y = torch.tensor([[1.0, 1, 1]])
    plain, balanced = (make_task(labels="multi", class_weights=w) for w in ("none", "balanced"))
    balanced.load_state_dict(plain.state_dict())
    z = fused(1)
    outputs = plain(z, {}, NOTHING)
    each = -outputs["logits"].sigmoid().log().flatten()
    weight = torch.tensor([8 / 3, 8 / 6, 8 / 15])
    expected = (weight * each).mean().item()
    assert balanced.loss(outputs, make_target(y)).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", ["single", "multi"])
def test_unknown_rows_teach_nothing(labels: str) -> None:
    task = make_task(labels=labels)
    y = torch.tensor([0, 1, 2, 0])
    y = torch.nn.functional.one_hot(y, 3).float() if labels == "multi" else y
    z = fused(4).summary_BKD.requires_grad_()
    target = make_target(y, [True, False, True, False])
    loss = task.loss(task(Fused(z), {}, NOTHING), target)
    loss.backward()
    assert z.grad is not None
    assert (z.grad[[1, 3]] == 0).all()
    assert (z.grad[[0, 2]] != 0).any()
    some = make_target(y[[0, 2]])
    alone = task.loss(task(Fused(z[[0, 2]]), {}, NOTHING), some)
    assert loss.item() == pytest.approx(alone.item())


@pytest.mark.parametrize("labels", ["single", "multi"])
def test_no_known_row_costs_exactly_nothing(labels: str) -> None:
    task = make_task(labels=labels)
    y = torch.zeros(2, 3) if labels == "multi" else torch.zeros(2, dtype=torch.long)
    loss = task.loss(task(fused(2), {}, NOTHING), make_target(y, [False, False]))
    assert loss.item() == 0.0
    loss.backward()
    assert all((p.grad == 0).all() for p in task.parameters() if p.grad is not None)
    assert task.head.weight_KDC.grad is not None


@pytest.mark.parametrize("labels", ["single", "multi"])
def test_members_probabilities_are_averaged(labels: str) -> None:
    task = make_task(members=4, labels=labels)
    outputs = task(fused(5, 4), {}, NOTHING)
    answers = [shares({"logits": outputs["logits"][:, [k]]}, labels) for k in range(4)]
    mean = np.mean(answers, axis=0)
    found = shares(outputs, labels)
    assert found == pytest.approx(mean, abs=1e-6)
    assert found.shape == (5, 3)
    if labels == "single":
        assert found.sum(1) == pytest.approx(1.0)


def test_each_member_has_weights_of_its_own() -> None:
    task = make_task(members=2)
    z = torch.randn(3, 1, D).expand(3, 2, D)
    logits = task(Fused(z), {}, NOTHING)["logits"]
    assert not torch.allclose(logits[:, 0], logits[:, 1])


def test_a_row_alone_is_answered_as_in_a_batch() -> None:
    task = make_task(members=3).eval()
    z = fused(6, 3)
    whole = shares(task(z, {}, NOTHING))
    alone = shares(task(Fused(z.summary_BKD[2:3]), {}, NOTHING))
    assert alone[0] == pytest.approx(whole[2], abs=1e-6)
