"""Scaled numbers of all number columns in, one vector a column out."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.job import config
from modalloy.readers.number import NumberReader


class NumberEmbedding(nn.Module):
    """Embeds N numbers at once; columns that ask for the same embedding share one batched product.

    `piecewise` (Gorishniy et al. 2022, 2203.05556; we put the number itself beside its bins),
    `periodic` (the same paper's PLR) or `linear`; each column has its own weights, then a ReLU.
    """

    def __init__(
        self, readers: Sequence[NumberReader], options: Sequence[config.Number], size: int
    ) -> None:
        super().__init__()
        self.columns = len(readers)
        self.size = size
        self.places: list[list[int]] = []
        self.parts = nn.ModuleList()
        for embed in ("piecewise", "periodic", "linear"):
            places = [i for i, o in enumerate(options) if o.embed == embed]
            if places:
                self.places.append(places)
                chosen = [(readers[i], options[i]) for i in places]
                self.parts.append(build_part(embed, chosen, size))

    def forward(self, x_BN: Tensor) -> Tensor:
        """(B, N) -> (B, N, d)."""
        z_BNd = x_BN.new_zeros(x_BN.shape[0], self.columns, self.size)
        for places, part in zip(self.places, self.parts, strict=True):
            z_BNd[:, places] = part(x_BN[:, places])
        return z_BNd


def build_part(
    embed: str, columns: Sequence[tuple[NumberReader, config.Number]], size: int
) -> nn.Module:
    """The embedding of the columns that ask for this kind."""
    match embed:
        case "piecewise":
            return Piecewise([r.edges for r, _ in columns], size)
        case "periodic":
            return Periodic([o.bins for _, o in columns], size)
        case "linear":
            return EachLinear(len(columns), 1, size)
        case _:
            raise AssertionError(embed)


class EachLinear(nn.Module):
    """A linear map and a ReLU of its own for each of N columns: (B, N, F) -> (B, N, d)."""

    def __init__(self, columns: int, inputs: int, size: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight_NFd = nn.Parameter(torch.empty(columns, inputs, size).uniform_(-bound, bound))
        self.bias_Nd = nn.Parameter(torch.empty(columns, size).uniform_(-bound, bound))

    def forward(self, x_BNF: Tensor) -> Tensor:
        """(B, N) counts as one feature a column."""
        x_BNF = x_BNF if x_BNF.ndim == 3 else x_BNF.unsqueeze(-1)
        return F.relu(torch.einsum("bnf,nfd->bnd", x_BNF, self.weight_NFd) + self.bias_Nd)


class Piecewise(nn.Module):
    """How far a number has come through each bin, 0 to 1, and the number itself, then `EachLinear`.

    Columns have as many bins as their edges ask for; the last of the others stay at 0.
    """

    def __init__(self, edges: Sequence[Sequence[float]], size: int) -> None:
        super().__init__()
        bins = max(len(e) for e in edges) - 1
        start_NF = torch.full((len(edges), bins), torch.finfo(torch.float32).max / 4)
        width_NF = torch.ones(len(edges), bins)
        for row, e in enumerate(edges):
            edge = torch.tensor(e, dtype=torch.float64)
            start_NF[row, : len(e) - 1] = edge[:-1].float()
            width_NF[row, : len(e) - 1] = (edge[1:] - edge[:-1]).clamp_min(1e-6).float()
        self.register_buffer("start_NF", start_NF)
        self.register_buffer("width_NF", width_NF)
        self.linear = EachLinear(len(edges), bins + 1, size)

    def forward(self, x_BN: Tensor) -> Tensor:
        """(B, N) -> (B, N, d)."""
        way_BNF = ((x_BN.unsqueeze(-1) - self.start_NF) / self.width_NF).clamp(0, 1)
        return self.linear(torch.cat([way_BNF, x_BN.unsqueeze(-1)], -1))


class Periodic(nn.Module):
    """Sine and cosine of each number at learned frequencies, then `EachLinear`.

    Columns with fewer frequencies than others keep the last ones at 0.
    """

    def __init__(self, frequencies: Sequence[int], size: int, sigma: float = 0.3) -> None:
        super().__init__()
        most = max(frequencies)
        self.rate_NF = nn.Parameter(torch.randn(len(frequencies), most) * sigma)
        used_NF = torch.arange(most) < torch.tensor(list(frequencies)).unsqueeze(1)
        self.register_buffer("used_NF", used_NF.float())
        self.linear = EachLinear(len(frequencies), 2 * most, size)

    def forward(self, x_BN: Tensor) -> Tensor:
        """(B, N) -> (B, N, d)."""
        turns_BNF = 2 * torch.pi * x_BN.unsqueeze(-1) * self.rate_NF
        waves = [turns_BNF.sin() * self.used_NF, turns_BNF.cos() * self.used_NF]
        return self.linear(torch.cat(waves, -1))
