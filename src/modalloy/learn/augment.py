"""Augmentation: the rows of a training batch seen slightly otherwise, as their answers allow.

Each column says how in its `augment` option. All chance comes from torch's global generator, which
the training loop seeds for each step. What a frozen encoder reads is left as it is, whether its
features came with the batch or not.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.job import config
from modalloy.model.tokens import Batch

Values = dict[str, Tensor]

MILDER = ("none", "shift", "flip", "rotate")
SHIFT = 0.06  # of the picture's width
SCALE = 0.1
TURN = 5.0  # degrees
LIGHT = 0.1  # of full brightness
CONTRAST = 0.2
STRETCHES = 2  # of a recording that are silenced
STRETCH = 0.1  # of a recording, the longest one of them
GAIN = math.log(2.0)  # of a recording: half to double
CHANNEL_GAIN = math.log(1.4)  # of a series' channel
NOISE = 0.1  # of a series, in its standardised unit
DROPPED = 0.1  # of a series' samples, at its start


class Turns(NamedTuple):
    """What happens to the pictures of each row: quarter turns against the clock, then a mirror."""

    quarters_B: Tensor
    mirror_B: Tensor


def augmenting(job: config.Job) -> Callable[[Batch], Batch]:
    """The views of a job's batches: `augment` as its columns ask."""
    return partial(augment, job=job)


def augment(batch: Batch, job: config.Job) -> Batch:
    """The batch with changed pictures (and the boxes on them), recordings and series."""
    values, targets = dict(batch.values), dict(batch.targets)
    marked = {n: t.pictures[0] for n, t in job.tasks.items() if t.pictures}
    groups = turned_together(job)
    for name in batch.values:
        options = job.columns.get(name)
        if options is None or "features" in values[name] or is_frozen(options):
            continue
        match options:
            case config.Image():
                together = next((g for g in groups if name in g), [name])
                if name != together[0]:  # turned with the first of its group
                    continue
                tasks = {n: on for n, on in marked.items() if on in together and n in targets}
                how = mildest(job, [name, *tasks.values()])
                if how != "none":
                    change_pictures(values, targets, together, tasks, how)
            case config.Audio(augment="mask", resonances=0):
                values[name] = change_wave(values[name])
            case config.Series() if options.augment != "none":
                values[name] = change_series(values[name], options.augment == "jitter")
            case _:
                pass
    return Batch(values, batch.present, targets, batch.rows)


def is_frozen(options: config.Column) -> bool:
    """Whether a pretrained encoder that does not change reads the column."""
    if not isinstance(options, config.Trunk) or options.encoder == "scratch":
        return False
    return options.tune == "frozen"


# --- pictures ----------------------------------------------------------------------------------


def turned_together(job: config.Job) -> list[list[str]]:
    """Groups of pictures that `locate` tasks compare, through however many tasks; in each group
    the pictures that boxes lie on come first, then templates that are nothing else.
    """
    compared = [task.pictures for task in job.tasks.values() if task.pictures]
    groups: list[set[str]] = []
    for own in map(set, compared):
        met = [g for g in groups if g & own]
        groups = [*(g for g in groups if g not in met), own.union(*met)]
    others = (c for pictures in compared for c in pictures[1:])
    order = list(dict.fromkeys([*(pictures[0] for pictures in compared), *others]))
    return [[c for c in order if c in group] for group in groups]


def mildest(job: config.Job, columns: Sequence[str]) -> str:
    """What all of these pictures allow to be done to them."""
    asked = {o.augment for c in columns if isinstance(o := job.columns[c], config.Image)}
    return min(asked, key=MILDER.index)


def change_pictures(
    values: dict[str, Values],
    targets: dict[str, Values],
    columns: list[str],
    tasks: dict[str, str],
    how: str,
) -> None:
    """Turn, mirror, light and (without boxes) shift pictures that belong together, all alike.

    tasks: those whose boxes lie on one of the pictures, each with the column of that picture.
    Boxes are never shifted or scaled: what leaves the picture could not be marked rightly.
    """
    pictures = [values[c] for c in columns]
    turns = draw_turns(len(pictures[0]["pixels"]), how)
    for column, picture in zip(columns, pictures, strict=True):
        pixels = turn(picture["pixels"], turns)
        geometry = None if tasks else draw_affine(len(pixels))
        changed = {**picture, "pixels": relight(pixels, geometry)}
        if "size" in picture:
            changed["size"] = turn_sizes(picture["size"], turns)
        values[column] = changed
    for task, on in tasks.items():
        boxes_BN4, size_B2 = targets[task]["boxes"], pictures[columns.index(on)]["size"]
        targets[task] = {**targets[task], "boxes": turn_boxes(boxes_BN4, size_B2, turns)}


def draw_turns(rows: int, how: str) -> Turns:
    """`flip` mirrors half of the rows, `rotate` also turns them, `shift` neither."""
    quarters_B = torch.randint(0, 4, (rows,)) if how == "rotate" else torch.zeros(rows).long()
    mirror_B = torch.rand(rows) < (0.0 if how == "shift" else 0.5)
    return Turns(quarters_B, mirror_B)


def turn(pixels_BCPP: Tensor, turns: Turns) -> Tensor:
    """Square pictures, turned and mirrored row by row."""
    out = pixels_BCPP.clone()
    for quarters in (1, 2, 3):
        rows = (turns.quarters_B == quarters).nonzero().squeeze(1).to(out.device)
        if len(rows):
            out[rows] = torch.rot90(pixels_BCPP[rows], quarters, (2, 3))
    rows = turns.mirror_B.nonzero().squeeze(1).to(out.device)
    if len(rows):
        out[rows] = out[rows].flip(3)
    return out


def turn_sizes(size_B2: Tensor, turns: Turns) -> Tensor:
    """Width and height change places with an odd number of quarter turns."""
    odd_B1 = (turns.quarters_B % 2 == 1)[:, None].to(size_B2.device)
    return torch.where(odd_B1, size_B2.flip(1), size_B2)


def turn_boxes(boxes_BN4: Tensor, size_B2: Tensor, turns: Turns) -> Tensor:
    """Boxes x1 y1 x2 y2 in pixels of pictures that were (width, height) before the turns."""
    x1, y1, x2, y2 = boxes_BN4.unbind(2)
    width_B1, height_B1 = size_B2[:, :1], size_B2[:, 1:]
    quarters_B1 = turns.quarters_B[:, None].to(boxes_BN4.device)
    for quarter in range(3):
        now = quarters_B1 > quarter
        turned = (y1, width_B1 - x2, y2, width_B1 - x1)
        x1, y1, x2, y2 = (
            torch.where(now, new, old) for new, old in zip(turned, (x1, y1, x2, y2), strict=True)
        )
        width_B1, height_B1 = (
            torch.where(now, height_B1, width_B1),
            torch.where(now, width_B1, height_B1),
        )
    mirror_B1 = turns.mirror_B[:, None].to(boxes_BN4.device)
    x1, x2 = torch.where(mirror_B1, width_B1 - x2, x1), torch.where(mirror_B1, width_B1 - x1, x2)
    empty_BN = (boxes_BN4 == 0).all(2)  # padding
    return torch.stack([x1, y1, x2, y2], 2).masked_fill(empty_BN[..., None], 0.0)


def draw_affine(rows: int) -> Tensor:
    """Small random shifts, scales and turns, (B, 2, 3), from a new place to the old one."""
    angle_B = torch.deg2rad(uniform(rows, TURN))
    scale_B = 1 + uniform(rows, SCALE)
    cos_B, sin_B = angle_B.cos() * scale_B, angle_B.sin() * scale_B
    x_B, y_B = uniform(rows, 2 * SHIFT), uniform(rows, 2 * SHIFT)  # the grid goes from -1 to 1
    return torch.stack([cos_B, -sin_B, x_B, sin_B, cos_B, y_B], 1).unflatten(1, (2, 3))


def relight(pixels_BCPP: Tensor, affine_B23: Tensor | None) -> Tensor:
    """Other brightness and contrast, and where asked an affine change; uint8 stays uint8."""
    rows = len(pixels_BCPP)
    gain_B, offset_B = 1 + uniform(rows, CONTRAST), uniform(rows, LIGHT)
    x = pixels_BCPP.float()
    if affine_B23 is not None:
        grid = F.affine_grid(affine_B23.to(x.device), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    middle_B = x.mean((1, 2, 3)) if rows else x.new_zeros(0)
    gain_B, offset_B = gain_B.to(x.device), offset_B.to(x.device) * 255
    add_B = middle_B * (1 - gain_B) + offset_B
    x = x.mul_(gain_B[:, None, None, None]).add_(add_B[:, None, None, None])
    return x.clamp_(0, 255).round_().to(pixels_BCPP.dtype)


# --- sounds and series -------------------------------------------------------------------------


def change_wave(values: Values) -> Values:
    """Random loudness, and stretches of silence (time masks, Park et al. 2019, 1904.08779)."""
    wave_BL, length_B = values["wave"], values["length"]
    rows, device = len(wave_BL), wave_BL.device
    places_L = torch.arange(wave_BL.shape[1], device=device)
    wave_BL = wave_BL * uniform(rows, GAIN).exp().to(device)[:, None]
    for _ in range(STRETCHES):
        long_B = torch.rand(rows).to(device) * STRETCH * length_B
        start_B1 = (torch.rand(rows).to(device) * (length_B - long_B))[:, None]
        hidden_BL = (places_L >= start_B1) & (places_L < start_B1 + long_B[:, None])
        wave_BL = wave_BL.masked_fill(hidden_BL, 0.0)
    return {**values, "wave": wave_BL}


def change_series(values: Values, jitter: bool) -> Values:
    """Random gain of each channel; with jitter also noise, and up to a tenth of the start left out.

    The end stays where it is, because what a series predicts lies after it.
    """
    x_BCL, mask_BL = values["x"], values["mask"]
    rows, channels, length = x_BCL.shape
    gain_BC = uniform(rows * channels, CHANNEL_GAIN).exp().view(rows, channels)
    x_BCL = x_BCL * gain_BC.to(x_BCL.device)[..., None]
    if jitter:
        noise_BCL = torch.randn(x_BCL.shape).to(x_BCL.device) * NOISE
        x_BCL = torch.where(mask_BL[:, None], x_BCL + noise_BCL, x_BCL)
        dropped_B = (torch.rand(rows).to(x_BCL.device) * DROPPED * mask_BL.sum(1)).long()
        places_BL = torch.arange(length, device=x_BCL.device) + dropped_B[:, None]
        inside_BL = places_BL.clamp_max(length - 1)
        mask_BL = mask_BL.gather(1, inside_BL) & (places_BL < length)
        x_BCL = x_BCL.gather(2, inside_BL[:, None].expand(-1, channels, -1)) * mask_BL[:, None]
    return {**values, "x": x_BCL, "mask": mask_BL}


def uniform(count: int, most: float) -> Tensor:
    """Random numbers between -most and most."""
    return (torch.rand(count) * 2 - 1) * most
