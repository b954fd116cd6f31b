"""Sampled signals in, one token a front and the learned steps out."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.encoders.encoder import Encoder, pool
from modalloy.model.encoders.number import Piecewise
from modalloy.model.layers.block import Residual, sinusoids
from modalloy.model.layers.dropout import dropout
from modalloy.model.layers.scale import Standardise
from modalloy.model.layers.shared_norms import as_guest
from modalloy.model.tokens import Tokens
from modalloy.model.trunks import signal_features as signals
from modalloy.model.trunks import signal_sizes as fixed
from modalloy.model.trunks.patchtst import PatchTrunk, build_patchtst, describe, load_patchtst
from modalloy.model.trunks.random_convolutions import (
    FACTS,
    MOST_COMPONENTS,
    Kind,
    RandomConvolutions,
)
from modalloy.model.trunks.strided import STEPS, StridedFront
from modalloy.model.trunks.trunk import Trunk, set_trainable, still_norms
from modalloy.readers.series import SeriesReader

DROPOUT = 0.2
ROUNDING = 0.01  # of a log power that should be empty: nothing but how a processor rounds
COMPONENT_DROPOUT = 0.2  # of what random convolutions give
LINE_DROPOUT = 0.5  # of what a spectrum gives: many numbers for few rows
UNKNOWN = 0.1  # chance that a known shaft speed is hidden while training
TRENDS = ("statistics", "recent")  # fronts that a TrendHead reads
ROCKETS: tuple[Kind, ...] = ("minirocket", "hydra")  # fitted on training rows
LEARNED = ("convolution", "learned")
EDGES = (-3.0, -2.0, -1.5, -1.0, -0.67, -0.33, 0.0, 0.33, 0.67, 1.0, 1.5, 2.0, 3.0)
EMBEDDED = 8  # numbers that each statistic becomes
SIZES = {"small": (64, 3), "base": (128, 5)}  # width and residual layers of the learned front


class SeriesEncoder(Encoder):
    """Fixed fronts (`signal_features.py`) and a learned one, side by side.

    Each fixed front, standardised, becomes one token. The learned front is `StridedFront`, or the
    trunk of an `hf:` checkpoint with one token a channel. The summary joins the tokens of the
    fronts with the mean, the largest and the last of the learned steps. Without a learned front
    and without augmentation nothing before the tokens changes, so `frozen` is set and the fronts
    run once.
    """

    places_TD: Tensor

    def __init__(
        self,
        reader: SeriesReader,
        options: config.Series,
        width: int,
        *,
        pretrained: bool,
        trunk_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(width)
        check_fronts(reader.name, options)
        self.options = options
        self.convolution = "convolution" in options.front
        self.learned = self.convolution or "learned" in options.front
        self.fixed = [f for f in dict.fromkeys(options.front) if f not in LEARNED]
        self.segment = fixed.segment_for(options.length)
        self.trunk_config: dict[str, Any] | None = None
        if self.learned:
            self.build_learned(reader, pretrained, trunk_config)
        rockets = {str(f): self.random(f, reader) for f in ROCKETS if f in self.fixed}
        self.fits = bool(rockets)
        if self.fits:
            self.trunk = nn.ModuleDict(rockets)
        if self.learned and not self.fits:
            self.frozen = self.patches is not None and options.tune == "frozen"
        else:
            self.frozen = options.augment == "none"
        sizes = dict.fromkeys(TRENDS, fixed.STATISTICS) | {"envelope": fixed.CELLS}
        sizes |= {
            "spectrum": fixed.bands(self.segment) + 1,
            "order": 2 * fixed.CELLS,
        }
        self.sizes = [
            rockets[f].size if f in ROCKETS else reader.channels * sizes[f] for f in self.fixed
        ]
        pairs = zip(self.fixed, self.sizes, strict=True)
        self.heads = nn.ModuleList(build_head(f, size, width) for f, size in pairs)
        self.unknown_D = nn.Parameter(torch.randn(width) * 0.02) if "order" in self.fixed else None
        self.join = nn.Linear((len(self.fixed) + self.learned) * width, width)
        self.last = Residual(width, DROPOUT)

    def build_learned(
        self, reader: SeriesReader, pretrained: bool, trunk_config: dict[str, Any] | None
    ) -> None:
        """The learned front and what brings its steps to the model's width."""
        options, channels = self.options, reader.channels
        if options.encoder == "scratch":
            size, layers = SIZES[options.size]
            norm = self.convolution
            self.strided = StridedFront(channels, options.length, size, layers, batch_norm=norm)
            self.blocks = [*self.strided.halvings, *self.strided.layers]
            self.register_buffer("places_TD", sinusoids(STEPS, self.width), persistent=False)
        else:
            load = pretrained or trunk_config is None
            if load:
                self.trunk = load_patchtst(options.encoder, channels)
            else:
                self.trunk = build_patchtst(trunk_config, channels)
            self.trunk_config = describe(self.trunk)
            size = self.trunk.width
            self.channel_CD = nn.Parameter(torch.randn(channels, self.width) * 0.02)
            set_trainable(Trunk(self.trunk, self.trunk.blocks), options, reader.name)
            still_norms(self.trunk)
            self.blocks = self.trunk.blocks
        self.step = nn.Linear(size, self.width)
        self.pool = nn.Linear(size if self.convolution else 3 * size, self.width)

    @property
    def network(self) -> nn.Module:
        """The learned front; all of it where every front is fixed."""
        if not self.learned:
            return self
        return self.strided if self.patches is None else self.patches

    @property
    def patches(self) -> PatchTrunk | None:
        """The trunk of a checkpoint, where the learned front is one."""
        return self.trunk if isinstance(self.trunk, PatchTrunk) else None

    def random(self, front: Kind, reader: SeriesReader) -> RandomConvolutions:
        """A front of random convolutions for rows like those that the reader was fitted on."""
        longest = min(reader.longest or self.options.length, self.options.length)
        return RandomConvolutions(front, reader.channels, longest, reader.rows or MOST_COMPONENTS)

    def fit(self, values: Mapping[str, Tensor], generator: torch.Generator) -> None:
        """Biases and components of random convolutions, from training rows."""
        assert isinstance(self.trunk, nn.ModuleDict)
        for front in self.trunk.values():
            assert isinstance(front, RandomConvolutions)
            front.fit(values["x"], values["mask"], generator)

    def train(self, mode: bool = True) -> "SeriesEncoder":
        """Blocks of a checkpoint that do not learn keep the running figures of their norms."""
        super().train(mode)
        if self.patches is not None:
            still_norms(self.patches)
        return self

    def features(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Fixed fronts side by side as `fronts`, beside what the learned front starts from."""
        x_BCL, mask_BL, speed_hz_B = values["x"], values["mask"], values["speed_hz"]
        parts = [self.fixed_front(f, x_BCL, mask_BL, speed_hz_B).flatten(1) for f in self.fixed]
        fixed_BF = torch.cat([*parts, x_BCL.new_zeros(x_BCL.shape[0], 0)], 1)
        out = {"fronts": fixed_BF, "turning": speed_hz_B > 0}
        if not self.learned:
            return out | {"features": x_BCL.new_zeros(x_BCL.shape[0], 1)}
        if self.patches is not None:
            return out | {"features": self.patches(x_BCL, mask_BL)}
        # Not `mask`: a cache would cut the other features to its length.
        return out | {"features": x_BCL.new_zeros(x_BCL.shape[0], 1), "x": x_BCL, "seen": mask_BL}

    def pooled_features(self, features: Mapping[str, Tensor]) -> Tensor:
        """Fixed fronts, and under a checkpoint mean and last patch of each channel."""
        learned = features["features"].flatten(1) if self.patches is not None else None
        return torch.cat([features["fronts"], *([] if learned is None else [learned])], 1)

    def fixed_front(self, front: str, x_BCL: Tensor, mask_BL: Tensor, speed_hz_B: Tensor) -> Tensor:
        """(B, C, F) of one front, (B, F) where it joins the channels."""
        rate_hz = self.options.rate_hz or 0.0
        match front:
            case "statistics":
                return signals.statistics(x_BCL, mask_BL)
            case "recent":
                return signals.recent(x_BCL, mask_BL)
            case "spectrum":
                return signals.spectrum(x_BCL, mask_BL, self.segment)
            case "envelope":
                return signals.envelope(x_BCL, mask_BL, self.segment, rate_hz)
            case "order":
                return signals.order(x_BCL, mask_BL, self.segment, rate_hz, speed_hz_B)
            case _:
                assert isinstance(self.trunk, nn.ModuleDict)
                return self.trunk[front](x_BCL, mask_BL)

    def embed(self, features: Mapping[str, Tensor]) -> Tokens:
        """A token a fixed front, then the learned steps (or channels)."""
        tokens, parts = [], []
        split = features["fronts"].split(self.sizes, 1) if self.sizes else ()
        for front, head, x_BF in zip(self.fixed, self.heads, split, strict=True):
            use_B = features["turning"] if front == "order" else None
            z_BD = head(x_BF) if use_B is None else self.where_turning(head, x_BF, use_B)
            tokens.append(z_BD.unsqueeze(1))
            parts.append(z_BD)
        rows = features["features"].shape[0]
        mask_BT = features["features"].new_ones(rows, len(tokens)).bool()
        if self.learned:
            x_BTD, own_BT, pooled_BD = self.learned_steps(features)
            tokens.append(x_BTD)
            parts.append(pooled_BD)
            mask_BT = torch.cat([mask_BT, own_BT], 1)
        summary_BD = self.last(self.join(torch.cat(parts, 1)))
        return Tokens(torch.cat(tokens, 1), mask_BT, summary_BD)

    def where_turning(self, head: nn.Module, x_BF: Tensor, turning_B: Tensor) -> Tensor:
        """Tokens of the order front; rows without a shaft speed get its learned absent vector.

        While training a speed is hidden now and then, so that the vector is learned even where all
        training rows turn.
        """
        assert self.unknown_D is not None
        if torch.compiler.is_exporting():
            return torch.where(turning_B[:, None], head(x_BF), self.unknown_D)
        if self.training:
            kept_B = torch.rand(turning_B.shape, device=turning_B.device) >= UNKNOWN
            turning_B = turning_B & kept_B
        rows = turning_B.nonzero().squeeze(1)
        if self.guest:
            rows = rows[:0]
        unknown_BD = self.unknown_D.expand(len(x_BF), -1)
        if self.awaited(rows):
            with as_guest(head):
                z_BD = head(x_BF[:1])[:0]
        elif len(rows) == 0:
            return unknown_BD
        else:
            z_BD = head(x_BF[rows])
        return unknown_BD.to(z_BD.dtype).index_copy(0, rows, z_BD)

    def learned_steps(self, features: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens, which of them exist, and one pooled vector a row."""
        if self.patches is not None:
            z_BCd = features["features"]
            mask_BT = z_BCd.new_ones(z_BCd.shape[:2]).bool()
            x_BTD = self.step(z_BCd) + self.channel_CD
            return x_BTD, mask_BT, self.pool(summarise(z_BCd, mask_BT))
        z_BTd, mask_BT = self.strided(features["x"], features["seen"])
        # Counted from the end: rows of one recording end together at what is to be predicted.
        steps_B1 = signals.extent(mask_BT)[:, None]
        ago_BT = (steps_B1 - 1 - torch.arange(mask_BT.shape[1], device=mask_BT.device)).clamp_min(0)
        pooled_Bd = pool(z_BTd, mask_BT) if self.convolution else summarise(z_BTd, mask_BT)
        return self.step(z_BTd) + self.places_TD[ago_BT], mask_BT, self.pool(pooled_Bd)


def build_head(front: config.Front, inputs: int, width: int) -> nn.Module:
    """What makes one token of a fixed front's numbers."""
    if front in TRENDS:
        return TrendHead(inputs, width)
    return ComponentHead(inputs, width) if front in ROCKETS else LineHead(inputs, width)


class ComponentHead(nn.Module):
    """Components of random convolutions, as strong as they are, and a row's facts to one token."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.scale = Standardise(FACTS)
        self.inward = nn.Linear(inputs, width)
        self.layer = Residual(width, DROPOUT)

    def forward(self, x_BF: Tensor) -> Tensor:
        """(B, F) -> (B, D)."""
        z_BF = torch.cat([x_BF[:, :-FACTS].clamp(-50, 50), self.scale(x_BF[:, -FACTS:])], 1)
        return self.layer(self.inward(dropout(z_BF, COMPONENT_DROPOUT, self.training)))


class LineHead(nn.Module):
    """The numbers of a spectrum, standardised, through a small network to one token."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.scale = Standardise(inputs, noise=ROUNDING)
        self.inward = nn.Linear(inputs, width)
        self.layer = Residual(width, DROPOUT)

    def forward(self, x_BF: Tensor) -> Tensor:
        """(B, F) -> (B, D)."""
        z_BF = dropout(self.scale(x_BF).clamp(-8, 8), LINE_DROPOUT, self.training)
        return self.layer(self.inward(z_BF))


class TrendHead(nn.Module):
    """Statistics to one token: trends standardised, all embedded piecewise as number columns are.

    The embedding keeps an odd value of one statistic from pulling on all that a straight map gives.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        trend_S = torch.arange(fixed.STATISTICS) < fixed.TRENDS
        self.register_buffer("trend_F", trend_S.repeat(inputs // fixed.STATISTICS))
        self.scale = Standardise(inputs)
        self.embed = Piecewise([EDGES] * inputs, EMBEDDED)
        self.inward = nn.Linear(inputs * EMBEDDED, width)
        self.layer = Residual(width, DROPOUT)

    def forward(self, x_BF: Tensor) -> Tensor:
        """(B, F) -> (B, D)."""
        z_BF = torch.where(self.trend_F, self.scale(x_BF), x_BF).clamp(-8, 8)
        z_BFd = self.embed(z_BF)
        return self.layer(self.inward(dropout(z_BFd.flatten(1), DROPOUT, self.training)))


def summarise(z_BTd: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean, largest and last of the steps that exist, (B, 3 d)."""
    weight_BT1 = mask_BT[..., None].to(z_BTd.dtype)
    mean_Bd = (z_BTd * weight_BT1).sum(1) / weight_BT1.sum(1).clamp_min(1.0)
    largest_Bd = z_BTd.masked_fill(~mask_BT[..., None], -1e4).amax(1)
    last_B = (signals.extent(mask_BT) - 1).clamp_min(0)
    last_Bd = z_BTd[torch.arange(z_BTd.shape[0], device=z_BTd.device), last_B]
    return torch.cat([mean_Bd, largest_Bd, last_Bd], 1)


def check_fronts(name: str, options: config.Series) -> None:
    """Fronts need what they are counted in. Raises JobError."""
    where = f"columns.{name}"
    in_hz = [f for f in options.front if f in ("spectrum", "envelope", "order")]
    if in_hz and options.rate_hz is None:
        raise JobError(
            f"{where}.front: {in_hz[0]} needs rate_hz, the samples a second; set it, or take this "
            "front away"
        )
    if "order" in options.front and options.rpm is None:
        raise JobError(
            f"{where}.front: order needs rpm, the shaft speed in turns a minute or the column that "
            "holds it; set it, or take this front away"
        )
    if not options.front:
        raise JobError(f"{where}.front: is empty; name at least one front, such as learned")
    if set(LEARNED) <= set(options.front):
        raise JobError(f"{where}.front: names learned and convolution; take one of them away")
    rockets = [f for f in options.front if f in (*ROCKETS, "convolution")]
    if options.encoder != "scratch" and rockets:
        raise JobError(
            f"{where}.front: {rockets[0]} does not stand beside {options.encoder}; take one away"
        )
    if options.encoder != "scratch" and "learned" not in options.front:
        raise JobError(
            f"{where}.encoder: {options.encoder} takes the place of the learned front, which is "
            "not in front; add learned to it"
        )
