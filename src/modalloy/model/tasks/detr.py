"""Feature maps of a picture in, a set of boxes out, each said by one query (DETR, 2005.12872)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.tasks.locate import WIDTH, Locate, seen_of
from modalloy.model.tasks.matching import goals_of, middles, set_loss
from modalloy.model.tasks.set_decoder import SMALLEST, SetDecoder
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch, Fused, Tokens
from modalloy.model.trunks.detectors import Detector
from modalloy.readers.targets.locate import QUERIES, enough_queries

Said = list[tuple[Tensor, Tensor]]  # logits and boxes of each layer, the last one counts


class Sets(Task):
    """Either of the two ways to find sets of boxes."""

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
    ) -> Any:
        """The head of one task; see `build_task`. It goes on from a checkpoint's queries and
        decoder where the picture's encoder has them.
        """
        taken = channels.detectors.get(name) if isinstance(channels, Channels) else None
        if taken is not None:
            return TakenDetr(name, options, target, taken)
        return Detr(name, options, target, width, members, channels)


class Detr(Locate):
    """Queries that begin at the hottest places of the dense maps and refine these boxes.

    One query for each box gives a map little to learn from, and needs hundreds of passes; the dense
    maps beside it learn from every cell near a box (as the auxiliary heads of Zong et al. 2023,
    Co-DETR, 2211.12860), and propose the first boxes. No boxes are suppressed afterwards.
    """

    def __init__(
        self,
        name: str,
        options: config.Locate,
        target: Any,
        width: int,
        members: int,
        channels: Mapping[str, Sequence[int]],
    ) -> None:
        super().__init__(name, options, target, width, members, channels)
        self.queries = options.queries or QUERIES
        enough_queries(name, self.queries, target.most)
        self.norm = nn.LayerNorm(WIDTH)
        self.decoder = SetDecoder(WIDTH, len(self.names))

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """`logits` (B, Q, C + 1), the last class being nothing; `boxes` (B, Q, 4), middle and size
        as shares of the picture; `seen` and `size`; `heat` and `sides` of the dense maps. While it
        trains, `early` ones of the layers before: (B, L - 1, Q, ...).
        """
        if tokens[self.on].maps:
            x_BFHW = self.look(fused, tokens, batch)
        else:  # no row has its picture: what is said of an empty map counts for nothing
            x_BFHW = self.row.weight.new_zeros(fused.summary_BKD.shape[0], WIDTH, 2, 2)
        dense = self.spread(self.head(x_BFHW))
        x_BQF, boxes_BQ4 = self.propose(x_BFHW, dense)
        said = self.decoder(x_BQF, boxes_BQ4, x_BFHW)
        return told(said, early=self.training) | dense | seen_of(self.on, fused, tokens, batch)

    def propose(self, x_BFHW: Tensor, dense: Outputs) -> tuple[Tensor, Tensor]:
        """What each query begins with: the map at the hottest cells, and their boxes."""
        heat_BHW, sides = dense["heat"].detach().amax(1), dense["sides"].detach()
        height, width = heat_BHW.shape[1:]
        peak_BHW = F.max_pool2d(heat_BHW.unsqueeze(1), 3, 1, 1).squeeze(1)
        ranked_BN = torch.where(heat_BHW == peak_BHW, heat_BHW, heat_BHW - 100.0).flatten(1)
        cell_BQ = ranked_BN.topk(min(self.queries, height * width), 1).indices
        across, down = cell_BQ % width, torch.div(cell_BQ, width, rounding_mode="floor")
        middle_BQ2 = torch.stack([across, down], -1) + 0.5
        index = cell_BQ.unsqueeze(1).expand(-1, 4, -1)
        sides_BQ4 = sides.flatten(2).gather(2, index).transpose(1, 2)
        corner = [middle_BQ2 - sides_BQ4[..., :2], middle_BQ2 + sides_BQ4[..., 2:]]
        scale_4 = sides_BQ4.new_tensor([width, height, width, height])
        boxes_BQ4 = middles((torch.cat(corner, -1) / scale_4).clamp(0, 1)).clamp(min=SMALLEST)
        place_BQ = torch.div(down, 2, rounding_mode="floor") * (width // 2)
        place_BQ = place_BQ + torch.div(across, 2, rounding_mode="floor")
        index = place_BQ.unsqueeze(1).expand(-1, x_BFHW.shape[1], -1)
        x_BQF = x_BFHW.float().flatten(2).gather(2, index).transpose(1, 2)
        return self.norm(x_BQF), boxes_BQ4

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """That of the sets of all layers and of the dense maps, a box; over rows that are known and
        seen.
        """
        return sets_loss(outputs, target) + super().loss(outputs, target)


class TakenDetr(Sets):
    """The queries, the decoder and the box heads of a DETR or RT-DETR checkpoint."""

    least = 1.0  # empty pictures have a loss too

    def __init__(self, name: str, options: config.Locate, target: Any, taken: Detector) -> None:
        super().__init__(name)
        self.on, self.names = options.on, tuple(target.names)
        if options.template is not None:
            raise JobError(
                f"tasks.{name}.template: the decoder of a checkpoint looks at one picture; take "
                "the template away, or an encoder that is no DETR"
            )
        if options.queries is not None:
            taken.take_queries(options.queries, name)
        enough_queries(name, taken.queries, target.most)
        self.trunk = taken

    @property
    def taken(self) -> Detector:
        """The checkpoint's part."""
        assert isinstance(self.trunk, Detector)
        return self.trunk

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """As `Detr` has it, without dense maps."""
        found = seen_of(self.on, fused, tokens, batch)
        if tokens[self.on].maps:
            return told(self.taken(tokens[self.on].maps), early=self.training) | found
        rows = fused.summary_BKD.shape[0]
        zero = torch.stack([p.flatten()[0] for p in self.taken.parameters()]).sum() * 0.0
        logits = zero.expand(rows, 1, len(self.names) + 1)
        return {"logits": logits, "boxes": zero.expand(rows, 1, 4)} | found

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """That of the sets of all layers, a box; over rows that are known and seen."""
        return sets_loss(outputs, target)

    def count(self, outputs: Outputs, target: Target) -> Tensor:
        """Boxes of rows that are known and seen."""
        return (target["classes"][target["known"] & outputs["seen"]] >= 0).sum()


class Channels(dict[str, Sequence[int]]):
    """Widths of the maps of each picture's encoder, finest first.

    detectors: task -> what finds boxes in the checkpoint that its picture's encoder is from.
    """

    def __init__(self, widths: Mapping[str, Sequence[int]], detectors: dict[str, Detector]) -> None:
        super().__init__(widths)
        self.detectors = detectors


def told(said: Said, *, early: bool) -> Outputs:
    """The last layer's logits and boxes, and those of the others where they are to learn."""
    found = {"logits": said[-1][0].float(), "boxes": said[-1][1].float()}
    if early and len(said) > 1:
        found["early_logits"] = torch.stack([s.float() for s, _ in said[:-1]], 1)
        found["early_boxes"] = torch.stack([b.float() for _, b in said[:-1]], 1)
    return found


def sets_loss(outputs: Outputs, target: Target) -> Tensor:
    """Loss of the sets that all layers said, a box; see `matching.py`."""
    rows = (target["known"] & outputs["seen"]).nonzero().squeeze(1)
    layers = [(outputs["logits"][rows], outputs["boxes"][rows])]
    if "early_logits" in outputs:
        pair = outputs["early_logits"][rows], outputs["early_boxes"][rows]
        layers += zip(*(x.unbind(1) for x in pair), strict=True)
    if not len(rows):
        return torch.stack([x.sum() for pair in layers for x in pair]).sum()
    goals = goals_of(target, rows, outputs["size"][rows].to(layers[0][1].dtype))
    boxes = sum(len(classes) for _, classes in goals)
    return torch.stack([set_loss(*pair, goals) for pair in layers]).sum() / max(1, boxes)
