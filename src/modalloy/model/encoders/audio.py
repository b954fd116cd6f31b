"""Waves in, a few tokens over time and a summary out; one token a layer from a frozen trunk."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.layers.scale import FROZEN_DROPOUT, Standardise
from modalloy.model.tokens import Tokens
from modalloy.model.trunks.audio_trunks import (
    LAYERS,
    Heard,
    ScratchAudio,
    hear_wav2vec2,
    hear_whisper,
    is_wav2vec2,
    is_whisper,
)
from modalloy.model.trunks.huggingface import build_trunk, load_trunk
from modalloy.model.trunks.pretrained import read_weights
from modalloy.model.trunks.trunk import Trunk, from_transformers, set_trainable
from modalloy.model.trunks.whisper import RATE_HZ, moments, tiny_en
from modalloy.readers.audio import AudioReader

MOST_TOKENS = 64
STEP = 320  # samples between two states of Whisper and wav2vec2


class AudioEncoder(Encoder):
    """Convolutions over log-mel frames, Whisper's encoder, or wav2vec2.

    A frozen trunk keeps mean and deviation over time of its states after four layers: with a linear
    probe Whisper's middle layers know more about machines and animals than its last one.
    """

    def __init__(
        self,
        reader: AudioReader,
        options: config.Audio,
        width: int,
        *,
        pretrained: bool,
        trunk_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(width)
        self.trunk_config: dict[str, Any] | None = None
        self.augment = options.augment == "mask"
        if options.encoder == "scratch":
            self.scratch = ScratchAudio(reader.rate_hz, options.size)
            self.blocks = list(self.scratch.net.stages)
            inside, steps = self.scratch.width, self.scratch.steps(reader.length)
            layers = 0
        else:
            trunk = open_trunk(reader, options, pretrained, trunk_config)
            set_trainable(trunk, options, reader.name)
            self.trunk, self.trunk_config = trunk.module, trunk.config
            self.blocks = trunk.blocks
            settings = from_transformers(trunk.module).config
            inside, steps = settings.hidden_size, reader.length // STEP
            layers = min(LAYERS, settings.num_hidden_layers)
        self.frozen = self.trunk is not None and options.tune == "frozen"
        # From the longest recording that the column allows: the same for every batch.
        self.span = max(1, -(-steps // MOST_TOKENS))
        if self.frozen:
            self.scale = Standardise(layers * 2 * inside, dropout=FROZEN_DROPOUT)
            self.project = nn.Linear(2 * inside, width)
            self.layer_TD = nn.Parameter(torch.randn(layers, width) * 0.02)
            self.summarise = nn.Linear(layers * 2 * inside, width)
        else:
            self.scale = nn.LayerNorm(inside)
            self.project = nn.Linear(inside, width)
            self.summarise = nn.Linear(3 * inside, width)

    @property
    def network(self) -> nn.Module:
        """The trunk, or the network from scratch."""
        return self.scratch if self.trunk is None else self.trunk

    def features(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Moments of some layers (B, layers, 2 F) of a frozen trunk; else states and mask."""
        heard = self.hear(values["wave"], values["length"])
        if self.frozen:
            kept = [moments(s, heard.mask_BT) for s in heard.states[:-1]]
            return {"features": torch.stack(kept, dim=1)}
        return {"features": heard.states[-1], "mask": heard.mask_BT}

    def hear(self, wave_BL: Tensor, length_B: Tensor) -> Heard:
        """States over time."""
        augment = self.augment and self.training and not (self.frozen or self.held)
        if self.trunk is None:
            return self.scratch(wave_BL, length_B, augment)
        if is_whisper(self.trunk):
            return hear_whisper(self.trunk, wave_BL, length_B, augment)
        assert is_wav2vec2(self.trunk)
        assert self.trunk_config is not None
        normalize = self.trunk_config["processor"]["normalize"]
        return hear_wav2vec2(self.trunk, wave_BL, length_B, normalize)

    def pooled_features(self, features: Mapping[str, Tensor]) -> Tensor:
        """Moments of some layers of a frozen trunk; else moments and maximum of the last states."""
        if self.frozen:
            return features["features"].flatten(1)
        states_BTF, mask_BT = features["features"], features["mask"]
        loudest_BF = states_BTF.masked_fill(~mask_BT.unsqueeze(-1), -torch.inf).amax(1)
        return torch.cat([moments(states_BTF, mask_BT), loudest_BF], dim=1)

    def embed(self, features: Mapping[str, Tensor]) -> Tokens:
        """At most 64 tokens, each the mean of some states; the summary from all of them."""
        if self.frozen:
            z_BF = self.scale(self.pooled_features(features))
            x_BTD = self.project(z_BF.unflatten(1, (len(self.layer_TD), -1))) + self.layer_TD
            mask_BT = torch.ones(x_BTD.shape[:2], dtype=torch.bool, device=x_BTD.device)
            return Tokens(x_BTD, mask_BT, self.summarise(z_BF))
        states_BTF, mask_BT = features["features"], features["mask"]
        summary_BD = self.summarise(self.pooled_features(features))
        states_BTF, mask_BT = average(states_BTF, mask_BT, self.span)
        return Tokens(self.project(self.scale(states_BTF)), mask_BT, summary_BD)


def average(x_BTF: Tensor, mask_BT: Tensor, span: int) -> tuple[Tensor, Tensor]:
    """Mean over each `span` places of those that exist: (B, ceil(T / span), F) and its mask."""
    if span == 1:
        return x_BTF, mask_BT
    missing = -x_BTF.shape[1] % span
    x_BTF = nn.functional.pad(x_BTF, (0, 0, 0, missing)).unflatten(1, (-1, span))
    weight_BTS1 = nn.functional.pad(mask_BT, (0, missing)).unflatten(1, (-1, span)).unsqueeze(-1)
    sums = (x_BTF * weight_BTS1).sum(2)
    return sums / weight_BTS1.sum(2).clamp_min(1), weight_BTS1.squeeze(-1).any(2)


def open_trunk(
    reader: AudioReader, options: config.Audio, pretrained: bool, described: dict[str, Any] | None
) -> Trunk:
    """The pretrained trunk; JobError where the column's rate is not the one it was trained at."""
    if reader.rate_hz != RATE_HZ:
        raise JobError(
            f"columns.{reader.name}.rate_hz: {options.encoder} hears {RATE_HZ} samples a second, "
            f"not {reader.rate_hz}; with rate_hz: {RATE_HZ} all recordings are brought to it"
        )
    if options.encoder == "whisper_tiny_en":
        encoder = tiny_en()
        if pretrained:
            encoder.load_state_dict(read_weights("whisper_tiny_en"))
        return Trunk(encoder, list(encoder.layers))
    if described is not None and not pretrained:
        return build_trunk(described)
    return load_trunk("audio", options.encoder)
