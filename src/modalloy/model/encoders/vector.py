"""Standardised lists of numbers in, one token out."""

from collections.abc import Mapping

from torch import Tensor, nn

from modalloy.job import config
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.layers.block import Residual
from modalloy.model.layers.dropout import dropout
from modalloy.model.tokens import Tokens
from modalloy.readers.vector import VectorReader

DROPOUT = 0.1
LAYERS = 2


class VectorEncoder(Encoder):
    """A residual network over the whole list; its answer is token and summary at once."""

    def __init__(self, reader: VectorReader, options: config.Vector, width: int) -> None:
        super().__init__(width)
        self.inward = nn.Linear(reader.length, width)
        self.layers = nn.Sequential(*(Residual(width, DROPOUT) for _ in range(LAYERS)))
        self.outward = nn.Linear(width, width)

    def features(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The list itself, (B, F)."""
        return {"features": values["x"]}

    def embed(self, features: Mapping[str, Tensor]) -> Tokens:
        """One token."""
        hidden_BD = dropout(self.inward(features["features"]), DROPOUT, self.training)
        summary_BD = self.outward(self.layers(hidden_BD))
        mask_B1 = summary_BD.new_ones(summary_BD.shape[0], 1).bool()
        return Tokens(summary_BD.unsqueeze(1), mask_B1, summary_BD)
