from typing import Any

import pytest
import torch
from torch import Tensor

from modalloy.job import config
from modalloy.learn import augment as module
from modalloy.learn.augment import Turns, augment, turn, turn_boxes, turn_sizes
from modalloy.model.tokens import Batch

ROWS = 16


def make_job(columns: dict[str, config.Column], tasks: dict[str, Any] | None = None) -> config.Job:
    tasks = tasks or {"y": config.Classify(target="y")}
    split = config.Split(random="stratified")
    return config.Job(table="t.csv", split=split, columns=columns, tasks=tasks)


def make_batch(values: dict[str, dict[str, Tensor]], **targets: dict[str, Tensor]) -> Batch:
    rows = len(next(iter(next(iter(values.values())).values())))
    return Batch(values, {n: torch.ones(rows, dtype=torch.bool) for n in values}, targets)


def pictures(pixels: int = 24) -> Tensor:
    ramp = torch.linspace(60, 180, pixels)
    smooth = (ramp[:, None] + ramp.flip(0)[None].mul(0.3)).expand(ROWS, 3, pixels, pixels)
    return smooth.clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("how", ["shift", "flip", "rotate"])
def test_pictures_change_a_little_and_stay_uint8(how: str) -> None:
    torch.manual_seed(0)
    x = pictures()
    batch = make_batch({"photo": {"pixels": x, "size": torch.full((ROWS, 2), 24.0)}})
    out = augment(batch, make_job({"photo": config.Image(augment=how)}))
    new = out.values["photo"]["pixels"]
    assert new.dtype == torch.uint8
    assert new.shape == x.shape
    assert torch.equal(batch.values["photo"]["pixels"], pictures())  # the batch given is untouched
    assert len(torch.unique(new.flatten(1), dim=0)) == ROWS  # each row in its own way
    if how == "shift":
        assert (new.float() - x.float()).abs().mean() < 40


def test_none_and_cached_features_are_left_alone() -> None:
    torch.manual_seed(0)
    values = {
        "still": {"pixels": pictures()},
        "kept": {"features": torch.randn(ROWS, 2, 4)},
        "sound": {"features": torch.randn(ROWS, 2, 4)},
        "number": {"x": torch.randn(ROWS, 3)},
    }
    columns: dict[str, config.Column] = {
        "still": config.Image(augment="none"),
        "kept": config.Image(augment="rotate"),
        "sound": config.Audio(),
    }
    out = augment(make_batch(values), make_job(columns))
    for name, tensors in values.items():
        for key, tensor in tensors.items():
            assert out.values[name][key] is tensor


def test_what_a_frozen_encoder_reads_is_left_alone() -> None:
    values = {
        "photo": {"pixels": pictures()},
        "sound": {"wave": torch.randn(ROWS, 400), "length": torch.full((ROWS,), 400)},
    }
    columns: dict[str, config.Column] = {
        "photo": config.Image(encoder="efficientnet_lite0", tune="frozen", augment="rotate"),
        "sound": config.Audio(encoder="whisper_tiny_en", tune="frozen", augment="mask"),
    }
    torch.manual_seed(0)
    out = augment(make_batch(values), make_job(columns))
    assert out.values["photo"]["pixels"] is values["photo"]["pixels"]
    assert out.values["sound"]["wave"] is values["sound"]["wave"]
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))  # nor was any chance drawn for it


def test_the_seed_decides() -> None:
    job = make_job({"photo": config.Image(augment="rotate")})
    batch = make_batch({"photo": {"pixels": pictures()}})
    seen = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        seen.append(augment(batch, job).values["photo"]["pixels"])
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


# --- boxes -------------------------------------------------------------------------------------


def mark(boxes_BN4: Tensor, size_B2: Tensor, pixels: int) -> Tensor:
    """Slow oracle: pictures that are bright exactly where the n-th box is, value n + 1."""
    out = torch.zeros(len(boxes_BN4), 1, pixels, pixels, dtype=torch.uint8)
    for row, boxes in enumerate(boxes_BN4):
        scale = pixels / size_B2[row].repeat(2)
        for n, box in enumerate(boxes):
            x1, y1, x2, y2 = (box * scale).round().long().tolist()
            out[row, 0, y1:y2, x1:x2] = 50 * (n + 1)
    return out


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_boxes_cover_the_same_pixels_after_every_turn(quarters: int, mirror: bool) -> None:
    size_B2 = torch.tensor([[64.0, 32.0], [32.0, 96.0]])  # wide and tall, squashed to 32 x 32
    boxes_BN4 = torch.tensor(
        [[[4.0, 2, 20, 10], [40, 20, 62, 31]], [[1.0, 3, 9, 30], [0, 0, 0, 0]]]
    )
    turns = Turns(torch.full((2,), quarters), torch.full((2,), mirror))
    turned = turn(mark(boxes_BN4, size_B2, 32), turns)
    boxes = turn_boxes(boxes_BN4, size_B2, turns)
    assert torch.equal(mark(boxes, turn_sizes(size_B2, turns), 32), turned)
    assert (boxes[..., 2:] >= boxes[..., :2]).all()
    assert (boxes[1, 1] == 0).all()


def unlit(monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, Tensor, Tensor]:
    """Wide pictures that show nothing but their boxes, the boxes and the sizes; light stays."""
    monkeypatch.setattr(module, "LIGHT", 0.0)
    monkeypatch.setattr(module, "CONTRAST", 0.0)
    size_B2 = torch.tensor([[64.0, 32.0]]).repeat(ROWS, 1)
    corner_BN2 = torch.rand(ROWS, 1, 2) * torch.tensor([30.0, 12.0])
    boxes_BN4 = (torch.cat([corner_BN2, corner_BN2 + 14], 2) / 2).round() * 2
    return mark(boxes_BN4, size_B2, 32), boxes_BN4, size_B2


@pytest.mark.parametrize("how", ["shift", "flip", "rotate"])
def test_picture_template_and_boxes_go_together(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    x, boxes_BN4, size_B2 = unlit(monkeypatch)
    job = make_job(
        {"photo": config.Image(augment=how), "good": config.Image(augment=how)},
        {"find": config.Locate(target="boxes", on="photo", template="good")},
    )
    values = {n: {"pixels": x, "size": size_B2} for n in ("photo", "good")}
    out = augment(make_batch(values, find={"boxes": boxes_BN4}), job)
    photo, good = out.values["photo"], out.values["good"]
    assert torch.equal(photo["pixels"], good["pixels"])
    assert torch.equal(photo["size"], good["size"])
    assert torch.equal(mark(out.targets["find"]["boxes"], photo["size"], 32), photo["pixels"])
    changed = not torch.equal(photo["pixels"], x)
    assert changed == (how != "shift")
    assert (photo["size"][:, 0] == 32).any() == (how == "rotate")


# Two tasks on one picture; one template of two pictures; a template that has boxes of its own.
COMPARED = [
    ({"a": ("photo", "good"), "b": ("photo", "best")}, ("photo", "good", "best")),
    ({"a": ("photo", "good"), "b": ("back", "good")}, ("photo", "back", "good")),
    ({"a": ("photo", "good"), "b": ("good", None)}, ("photo", "good")),
    ({"a": ("photo", "good"), "b": ("back", "best"), "c": ("back", "good")}, ("photo", "back")),
    ({"a": ("photo", "good"), "b": ("photo", None)}, ("photo", "good")),
]


@pytest.mark.parametrize(("tasks", "columns"), COMPARED)
def test_pictures_that_tasks_compare_turn_alike_with_all_their_boxes(
    tasks: dict[str, tuple[str, str | None]],
    columns: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    x, boxes_BN4, size_B2 = unlit(monkeypatch)
    every = sorted({c for pair in tasks.values() for c in pair if c is not None})
    job = make_job(
        {c: config.Image(augment="rotate") for c in every},
        {n: config.Locate(target=n, on=on, template=t) for n, (on, t) in tasks.items()},
    )
    values = {c: {"pixels": x, "size": size_B2} for c in every}
    out = augment(make_batch(values, **{n: {"boxes": boxes_BN4} for n in tasks}), job)
    first = out.values[columns[0]]
    assert not torch.equal(first["pixels"], x)
    for column in every:
        assert torch.equal(out.values[column]["pixels"], first["pixels"]), column
        assert torch.equal(out.values[column]["size"], first["size"]), column
    for task in tasks:
        assert torch.equal(mark(out.targets[task]["boxes"], first["size"], 32), first["pixels"])


def test_boxes_on_two_pictures_of_unlike_sizes_follow_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    x, boxes_BN4, size_B2 = unlit(monkeypatch)
    job = make_job(
        {c: config.Image(augment="rotate") for c in ("photo", "back", "good")},
        {n: config.Locate(target=n, on=n, template="good") for n in ("photo", "back")},
    )
    twice = {"pixels": x, "size": size_B2 * 2}
    values = {"photo": {"pixels": x, "size": size_B2}, "back": twice, "good": twice}
    targets = {"photo": {"boxes": boxes_BN4}, "back": {"boxes": boxes_BN4 * 2}}
    out = augment(make_batch(values, **targets), job)
    for task in targets:
        own = out.values[task]
        assert torch.equal(mark(out.targets[task]["boxes"], own["size"], 32), own["pixels"])
    assert torch.equal(out.values["photo"]["pixels"], out.values["back"]["pixels"])


def test_pictures_with_one_template_are_turned_as_the_milder_of_them_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    x, boxes_BN4, size_B2 = unlit(monkeypatch)
    for milder, turned in (("none", False), ("flip", True)):
        how = {"photo": config.Image(augment="rotate"), "back": config.Image(augment=milder)}
        job = make_job(
            {**how, "good": config.Image()},
            {n: config.Locate(target=n, on=n, template="good") for n in how},
        )
        values = {c: {"pixels": x, "size": size_B2} for c in job.columns}
        out = augment(make_batch(values, **{n: {"boxes": boxes_BN4} for n in how}), job)
        assert torch.equal(out.values["photo"]["pixels"], x) != turned
        assert torch.equal(out.values["photo"]["size"], size_B2)  # no quarter turn


# --- sounds and series -------------------------------------------------------------------------


def test_sound_is_silenced_in_stretches_inside_its_length() -> None:
    torch.manual_seed(0)
    length_B = torch.tensor([1000, 400])
    wave_BL = torch.ones(2, 1000) * (torch.arange(1000) < length_B[:, None])
    values = {"sound": {"wave": wave_BL, "length": length_B}}
    out = augment(make_batch(values), make_job({"sound": config.Audio()})).values["sound"]["wave"]
    for row, length in enumerate(length_B.tolist()):
        loud = out[row, :length]
        level = loud.max()
        assert 0.5 <= level <= 2.0
        assert set(torch.unique(loud).tolist()) <= {0.0, level.item()}
        assert 0.0 < (loud == 0).float().mean() <= 0.21
        assert (out[row, length:] == 0).all()


def test_gain_scales_each_channel() -> None:
    torch.manual_seed(0)
    x_BCL = torch.randn(8, 3, 50)
    values = {"s": {"x": x_BCL, "mask": torch.ones(8, 50).bool(), "speed_hz": torch.zeros(8)}}
    out = augment(make_batch(values), make_job({"s": config.Series(augment="gain")})).values["s"]
    ratio_BCL = out["x"] / x_BCL
    assert torch.allclose(ratio_BCL, ratio_BCL[..., :1].expand_as(ratio_BCL), rtol=1e-4)
    assert ratio_BCL.min() > 1 / 1.41
    assert ratio_BCL.max() < 1.41
    assert len(torch.unique(ratio_BCL[..., 0].round(decimals=4))) == 24


def test_jitter_drops_the_start_and_keeps_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(module, "NOISE", 0.0)
    monkeypatch.setattr(module, "CHANNEL_GAIN", 0.0)
    x_BCL = torch.arange(1.0, 101).expand(8, 2, 100).clone()
    mask_BL = torch.ones(8, 100).bool()
    mask_BL[:4, 60:] = False
    x_BCL = x_BCL * mask_BL[:, None]
    values = {"s": {"x": x_BCL, "mask": mask_BL, "speed_hz": torch.zeros(8)}}
    out = augment(make_batch(values), make_job({"s": config.Series(augment="jitter")})).values["s"]
    dropped = []
    for row, end in enumerate([60] * 4 + [100] * 4):
        kept = out["x"][row, 0][out["mask"][row]]
        assert kept[-1] == end
        assert torch.equal(kept, torch.arange(kept[0].item(), end + 1))
        dropped.append(end - len(kept))
        assert (out["x"][row, :, len(kept) :] == 0).all()
    assert 0 < max(dropped) <= 10


def test_jitter_adds_noise_to_samples_that_exist() -> None:
    torch.manual_seed(0)
    mask_BL = torch.arange(200)[None] < 150
    values = {"s": {"x": torch.zeros(1, 1, 200), "mask": mask_BL, "speed_hz": torch.zeros(1)}}
    out = augment(make_batch(values), make_job({"s": config.Series(augment="jitter")})).values["s"]
    noise = out["x"][0, 0][out["mask"][0]]
    assert 0.05 < noise.std() < 0.2
    assert (out["x"][0, 0][~out["mask"][0]] == 0).all()
