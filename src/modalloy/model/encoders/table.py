"""All number, category and time cells of a row in, one token a column and a summary out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from modalloy.job import config
from modalloy.model.encoders.category import CategoryEmbedding
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.number import NumberEmbedding
from modalloy.model.encoders.time import TimeEmbedding
from modalloy.model.layers.block import Residual
from modalloy.model.layers.dropout import dropout
from modalloy.model.tokens import Tokens
from modalloy.readers.reader import Reader

KINDS = ("number", "category", "time")
SIZES = {"small": 12, "base": 32}  # length of a column's vector
DROPOUT = 0.1
LAYERS = 2


class TableEncoder(Encoder):
    """The one encoder of all tabular columns.

    Each cell becomes a short vector, or its column's learned vector where it is absent. Side by
    side they pass through a residual network to the summary; each is also a token of its own, for
    fusions that attend. Columns of a smaller size than others hold zeros at the end.
    """

    def __init__(
        self, readers: Sequence[Reader], options: Mapping[str, config.Options], width: int
    ) -> None:
        super().__init__(width)
        del self.absent_D  # each column has its own
        by_kind = {k: [r for r in readers if r.kind == k] for k in KINDS}
        self.columns = [r.name for k in KINDS for r in by_kind[k]]  # as in Batch.present
        self.kinds = [k for k in KINDS if by_kind[k]]
        sizes_N = torch.tensor([SIZES[tabular_options(options[c]).size] for c in self.columns])
        size = int(sizes_N.max())
        used_Nd = (torch.arange(size) < sizes_N[:, None]).float()
        self.register_buffer("used_Nd", used_Nd, persistent=False)
        parts = {
            "number": lambda rs: NumberEmbedding(rs, number_options(rs, options), size),
            "category": lambda rs: CategoryEmbedding(rs, size),
            "time": lambda rs: TimeEmbedding(rs, size),
        }
        self.parts = nn.ModuleList(parts[k](by_kind[k]) for k in self.kinds)
        count = len(self.columns)
        self.absent_Nd = nn.Parameter(torch.randn(count, size) * 0.1)
        scale_N11 = sizes_N[:, None, None] ** -0.5
        self.token_NdD = nn.Parameter(torch.randn(count, size, width) * scale_N11)
        self.column_ND = nn.Parameter(torch.randn(count, width) * 0.02)
        self.inward = nn.Linear(count * size, width)
        self.layers = nn.Sequential(*(Residual(width, DROPOUT) for _ in range(LAYERS)))
        self.outward = nn.Linear(width, width)

    @property
    def reading(self) -> list[str]:
        """The vectors of cells, in front of the layers that see all of them."""
        return ["parts.", "absent_Nd"]

    def features(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Vectors of all columns, present or not, (B, N, d)."""
        pairs = zip(self.kinds, self.parts, strict=True)
        found = [
            part(values[k], values.get("fold")) if k == "category" else part(values[k])
            for k, part in pairs
        ]
        return {"features": torch.cat(found, 1)}

    def embed(self, features: Mapping[str, Tensor]) -> Tokens:
        """One token a column."""
        z_BNd = features["features"] * self.used_Nd
        x_BND = torch.einsum("bnd,ndo->bno", z_BNd, self.token_NdD) + self.column_ND
        mask_BN = torch.ones(z_BNd.shape[:2], dtype=torch.bool, device=z_BNd.device)
        hidden_BD = dropout(self.inward(z_BNd.flatten(1)), DROPOUT, self.training)
        return Tokens(x_BND, mask_BN, self.outward(self.layers(hidden_BD)))

    def forward(self, values: Mapping[str, Tensor], present_BN: Tensor, /) -> Tokens:
        """Tokens of B rows; present_BN: which cells exist, in the order number, category, time."""
        z_BNd = self.features(values)["features"]
        return self.embed({"features": torch.where(present_BN[..., None], z_BNd, self.absent_Nd)})

    def absent(self, rows: int) -> Tokens:
        """Tokens of rows all of whose plain cells are absent."""
        return self.embed({"features": self.absent_Nd.expand(rows, -1, -1)})


def tabular_options(options: config.Options) -> config.Tabular:
    """Options of a tabular column."""
    assert isinstance(options, config.Tabular), "the only kinds that this encoder reads"
    return options


def number_options(
    readers: Sequence[Reader], options: Mapping[str, config.Options]
) -> list[config.Number]:
    """Options of number columns, in the order of their readers."""
    return [o for r in readers if isinstance(o := options[r.name], config.Number)]
