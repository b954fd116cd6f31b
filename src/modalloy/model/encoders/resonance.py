"""Recordings of a struck body in, one token of its lowest resonances out."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.job import config
from modalloy.media.resonance_sizes import FACTS
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.number import Piecewise
from modalloy.model.encoders.series import EDGES
from modalloy.model.layers.block import Residual
from modalloy.model.layers.dropout import dropout
from modalloy.model.layers.scale import Standardise
from modalloy.model.tokens import Tokens
from modalloy.model.trunks.resonances import resonances
from modalloy.readers.audio import AudioReader

DROPOUT = 0.1
SIZES = {"small": 12, "base": 32}  # numbers that each fact of a resonance becomes


class ResonanceEncoder(Encoder):
    """Facts of the lowest resonances, standardised, each embedded as a number column is.

    Nothing before that learns, so `frozen` is set and resonances are looked for once. Where a
    recording has fewer, a learned vector stands for each that is not there.
    """

    def __init__(self, reader: AudioReader, options: config.Audio, width: int) -> None:
        super().__init__(width)
        self.reader, self.frozen = reader, True
        self.facts, size = options.resonances * FACTS, SIZES[options.size]
        self.scale = Standardise(self.facts)
        self.number = Piecewise([EDGES] * self.facts, size)
        self.fewer_Fd = nn.Parameter(torch.randn(self.facts, size) * 0.02)
        self.inward = nn.Linear(self.facts * size, width)
        self.layer = Residual(width, DROPOUT)

    def features(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Facts of each resonance (B, K, 3), and which there are."""
        facts_BK3, there_BK = resonances(
            values["wave"],
            values["length"],
            rate_hz=self.reader.rate_hz,
            longest=self.reader.length,
            count=self.reader.resonances,
        )
        return {"features": facts_BK3, "there": there_BK}

    def embed(self, features: Mapping[str, Tensor]) -> Tokens:
        """One token, which is the summary at once."""
        x_BF = features["features"].flatten(1)
        there_BF = features["there"].repeat_interleave(FACTS, 1)
        z_BF = self.scale(torch.where(there_BF, x_BF, self.usual(x_BF, there_BF)))
        z_BFd = torch.where(there_BF[..., None], self.number(z_BF), self.fewer_Fd)
        hidden_BD = self.inward(dropout(z_BFd.flatten(1), DROPOUT, self.training))
        summary_BD = self.layer(hidden_BD)
        mask_B1 = there_BF.new_ones(x_BF.shape[0], 1)
        return Tokens(summary_BD.unsqueeze(1), mask_B1, summary_BD)

    def usual(self, x_BF: Tensor, there_BF: Tensor) -> Tensor:
        """The mean of those that are there, so that the others move no running figure by much."""
        if not self.training:
            return self.scale.mean_F
        count_F = there_BF.sum(0)
        mean_F = (x_BF * there_BF).sum(0) / count_F.clamp_min(1)
        return torch.where(count_F > 0, mean_F, self.scale.mean_F)
