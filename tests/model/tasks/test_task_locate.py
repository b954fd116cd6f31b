"""The locating head: maps painted and read back, losses against loops, absent pictures."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.build import decode
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.judge.metrics.score import score
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.heatmap import bump, generalized_overlap, heat_loss, paint
from modalloy.model.tasks.locate import Locate
from modalloy.model.tokens import Batch, Fused, Tokens, arrays
from modalloy.readers.targets.locate import BoxTarget

D = 8
CHANNELS = (4, 6, 8)  # at strides 4, 8 and 16
NAMES = ("dent", "scratch")


TARGET = BoxTarget("defects", "boxes", "names", NAMES)


def answer_of(outputs: dict[str, Tensor], **options: Any) -> Answer:
    given = config.Locate(target="boxes", labels="names", on="photo", **options)
    return decode(given, TARGET, arrays(outputs))


def make_task(*, template: bool = False, channels: Any = CHANNELS, **options: Any) -> Locate:
    options_ = config.Locate(
        target="boxes", labels="names", on="photo", template="good" if template else None, **options
    )
    found = {"photo": channels, "good": channels}
    task = build_task("defects", options_, TARGET, D, 1, 0.0, found)
    assert isinstance(task, Locate)
    return task


def make_maps(rows: int, seed: int = 0, side: int = 8) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn(rows, c, side >> i, side >> i, generator=generator)
        for i, c in enumerate(CHANNELS)
    )


def make_tokens(maps: tuple[Tensor, ...], rows: int) -> Tokens:
    z = torch.zeros(rows, D)
    return Tokens(z.unsqueeze(1), torch.ones(rows, 1, dtype=torch.bool), z, None, maps)


def make_batch(
    rows: int,
    boxes: list[list[list[float]]] | None = None,
    classes: list[list[int]] | None = None,
    *,
    known: list[bool] | None = None,
    present: list[bool] | None = None,
    template: list[bool] | None = None,
) -> Batch:
    size = torch.tensor([[64.0, 32.0]]).expand(rows, 2)
    every = [True] * rows
    batch = Batch(
        {"photo": {"size": size}, "good": {"size": size}},
        {"photo": torch.tensor(present or every), "good": torch.tensor(template or every)},
    )
    if boxes is not None:
        batch.targets["defects"] = {
            "boxes": torch.tensor(boxes, dtype=torch.float32),
            "classes": torch.tensor(classes),
            "known": torch.tensor(known or every),
        }
    return batch


def fused(rows: int) -> Fused:
    return Fused(torch.randn(rows, 1, D, generator=torch.Generator().manual_seed(9)))


BOXES = [[[8.0, 4, 40, 20], [50, 20, 60, 30]], [[0, 0, 16, 8], [0, 0, 0, 0]]]
CLASSES = [[1, 0], [0, -1]]


def test_bump_by_hand() -> None:
    # Middle at 5.0, half a side is 4: cells up to 2.16 away, spread (2 * 2.16 + 1) / 6.
    found = bump(torch.tensor([1.0]), torch.tensor([9.0]), 10)[0]
    bell = [math.exp(-(d**2) / (2 * (5.32 / 6) ** 2)) for d in (2, 1, 0, 1, 2)]
    assert found.tolist() == pytest.approx([0, 0, 0, *bell, 0, 0], abs=1e-6)


def test_paint_agrees_with_a_loop() -> None:
    boxes = torch.tensor([[0.0, 0.1, 0.8, 0.9], [0.3, 0.3, 0.6, 0.7], [0.95, 0.9, 1.0, 1.0]])
    classes = torch.tensor([1, 0, 1])
    painted = paint(boxes, classes, 2, 12, 16)
    scaled = boxes * torch.tensor([16, 12, 16, 12])
    heat = np.zeros((2, 12, 16))
    owner: dict[int, tuple[float, float, int]] = {}
    for b, box in enumerate(scaled):
        across, down = bump(box[:1], box[2:3], 16)[0], bump(box[1:2], box[3:], 12)[0]
        area = ((box[2] - box[0]) * (box[3] - box[1])).item()
        for y in range(12):
            for x in range(16):
                near = (across[x] * down[y]).item()
                heat[classes[b], y, x] = max(heat[classes[b], y, x], near)
                if near > 0 and (-near, area) < owner.get(y * 16 + x, (0.0, 0.0, 0))[:2]:
                    owner[y * 16 + x] = (-near, area, b)
    assert painted.heat_CHW.numpy() == pytest.approx(heat, abs=1e-6)
    assert painted.cell_P.tolist() == sorted(owner)
    totals = [sum(-n for n, _, o in owner.values() if o == b) for b in range(3)]
    for cell, box, weight in zip(*painted[1:], strict=True):
        near, _, b = owner[int(cell)]
        assert torch.equal(box, scaled[b])
        assert weight.item() == pytest.approx(-near / totals[b], rel=1e-5)
    assert painted.weight_P.sum().item() == pytest.approx(3.0)
    assert (painted.heat_CHW == 1).sum() == 3


def test_a_tiny_box_is_painted_at_its_middle() -> None:
    painted = paint(torch.tensor([[0.5, 0.5, 0.51, 0.51]]), torch.tensor([0]), 1, 4, 4)
    assert painted.cell_P.tolist() == [10]
    assert painted.heat_CHW.flatten().nonzero().tolist() == [[10]]


def test_a_picture_without_boxes_is_cold() -> None:
    painted = paint(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), 2, 4, 4)
    assert painted.heat_CHW.sum() == 0
    assert len(painted.cell_P) == 0


def test_heat_loss_agrees_with_a_loop() -> None:
    logits, heat = torch.randn(2, 3, 3), torch.rand(2, 3, 3)
    heat[0, 1, 1] = heat[1, 0, 2] = 1.0
    expected = 0.0
    for x, y in zip(logits.flatten().tolist(), heat.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-x))
        if y == 1.0:
            expected -= (1 - p) ** 2 * math.log(p)
        else:
            expected -= (1 - y) ** 4 * p**2 * math.log(1 - p)
    assert heat_loss(logits, heat).item() == pytest.approx(expected, rel=1e-5)


def test_generalized_overlap_by_hand() -> None:
    a = torch.tensor([[0.0, 0, 2, 2]] * 3)
    b = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2], [4, 0, 6, 2]])
    # Apart by two: nothing in common, union 8, the box around both 12.
    assert generalized_overlap(a, b).tolist() == pytest.approx([1.0, 1 / 3, -1 / 3])


def perfect_outputs(batch: Batch, side: int = 16) -> dict[str, Tensor]:
    """Maps that say exactly what the batch's boxes ask for."""
    target, rows = batch.targets["defects"], len(batch)
    heat, sides = torch.full((rows, 2, side, side), -12.0), torch.ones(rows, 4, side, side)
    for i in range(rows):
        real = target["classes"][i] >= 0
        boxes = target["boxes"][i][real] / batch.values["photo"]["size"][i].repeat(2)
        painted = paint(boxes, target["classes"][i][real], 2, side, side)
        heat[i][painted.heat_CHW == 1] = 12.0
        middle = torch.stack([painted.cell_P % side, painted.cell_P // side], 1) + 0.5
        low, high = middle - painted.box_P4[:, :2], painted.box_P4[:, 2:] - middle
        sides[i].flatten(1)[:, painted.cell_P] = torch.cat([low, high], 1).T
    seen = batch.present["photo"]
    return {"heat": heat, "sides": sides, "seen": seen, "size": batch.values["photo"]["size"]}


def test_what_is_painted_is_read_back_in_pixels() -> None:
    batch = make_batch(2, BOXES, CLASSES)
    task = make_task()
    outputs = perfect_outputs(batch)
    answer = answer_of(outputs)
    # Both are as sure: the one whose map comes first is named first.
    assert answer["names"].tolist() == [["dent", "scratch"], ["dent"]]
    found = sorted(answer["boxes"][0].tolist())
    assert found == [pytest.approx(b, abs=1e-3) for b in sorted(BOXES[0])]
    assert answer["boxes"][1][0].tolist() == pytest.approx(BOXES[1][0], abs=1e-3)
    assert task.loss(outputs, batch.targets["defects"]).item() < 0.01
    truth = [
        {"boxes": b[: len(n)], "names": n}
        for b, n in zip(BOXES, [["scratch", "dent"], ["dent"]], strict=True)
    ]
    assert score(config.Locate(target="b", on="p"), truth, answer)["map50_95"] > 0.99


def test_loss_agrees_with_a_loop() -> None:
    batch = make_batch(2, BOXES, CLASSES)
    task = make_task()
    outputs = task(fused(2), {"photo": make_tokens(make_maps(2), 2)}, batch)
    heat, sides = outputs["heat"], outputs["sides"]
    assert heat.shape == (2, 2, 8, 8)
    expected = 0.0
    for i in range(2):
        count = sum(c >= 0 for c in CLASSES[i])
        boxes = torch.tensor(BOXES[i][:count]) / torch.tensor([64.0, 32, 64, 32])
        painted = paint(boxes, torch.tensor(CLASSES[i][:count]), 2, 8, 8)
        expected += heat_loss(heat[i], painted.heat_CHW).item()
        for cell, box, weight in zip(*painted[1:], strict=True):
            y, x = divmod(int(cell), 8)
            left, top, right, bottom = sides[i, :, y, x]
            found = torch.stack([x + 0.5 - left, y + 0.5 - top, x + 0.5 + right, y + 0.5 + bottom])
            unlike = 1 - generalized_overlap(found[None], box[None])
            expected += 2.0 * (weight * unlike).item()
    assert task.loss(outputs, batch.targets["defects"]).item() == pytest.approx(
        expected / 3, rel=1e-4
    )


def test_unknown_and_absent_rows_teach_nothing() -> None:
    task = make_task()
    maps = tuple(m.requires_grad_() for m in make_maps(3))
    boxes, classes = [*BOXES, BOXES[0]], [*CLASSES, CLASSES[0]]
    batch = make_batch(3, boxes, classes, known=[True, False, True], present=[True, True, False])
    task.loss(
        task(fused(3), {"photo": make_tokens(maps, 3)}, batch), batch.targets["defects"]
    ).backward()
    assert maps[0].grad is not None
    assert (maps[0].grad[1:] == 0).all()
    assert (maps[0].grad[0] != 0).any()


@pytest.mark.parametrize("whole", [True, False])
def test_no_known_row_costs_exactly_nothing(whole: bool) -> None:
    task = make_task()
    batch = make_batch(2, BOXES, CLASSES, known=[False, False])
    maps = make_maps(2) if whole else ()  # () is how an encoder says that no row has its picture
    loss = task.loss(
        task(fused(2), {"photo": make_tokens(maps, 2)}, batch), batch.targets["defects"]
    )
    assert loss.item() == 0.0
    loss.backward()
    assert task.head.bias.grad is not None
    assert (task.head.bias.grad == 0).all()


def test_a_known_picture_without_boxes_teaches_that_nothing_is_there() -> None:
    task = make_task()
    batch = make_batch(1, [[[0.0, 0, 0, 0]]], [[-1]])
    loss = task.loss(
        task(fused(1), {"photo": make_tokens(make_maps(1), 1)}, batch), batch.targets["defects"]
    )
    assert loss.item() > 0


def test_absent_pictures_have_no_boxes() -> None:
    task = make_task()
    tokens = {"photo": make_tokens(make_maps(2), 2)}
    task.head.bias.data[:8] = 3.0  # sure of itself everywhere
    answer = answer_of(task(fused(2), tokens, make_batch(2, present=[False, True])))
    assert len(answer["boxes"][0]) == 0
    assert answer["names"][0] == []
    assert len(answer["boxes"][1]) > 0
    hidden = answer_of(task(fused(2), {"photo": make_tokens((), 2)}, make_batch(2)))
    assert [len(b) for b in hidden["boxes"]] == [0, 0]


@pytest.mark.parametrize("template", [False, True])
def test_a_row_alone_is_answered_as_in_a_batch(template: bool) -> None:
    task = make_task(template=template).eval()
    nn.init.normal_(task.head.weight, std=0.3)
    maps, good = make_maps(3), make_maps(3, seed=1)
    z = fused(3)

    def answer(rows: slice) -> Answer:
        n = len(range(3)[rows])
        tokens = {
            "photo": make_tokens(tuple(m[rows] for m in maps), n),
            "good": make_tokens(tuple(m[rows] for m in good), n),
        }
        return answer_of(task(Fused(z.summary_BKD[rows]), tokens, make_batch(n)))

    whole, alone = answer(slice(0, 3)), answer(slice(1, 2))
    assert len(whole["boxes"][1]) > 0
    assert alone["names"][0] == whole["names"][1]
    assert alone["boxes"][0] == pytest.approx(whole["boxes"][1], abs=1e-3)


def test_a_missing_template_answers_the_same_whatever_its_neighbours() -> None:
    task = make_task(template=True).eval()
    maps, good = make_maps(2), make_maps(2, seed=1)
    good = tuple(g * torch.tensor([1.0, 0.0])[:, None, None, None] for g in good)
    z = fused(2)
    photo = make_tokens(maps, 2)
    mixed = task(
        z, {"photo": photo, "good": make_tokens(good, 2)}, make_batch(2, template=[True, False])
    )
    none = task(
        z, {"photo": photo, "good": make_tokens((), 2)}, make_batch(2, template=[False] * 2)
    )
    assert torch.allclose(mixed["heat"][1], none["heat"][1], atol=1e-5)
    assert not torch.allclose(mixed["heat"][0], none["heat"][0], atol=1e-3)


def test_the_template_counts() -> None:
    task = make_task(template=True)
    photo = make_tokens(make_maps(1), 1)
    heat = [
        task(
            fused(1), {"photo": photo, "good": make_tokens(make_maps(1, seed=s), 1)}, make_batch(1)
        )
        for s in (1, 2)
    ]
    assert not torch.allclose(heat[0]["heat"], heat[1]["heat"])


def test_other_columns_move_the_heat_once_learned() -> None:
    task = make_task()
    tokens = {"photo": make_tokens(make_maps(1), 1)}
    batch = make_batch(1, BOXES[:1], CLASSES[:1])
    task.loss(task(fused(1), tokens, batch), batch.targets["defects"]).backward()
    assert task.row.weight.grad is not None
    assert (task.row.weight.grad != 0).any()


@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 6, 8, 10)])
def test_any_number_of_maps_will_do(channels: tuple[int, ...]) -> None:
    task = make_task(channels=channels, template=True)
    # Odd sizes, as 100 pixels give: 25, 13, 7 and 4 cells.
    maps = tuple(torch.randn(1, c, s, s) for c, s in zip(channels, (25, 13, 7, 4), strict=False))
    tokens = {"photo": make_tokens(maps, 1), "good": make_tokens(maps, 1)}
    heat = task(fused(1), tokens, make_batch(1))["heat"]
    assert heat.shape[2:] == ((50, 50) if len(channels) == 1 else (26, 26))


def test_the_template_may_have_other_maps() -> None:
    options = config.Locate(target="boxes", labels="names", on="photo", template="good")
    channels = {"photo": CHANNELS, "good": (5,)}
    task = build_task("defects", options, TARGET, D, 1, 0.0, channels)
    tokens = {"photo": make_tokens(make_maps(1), 1)}
    other = [make_tokens((torch.randn(1, 5, 3, 3),), 1) for _ in range(2)]
    heat = [task(fused(1), {**tokens, "good": o}, make_batch(1))["heat"] for o in other]
    assert heat[0].shape == (1, 2, 8, 8)
    assert not torch.allclose(heat[0], heat[1])


def test_at_most_so_many_boxes_are_answered() -> None:
    heat = torch.full((1, 2, 9, 9), -9.0)
    heat[0, 0, 1::3, 1::3] = 2.0
    outputs = {
        "heat": heat,
        "sides": torch.ones(1, 4, 9, 9),
        "seen": torch.tensor([True]),
        "size": torch.tensor([[90.0, 90.0]]),
    }
    assert len(answer_of(outputs, max_boxes=2)["boxes"][0]) == 2
    assert len(answer_of(outputs)["boxes"][0]) == 9


def test_a_column_without_maps_is_refused() -> None:
    with pytest.raises(JobError, match=r"tasks.defects: column 'photo' gives no feature maps"):
        make_task(channels=())


def test_bright_squares_are_learned_from_scratch() -> None:
    torch.manual_seed(0)
    encoder = nn.ModuleList([nn.Conv2d(1, 4, 4, 4), nn.Conv2d(4, 6, 2, 2), nn.Conv2d(6, 8, 2, 2)])
    task = make_task()
    generator = np.random.default_rng(0)

    def draw(rows: int) -> tuple[Tensor, Batch]:
        corner = generator.integers(0, 44, (rows, 2))
        sides = generator.integers(10, 20, (rows, 2))
        boxes = np.concatenate([corner, corner + sides], 1).clip(0, 64).astype(np.float32)
        kind = generator.integers(0, 2, rows)
        pixels = torch.zeros(rows, 1, 64, 64)
        for picture, (x1, y1, x2, y2), k in zip(pixels, boxes.astype(int), kind, strict=True):
            picture[0, y1:y2, x1:x2] = 1.0 if k else -1.0
        batch = make_batch(rows, boxes[:, None].tolist(), kind[:, None].tolist())
        batch.values["photo"]["size"] = torch.full((rows, 2), 64.0)
        return pixels, batch

    def look(pixels: Tensor, batch: Batch) -> dict[str, Tensor]:
        maps, x = [], pixels
        for part in encoder:
            x = part(x)
            maps.append(x)
            x = x.relu()
        return task(fused(len(batch)), {"photo": make_tokens(tuple(maps), len(batch))}, batch)

    optimizer = torch.optim.Adam([*encoder.parameters(), *task.parameters()], lr=5e-3)
    for _ in range(60):
        pixels, batch = draw(8)
        optimizer.zero_grad()
        task.loss(look(pixels, batch), batch.targets["defects"]).backward()
        optimizer.step()
    pixels, batch = draw(40)
    answer = answer_of(look(pixels, batch))
    target = batch.targets["defects"]
    truth = [
        {"boxes": b, "names": [NAMES[c] for c in k]}
        for b, k in zip(target["boxes"].numpy(), target["classes"].tolist(), strict=True)
    ]
    assert score(config.Locate(target="b", on="p"), truth, answer)["map50"] > 0.5
