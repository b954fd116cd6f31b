"""Feature maps of a picture in, maps of boxes out; a second picture may show how it should look."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.tasks.heatmap import boxes_at, generalized_overlap, heat_loss, paint
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch, Fused, Tokens

WIDTH = 64  # channels of the neck and the tower
RARE = -4.6  # logit of the heat at the start: one cell in a hundred
SIDES_WEIGHT = 2.0


class Locate(Task):
    """A heat map a class and four distances a cell, at twice the resolution the convolutions work
    at.

    channels: widths of the maps of each picture's encoder, finest first. Raises JobError where an
    encoder has no maps (a frozen one keeps only its summary).
    """

    least = 1.0  # empty pictures have a loss too

    def __init__(
        self,
        name: str,
        options: config.Locate,
        target: Any,
        width: int,
        members: int,
        channels: Mapping[str, Sequence[int]],
    ) -> None:
        super().__init__(name)
        self.on, self.template = options.on, options.template
        self.names = tuple(target.names)
        for column in (self.on, self.template):
            if column is not None and not channels.get(column):
                raise JobError(
                    f"tasks.{name}: column '{column}' gives no feature maps to find boxes on. Use "
                    "an image column whose encoder is trained: tune: full or last_n."
                )
        self.neck = Neck(channels[self.on], channels[self.template] if self.template else ())
        self.row = nn.Linear(width, WIDTH)
        for part in (self.row.weight, self.row.bias):
            nn.init.zeros_(part)  # begins as the picture alone
        self.tower = nn.Sequential(convolve(WIDTH, WIDTH), convolve(WIDTH, WIDTH))
        self.head = nn.Conv2d(WIDTH, 4 * (len(self.names) + 4), 1)
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.bias.zero_()[: 4 * len(self.names)] = RARE

    @classmethod
    def build(
        cls,
        name: str,
        options: config.Locate,
        target: Any,
        width: int,
        members: int,
        *,
        label_smoothing: float,
        channels: Mapping[str, Sequence[int]],
    ) -> Self:
        """The head of one task; see `build_task`."""
        return cls(name, options, target, width, members, channels)

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """`heat` (B, C, H, W), logits; `sides` (B, 4, H, W), cells; `seen` (B,); `size` (B, 2)."""
        if tokens[self.on].maps:
            raw = self.head(self.look(fused, tokens, batch))
        else:  # no row has its picture, or the batch was not asked for it
            rows = fused.summary_BKD.shape[0]
            assert self.head.bias is not None
            raw = self.head.bias[None, :, None, None].expand(rows, -1, 1, 1)
        return self.spread(raw) | seen_of(self.on, fused, tokens, batch)

    def look(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Tensor:
        """What is seen at each cell, (B, WIDTH, H, W), of rows of which one has its picture."""
        x = self.neck(tokens[self.on].maps, *self._template(tokens, batch))
        row_BF11 = self.row(fused.summary_BKD.mean(1))[:, :, None, None]
        return self.tower(F.relu(x + row_BF11))

    def spread(self, raw: Tensor) -> Outputs:
        """`heat` and `sides` at twice the resolution."""
        out = F.pixel_shuffle(raw.float(), 2)
        heat, sides = out.split([len(self.names), 4], 1)
        return {"heat": heat, "sides": sides.clamp(-8, 8).exp()}

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """Focal loss of the heat and 1 - GIoU of the sides, a box; over rows that are known and
        seen.
        """
        rows = (target["known"] & outputs["seen"]).nonzero().squeeze(1)
        heat_NCHW, sides_N4HW = outputs["heat"][rows], outputs["sides"][rows]
        if not len(rows):
            return heat_NCHW.sum() + sides_N4HW.sum()
        height, width = heat_NCHW.shape[2:]
        size_N4 = outputs["size"][rows].repeat(1, 2).to(heat_NCHW.dtype)
        hot, apart, boxes = [], heat_NCHW.new_zeros(()), 0
        for i, row in enumerate(rows):
            real = target["classes"][row] >= 0
            goal_n4 = target["boxes"][row][real] / size_N4[i]
            painted = paint(goal_n4, target["classes"][row][real], len(self.names), height, width)
            sides_P4 = sides_N4HW[i].flatten(1)[:, painted.cell_P].T
            found_P4 = boxes_at(sides_P4, painted.cell_P, width)
            unlike_P = 1 - generalized_overlap(found_P4, painted.box_P4)
            apart = apart + (unlike_P * painted.weight_P).sum()
            hot.append(painted.heat_CHW)
            boxes += len(goal_n4)
        return (heat_loss(heat_NCHW, torch.stack(hot)) + SIDES_WEIGHT * apart) / max(1, boxes)

    def count(self, outputs: Outputs, target: Target) -> Tensor:
        """Boxes of rows that are known and seen."""
        return (target["classes"][target["known"] & outputs["seen"]] >= 0).sum()

    def _template(
        self, tokens: Mapping[str, Tokens], batch: Batch
    ) -> tuple[tuple[Tensor, ...] | None, Tensor | None]:
        """Maps of the second picture and which rows have it; (None, None) where no row does."""
        if self.template is None or not tokens[self.template].maps:
            return None, None
        return tokens[self.template].maps, batch.present[self.template]


def seen_of(on: str, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
    """`seen` (B,), which rows have the picture, and its `size` (B, 2), pixels."""
    if tokens[on].maps:
        return {"seen": batch.present[on], "size": batch.values[on]["size"]}
    z = fused.summary_BKD
    seen_B = torch.zeros(z.shape[0], dtype=torch.bool, device=z.device)
    return {"seen": seen_B, "size": batch.values.get(on, {}).get("size", z.new_ones(z.shape[0], 2))}


class Neck(nn.Module):
    """Maps of several resolutions in, one out: at half the finest resolution, or at the only one.

    With a second picture, each level holds its map, the other's, and what differs between them; the
    last two are zero where a row has no second picture.
    """

    def __init__(self, channels: Sequence[int], template: Sequence[int]) -> None:
        super().__init__()
        self.compares = bool(template)
        # An encoder with fewer maps lends its coarsest one to the levels that it lacks.
        self.pair = [min(i, len(template) - 1) for i in range(len(channels))] if template else []
        self.align = nn.ModuleList(
            [
                nn.Identity()
                if channels[i] == template[p]
                else nn.Conv2d(template[p], channels[i], 1)
                for i, p in enumerate(self.pair)
            ]
        )
        self.base = min(1, len(channels) - 1)
        inward = [c * (3 if template else 1) for c in channels]
        self.levels = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(c, WIDTH // 2, 1), nn.ReLU(), shrink(WIDTH // 2, WIDTH))
                if i < self.base
                else nn.Conv2d(c, WIDTH, 1)
                for i, c in enumerate(inward)
            ]
        )
        self.norm = nn.GroupNorm(8, WIDTH)

    def forward(
        self,
        maps: Sequence[Tensor],
        others: Sequence[Tensor] | None = None,
        has_B: Tensor | None = None,
    ) -> Tensor:
        """(B, WIDTH, H, W)."""
        if self.compares:
            maps = [self._beside(i, m, others, has_B) for i, m in enumerate(maps)]
        size = maps[self.base].shape[2:]
        total = 0.0
        for level, x in zip(self.levels, maps, strict=True):
            y = level(x)
            total = total + (y if y.shape[2:] == size else F.interpolate(y, size=size))
        return self.norm(total)

    def _beside(
        self, i: int, x: Tensor, others: Sequence[Tensor] | None, has_B: Tensor | None
    ) -> Tensor:
        if others is None or has_B is None:
            return torch.cat([x, torch.zeros_like(x), torch.zeros_like(x)], 1)
        other = self.align[i](others[self.pair[i]])
        if other.shape[2:] != x.shape[2:]:
            other = F.interpolate(other, size=x.shape[2:], mode="bilinear")
        has_B111 = has_B[:, None, None, None].to(x.dtype)
        return torch.cat([x, other * has_B111, (x - other).abs() * has_B111], 1)


def convolve(inward: int, outward: int) -> nn.Sequential:
    """3 x 3 convolution, norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inward, outward, 3, padding=1, bias=False), nn.GroupNorm(8, outward), nn.ReLU()
    )


def shrink(inward: int, outward: int) -> nn.Conv2d:
    """3 x 3 convolution to half the height and width."""
    return nn.Conv2d(inward, outward, 3, stride=2, padding=1)
