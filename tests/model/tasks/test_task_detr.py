"""Sets of boxes: matching against all permutations, losses against loops, learned squares."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from test_task_locate import (
    BOXES,
    CLASSES,
    D,
    fused,
    make_batch,
    make_maps,
    make_tokens,
)
from torch import Tensor, nn

from modalloy.answer.decoding.build import decode
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.judge.metrics.score import score
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.detr import Detr
from modalloy.model.tasks.matching import (
    APART,
    CLASS,
    NOTHING,
    OVERLAP,
    costs,
    generalized_overlaps,
    match,
    middles,
    set_loss,
)
from modalloy.model.tasks.set_decoder import LAYERS
from modalloy.model.tokens import Fused, arrays
from modalloy.readers.targets.locate import BoxTarget

NAMES = ("dent", "scratch")


def options_of(**options: Any) -> config.Locate:
    given = {"target": "boxes", "labels": "names", "on": "photo", "head": "detr", "queries": 6}
    return config.Locate(**given | options)


def make_task(*, most: int = 0, **options: Any) -> Detr:
    channels = {"photo": (4, 6, 8), "good": (4, 6, 8)}
    target = BoxTarget("defects", "boxes", "names", NAMES, most)
    task = build_task("defects", options_of(**options), target, D, 1, 0.0, channels)
    assert isinstance(task, Detr)
    return task


def draw_boxes(count: int) -> Tensor:
    middle, size = torch.rand(count, 2) * 0.6 + 0.2, torch.rand(count, 2) * 0.3 + 0.05
    return torch.cat([middle, size], 1)


def giou(a: list[float], b: list[float]) -> float:
    """By hand, of boxes by middle and size."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    left, right = max(ax - aw / 2, bx - bw / 2), min(ax + aw / 2, bx + bw / 2)
    top, bottom = max(ay - ah / 2, by - bh / 2), min(ay + ah / 2, by + bh / 2)
    common = max(0.0, right - left) * max(0.0, bottom - top)
    union = aw * ah + bw * bh - common
    wide = max(ax + aw / 2, bx + bw / 2) - min(ax - aw / 2, bx - bw / 2)
    high = max(ay + ah / 2, by + bh / 2) - min(ay - ah / 2, by - bh / 2)
    return common / union - (wide * high - union) / (wide * high)


def test_overlaps_of_all_pairs_by_hand_and_known_ones() -> None:
    a, b = draw_boxes(3), draw_boxes(4)
    found = generalized_overlaps(a, b)
    for i in range(3):
        for j in range(4):
            assert found[i, j].item() == pytest.approx(giou(a[i].tolist(), b[j].tolist()), abs=1e-5)
    # The same box, half of it, and one that lies two widths away: a third of both is empty.
    known = middles(torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2], [4, 0, 6, 2]]))
    assert generalized_overlaps(known[:1], known)[0].tolist() == pytest.approx([1, 1 / 3, -1 / 3])


@pytest.mark.parametrize("boxes", [1, 3, 5])
def test_matching_costs_as_little_as_the_best_permutation(boxes: int) -> None:
    logits, said, goal = torch.randn(5, 3) * 2, draw_boxes(5), draw_boxes(boxes)
    classes = torch.randint(0, 2, (boxes,))
    cost = costs(logits, said, goal, classes).numpy()
    best = min(sum(cost[q, b] for b, q in enumerate(p)) for p in permutations(range(5), boxes))
    query, box = match(logits, said, goal, classes)
    assert sorted(box.tolist()) == list(range(boxes))
    assert len(set(query.tolist())) == boxes
    assert cost[query, box].sum() == pytest.approx(best, abs=1e-5)


def test_costs_agree_with_a_loop() -> None:
    logits, said, goal, classes = torch.randn(4, 3), draw_boxes(4), draw_boxes(2), [1, 0]
    found = costs(logits, said, goal, torch.tensor(classes))
    for q in range(4):
        sure = np.exp(logits[q].numpy()) / np.exp(logits[q].numpy()).sum()
        for b in range(2):
            apart = sum(abs(x - y) for x, y in zip(said[q].tolist(), goal[b].tolist(), strict=True))
            overlap = giou(said[q].tolist(), goal[b].tolist())
            expected = APART * apart - OVERLAP * overlap - CLASS * sure[classes[b]]
            assert found[q, b].item() == pytest.approx(expected, abs=1e-4)


def test_the_loss_of_a_set_agrees_with_a_loop() -> None:
    logits, said = torch.randn(2, 4, 3), torch.stack([draw_boxes(4), draw_boxes(4)])
    goals = [(draw_boxes(2), torch.tensor([1, 0])), (torch.zeros(0, 4), torch.zeros(0).long())]
    expected = 0.0
    for i, (goal, classes) in enumerate(goals):
        p = logits[i].log_softmax(-1).tolist()
        pairs = dict(
            zip(*(x.tolist() for x in match(logits[i], said[i], goal, classes)), strict=True)
        )
        for q in range(4):
            if q not in pairs:
                expected -= NOTHING * p[q][2]
                continue
            b = pairs[q]
            expected -= CLASS * p[q][int(classes[b])]
            expected += APART * (said[i, q] - goal[b]).abs().sum().item()
            expected += OVERLAP * (1 - giou(said[i, q].tolist(), goal[b].tolist()))
    assert set_loss(logits, said, goals).item() == pytest.approx(expected, rel=1e-4)


def test_more_boxes_than_queries_are_refused_and_all_queries_taken_where_it_comes_to_that() -> None:
    with pytest.raises(
        JobError, match=r"holds 9 boxes, and 6 queries find 6 at most; set queries: 9"
    ):
        make_task(most=9)
    query, box = match(torch.randn(2, 3), draw_boxes(2), draw_boxes(3), torch.tensor([0, 1, 0]))
    assert (len(query), len(box)) == (2, 2)


def test_every_layer_and_the_dense_maps_learn() -> None:
    task = make_task()
    batch = make_batch(2, BOXES, CLASSES)
    given = (fused(2), {"photo": make_tokens(make_maps(2), 2)}, batch)
    outputs = task(*given)
    assert outputs["logits"].shape == (2, 6, 3)
    assert outputs["early_boxes"].shape == (2, LAYERS - 1, 6, 4)
    task.loss(outputs, batch.targets["defects"]).backward()
    for layer in task.decoder.layers:
        assert layer.classify.weight.grad.abs().sum() > 0
        assert layer.move[2].weight.grad.abs().sum() > 0
    assert task.head.weight.grad.abs().sum() > 0
    assert "early_boxes" not in task.eval()(*given)
    assert task.count(outputs, batch.targets["defects"]).item() == 3


@pytest.mark.parametrize("whole", [True, False])
def test_no_known_row_costs_exactly_nothing(whole: bool) -> None:
    task = make_task()
    batch = make_batch(2, BOXES, CLASSES, known=[False, False])
    maps = make_maps(2) if whole else ()
    loss = task.loss(
        task(fused(2), {"photo": make_tokens(maps, 2)}, batch), batch.targets["defects"]
    )
    assert loss.item() == 0.0
    loss.backward()


def test_absent_pictures_have_no_boxes_and_rows_alone_answer_as_in_a_batch() -> None:
    task = make_task().eval()
    maps, z = make_maps(3), fused(3)

    def answer(rows: slice, present: list[bool]) -> Any:
        count = len(range(3)[rows])
        tokens = {"photo": make_tokens(tuple(m[rows] for m in maps), count)}
        batch = make_batch(count, present=present)
        out = task(Fused(z.summary_BKD[rows]), tokens, batch)
        return decode(options_of(), BoxTarget("d", "b", "n", NAMES), arrays(out))

    whole, alone = answer(slice(0, 3), [True, True, False]), answer(slice(1, 2), [True])
    assert len(whole["boxes"][2]) == 0
    assert len(whole["boxes"][1]) > 0
    assert alone["names"][0] == whole["names"][1]
    assert alone["boxes"][0] == pytest.approx(whole["boxes"][1], abs=1e-3)


def test_the_template_counts() -> None:
    task = make_task(template="good").eval()
    photo = make_tokens(make_maps(1), 1)
    others = [{"photo": photo, "good": make_tokens(make_maps(1, seed=s), 1)} for s in (1, 2)]
    one, other = (task(fused(1), tokens, make_batch(1))["boxes"] for tokens in others)
    assert not torch.allclose(one, other)


def test_bright_squares_are_learned_from_scratch() -> None:
    torch.manual_seed(0)
    encoder = nn.ModuleList([nn.Conv2d(1, 4, 4, 4), nn.Conv2d(4, 6, 2, 2), nn.Conv2d(6, 8, 2, 2)])
    task = make_task()
    draw = np.random.default_rng(0)

    def rows(count: int) -> tuple[Tensor, Any]:
        pictures, boxes, classes = torch.zeros(count, 1, 32, 64), [], []
        for i in range(count):
            left, top = int(draw.integers(0, 32)), int(draw.integers(0, 16))
            bright = int(draw.integers(0, 2))
            pictures[i, 0, top : top + 14, left : left + 14] = 1.0 + bright
            boxes.append([[left, top, left + 14.0, top + 14.0]])
            classes.append([bright])
        return pictures, make_batch(count, boxes, classes)

    def said(pictures: Tensor, batch: Any) -> dict[str, Tensor]:
        maps, x = [], pictures
        for layer in encoder:
            x = torch.relu(layer(x))
            maps.append(x)
        count = len(pictures)
        z = Fused(torch.zeros(count, 1, D))
        return task(z, {"photo": make_tokens(tuple(maps), count)}, batch)

    optimizer = torch.optim.AdamW([*encoder.parameters(), *task.parameters()], lr=3e-3)
    for _ in range(400):
        pictures, batch = rows(16)
        loss = task.loss(said(pictures, batch), batch.targets["defects"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pictures, batch = rows(40)
    task.eval()
    with torch.no_grad():
        answer = decode(
            options_of(), BoxTarget("d", "b", "n", NAMES), arrays(said(pictures, batch))
        )
    target = batch.targets["defects"]
    truth = [
        {"boxes": b.numpy(), "names": [NAMES[int(c)] for c in n]}
        for b, n in zip(target["boxes"], target["classes"], strict=True)
    ]
    assert score(options_of(), truth, answer)["map50"] > 0.8
