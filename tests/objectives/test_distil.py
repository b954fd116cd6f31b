"""The loss of distillation beside slow, obvious versions of it, kind of task by kind of task."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from compressible import learned
from modalloy.model.tasks.classify import Classify
from modalloy.model.tasks.locate import Locate
from modalloy.model.tasks.regress import Regress
from modalloy.model.tasks.tag import Tag
from modalloy.objectives.distil import distance, distilling, relative

HEAT = 2.0


def softmax(logits: list[float]) -> list[float]:
    """Chances, one by one."""
    top = [math.exp(v) for v in logits]
    return [v / sum(top) for v in top]


def divergence(goal: list[float], said: list[float]) -> float:
    """Of softened chances, times the square of the temperature."""
    p, q = softmax([v / HEAT for v in goal]), softmax([v / HEAT for v in said])
    return HEAT**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def of(kind: Any, **own: Any) -> Any:
    """A task of a kind, without its weights: distances need none."""
    task = kind.__new__(kind)
    torch.nn.Module.__init__(task)
    for name, value in own.items():
        setattr(task, name, value)
    return task


def test_classes_and_words() -> None:
    goal, said = torch.randn(4, 2, 3), torch.randn(4, 2, 3)
    slow = [
        divergence(g, s)
        for a, b in zip(goal.tolist(), said.tolist(), strict=True)
        for g, s in zip(a, b, strict=True)
    ]
    found = distance(of(Classify, multi=False), {"logits": goal}, {"logits": said}, HEAT)
    assert found.item() == pytest.approx(np.mean(slow), rel=1e-5)
    words = torch.tensor([[True, True, False], [True, False, False]])
    goal, said = torch.randn(2, 1, 3, 4), torch.randn(2, 1, 3, 4)
    pairs = [(b, w) for b in range(2) for w in range(3) if words[b, w]]
    slow = [divergence(goal[b, 0, w].tolist(), said[b, 0, w].tolist()) for b, w in pairs]
    outputs = ({"logits": goal, "words": words}, {"logits": said, "words": words})
    assert distance(of(Tag), *outputs, HEAT).item() == pytest.approx(np.mean(slow), rel=1e-5)


def test_labels_and_numbers() -> None:
    goal, said = torch.randn(3, 1, 2), torch.randn(3, 1, 2)
    slow = [
        sum(divergence([g, 0.0], [s, 0.0]) for g, s in zip(a[0], b[0], strict=True))
        for a, b in zip(goal.tolist(), said.tolist(), strict=True)
    ]
    found = distance(of(Classify, multi=True), {"logits": goal}, {"logits": said}, HEAT)
    assert found.item() == pytest.approx(np.mean(slow), rel=1e-5)
    goal, said = ({"value": torch.randn(3, 2), "quantiles": torch.randn(3, 2, 2)} for _ in "ab")
    slow = [((goal[k] - said[k]) ** 2 / 2).mean().item() for k in goal]
    assert distance(of(Regress), goal, said, HEAT).item() == pytest.approx(sum(slow), rel=1e-5)


def test_maps_of_boxes() -> None:
    """One row is not seen; the others' cells count by the teacher's heat."""
    goal, said = (
        {"heat": torch.randn(3, 2, 2, 2), "sides": torch.rand(3, 4, 2, 2) + 0.5} for _ in "ab"
    )
    goal["seen"] = said["seen"] = torch.tensor([True, False, True])
    apart = wide = total = 0.0
    for b in (0, 2):
        for y in range(2):
            for x in range(2):
                cell = (goal["heat"][b, :, y, x], said["heat"][b, :, y, x])
                apart += sum(bernoulli(g.item(), s.item()) for g, s in zip(*cell, strict=True))
                weight = cell[0].sigmoid().max().item()
                total += weight
                sides = (goal["sides"][b, :, y, x], said["sides"][b, :, y, x])
                wide += weight * (sides[0].log() - sides[1].log()).abs().mean().item()
    slow = (apart + wide) / max(1.0, total)
    assert distance(of(Locate), goal, said, HEAT).item() == pytest.approx(slow, rel=1e-5)


def bernoulli(goal: float, said: float) -> float:
    p, q = (1 / (1 + math.exp(-v)) for v in (goal, said))
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def test_summaries_are_in_units_of_their_spread() -> None:
    goal, seen = torch.randn(6, 4), torch.tensor([True] * 4 + [False] * 2)
    assert relative(goal, goal, seen).item() == 0.0
    mean = goal[:4].mean(0).expand(6, -1)
    assert relative(mean, goal, seen).item() == pytest.approx(1.0, rel=1e-5)
    assert relative(goal, goal, ~seen & False).item() == 0.0


def test_a_model_is_its_own_best_pupil(tmp_path: Any) -> None:
    model, learn, _ = learned(tmp_path, steps=2)
    batch, other = learn[0], copy.deepcopy(model)
    with torch.no_grad():
        same = distilling(model)(other, batch)
        for part in (other.tasks["kind"], other.encoder("note")):
            for p in part.parameters():
                p.add_(0.1 * torch.randn(p.shape))
        apart = distilling(model)(other, batch)
        without = distilling(model, summaries=0.0)(other, batch)
    assert set(same) == {"kind", "distil", "distil/note", "distil/table"}
    assert all(loss.item() < 1e-10 for loss in same.values())
    assert apart["kind"].item() > 0
    assert apart["distil/note"].item() > 0
    assert apart["distil/table"].item() < 1e-10
    assert set(without) == {"kind"}
    batch.targets["kind"]["y"].zero_()  # answers say nothing
    with torch.no_grad():
        assert distilling(model)(other, batch)["kind"].item() == apart["kind"].item()
