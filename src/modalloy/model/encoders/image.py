"""Pixels in, one token a cell of a map, a summary and the maps themselves out."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.layers.block import sinusoids
from modalloy.model.layers.scale import FROZEN_DROPOUT, Standardise
from modalloy.model.tokens import Tokens
from modalloy.model.trunks.dual import PAIRED
from modalloy.model.trunks.efficientnet import EfficientNetLite
from modalloy.model.trunks.huggingface import build_trunk, load_trunk
from modalloy.model.trunks.image_trunks import build_cnn, view, widths_of
from modalloy.model.trunks.pretrained import read_weights
from modalloy.model.trunks.trunk import Trunk, from_transformers, set_trainable
from modalloy.readers.image import ImageReader

MOST_CELLS = 8  # cells a side of the map that becomes tokens


class ImageEncoder(Encoder):
    """A network of convolutions trained from nothing, EfficientNet-lite, or a transformers trunk.

    A frozen trunk keeps one pooled vector for each row and has no maps.
    """

    def __init__(
        self,
        reader: ImageReader,
        options: config.Image,
        width: int,
        *,
        pretrained: bool,
        trunk_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(width)
        self.trunk_config: dict[str, Any] | None = None
        self.views = options.augment if options.all_views else ""
        mean, std = [127.0], [64.0]
        if options.encoder == "scratch":
            self.scratch, widths = build_cnn(reader.channels, reader.pixels, options.size)
            self.blocks = list(self.scratch.stages)
        else:
            trunk = open_trunk(reader, options, pretrained, trunk_config)
            set_trainable(trunk, options, reader.name)
            self.trunk, self.trunk_config = trunk.module, trunk.config
            self.blocks = trunk.blocks
            widths = widths_of(trunk.module)
            mean, std = scale_of(trunk)
            if trunk.config is not None and trunk.config["model"]["model_type"] in PAIRED:
                self.paired_width = widths.last
        self.register_buffer("mean_C11", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std_C11", torch.tensor(std)[:, None, None], persistent=False)
        self.frozen = self.trunk is not None and options.tune == "frozen"
        self.seen = (1, reader.channels, reader.pixels, reader.pixels)
        if self.frozen:
            self.scale = Standardise(widths.pooled, dropout=FROZEN_DROPOUT)
            self.project = nn.Linear(widths.pooled, width)
        else:
            self.scale = nn.LayerNorm(widths.last)
            self.project = nn.Linear(widths.last, width)
        self.summarise = nn.Linear(widths.pooled, width)
        self.still_norms()

    @property
    def network(self) -> nn.Module:
        """The trunk, or the network from scratch."""
        return self.scratch if self.trunk is None else self.trunk

    def features(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Pooled vector (B, 1, F) of a frozen trunk.

        Else the last map (B, F, H, W) with at most 64 cells, the pooled vector, and all maps.
        """
        pixels = values["pixels"]
        if self.trunk is not None:
            pixels = pixels.expand(-1, 3, -1, -1)
        net = self.scratch if self.trunk is None else self.trunk
        x_BCHW = (pixels.to(self.mean_C11.dtype) - self.mean_C11) / self.std_C11
        seen = view(net, x_BCHW)
        pooled_BF = seen.pooled_BF
        if self.views and (self.frozen or self.held or not self.training):
            others = [view(net, turned).pooled_BF for turned in other_views(x_BCHW, self.views)]
            pooled_BF = torch.stack([pooled_BF, *others]).mean(0)
        if self.frozen:
            return {"features": pooled_BF.unsqueeze(1)}
        maps = {f"map{i}": m for i, m in enumerate(seen.maps)}
        last = seen.last_BFHW
        if max(last.shape[2:]) > MOST_CELLS:
            high, wide = (min(n, MOST_CELLS) for n in last.shape[2:])
            last = F.adaptive_avg_pool2d(last, (high, wide))
        return {"features": last, "pooled": pooled_BF, **maps}

    def pooled_features(self, features: Mapping[str, Tensor]) -> Tensor:
        """The whole picture as its network pools it; see `image_trunks.py`."""
        return features["features"].squeeze(1) if self.frozen else features["pooled"]

    def paired_features(self, features: Mapping[str, Tensor]) -> Tensor:
        """The class token of CLIP's tower, what attention pools in SigLIP's."""
        return self.pooled_features(features)[:, : self.paired_width]

    def embed(self, features: Mapping[str, Tensor]) -> Tokens:
        """At most 64 tokens, line by line from the top, each with its place; one if frozen."""
        if self.frozen:
            z_B1F = self.scale(features["features"])
            mask_B1 = z_B1F.new_ones(z_B1F.shape[0], 1, dtype=torch.bool)
            return Tokens(self.project(z_B1F), mask_B1, self.summarise(z_B1F.squeeze(1)))
        last = features["features"]
        high, wide = last.shape[2:]
        x_BTD = self.project(self.scale(last.flatten(2).transpose(1, 2)))
        x_BTD = x_BTD + places(high, wide, self.width).to(x_BTD)
        mask_BT = torch.ones(x_BTD.shape[:2], dtype=torch.bool, device=x_BTD.device)
        count = sum(k.startswith("map") for k in features)
        maps = tuple(features[f"map{i}"] for i in range(count))
        return Tokens(x_BTD, mask_BT, self.summarise(self.pooled_features(features)), maps=maps)

    @torch.no_grad()
    def map_channels(self) -> tuple[int, ...]:
        """Channels of the maps, finest first, found on a blank picture; none of a frozen trunk."""
        was = self.training
        blank = torch.zeros(self.seen, dtype=torch.uint8, device=self.mean_C11.device)
        features = self.eval().features({"pixels": blank})
        self.train(was)
        maps = sorted(k for k in features if k.startswith("map"))
        return tuple(features[k].shape[1] for k in maps)

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Batch norms of a pretrained trunk keep the figures of their pre-training."""
        super().train(mode)
        self.still_norms()
        return self

    def still_norms(self) -> None:
        """Few rows a step would spoil figures that were taken from a million pictures."""
        for module in self.trunk.modules() if self.trunk is not None else ():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def open_trunk(
    reader: ImageReader, options: config.Image, pretrained: bool, described: dict[str, Any] | None
) -> Trunk:
    """The pretrained trunk; JobError where pictures are smaller than its patches."""
    if options.encoder.startswith("efficientnet_lite"):
        net = EfficientNetLite(int(options.encoder[-1]))
        if pretrained:
            net.load(read_weights(options.encoder))
        return Trunk(net, [*net.blocks, net.head])
    rebuild = described is not None and not pretrained
    trunk = build_trunk(described) if rebuild else load_trunk("image", options.encoder)
    settings = from_transformers(trunk.module).config
    patch = getattr(settings, "patch_size", 1)
    if reader.pixels < patch:
        raise JobError(
            f"columns.{reader.name}.pixels: {options.encoder} cuts pictures in patches of {patch}, "
            f"more than {reader.pixels}; it was trained with {settings.image_size}"
        )
    return trunk


def scale_of(trunk: Trunk) -> tuple[list[float], list[float]]:
    """Mean and deviation that a trunk expects to be taken off its pixels of 0 to 255."""
    if trunk.config is None:
        return [127.0], [128.0]
    processor = trunk.config["processor"]
    return [255 * v for v in processor["mean"]], [255 * v for v in processor["std"]]


def other_views(x_BCHW: Tensor, augment: str) -> Iterator[Tensor]:
    """Square pictures mirrored left-right (`flip`), or in all other ways of turning (`rotate`)."""
    for quarters in range(4 if augment == "rotate" else 1):
        turned = torch.rot90(x_BCHW, quarters, (2, 3))
        if quarters:
            yield turned
        yield turned.flip(3)


def places(high: int, wide: int, width: int) -> Tensor:
    """Fixed positions of a map's cells, (H W, D): one half says the row, the other the column."""
    down, right = sinusoids(high, width // 2), sinusoids(wide, width // 2)
    grid = [down[:, None].expand(-1, wide, -1), right[None].expand(high, -1, -1)]
    return torch.cat(grid, dim=2).flatten(0, 1)
