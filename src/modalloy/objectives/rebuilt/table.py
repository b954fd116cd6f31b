"""Number, category and time cells: one place a column, hidden as though the cell were missing."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.model.encoders.table import TableEncoder
from modalloy.objectives.rebuilt.rebuilt import Rebuilt, squared
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.time import TimeReader


class RebuiltTable(Rebuilt):
    """All plain cells of a row.

    A number costs the square of its standardised error, a category the cross-entropy over the
    logarithm of its number of names, a time the mean square over its cycles and trend.
    """

    def __init__(self, encoder: TableEncoder, readers: Mapping[str, Reader], width: int) -> None:
        super().__init__()
        self.columns = list(encoder.columns)
        self.most = len(self.columns)
        own = [readers[c] for c in self.columns]
        self.numbers = sum(isinstance(r, NumberReader) for r in own)
        self.names = [len(r.names) + 1 for r in own if isinstance(r, CategoryReader)]
        widths = [r.width for r in own if isinstance(r, TimeReader)]
        self.guess_number = EachOut(self.numbers, width, 1)
        self.guess_name = nn.ModuleList(nn.Linear(width, names) for names in self.names)
        self.guess_time = EachOut(len(widths), width, max(widths, default=1))
        used = torch.arange(max(widths, default=1)) < torch.tensor(widths or [1])[:, None]
        self.register_buffer("used_NF", used.float(), persistent=False)

    def there(self, values: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """Cells that hold something; a name that training hardly knows is nothing to rebuild."""
        if not self.names:
            return present
        known_BN = present.clone()
        names = slice(self.numbers, self.numbers + len(self.names))
        known_BN[:, names] &= values["category"] > 0
        return known_BN

    def hide(self, values: Mapping[str, Tensor], hidden_BP: Tensor) -> dict[str, Tensor]:
        """The values as they are: presence says that a cell is not looked at."""
        return dict(values)

    def loss(self, z_BPE: Tensor, values: Mapping[str, Tensor], hidden_BP: Tensor) -> Tensor:
        """(B, N) in the order number, category, time."""
        names = len(self.names)
        number, name, time = z_BPE.split([self.numbers, names, self.most - self.numbers - names], 1)
        parts = []
        if self.numbers:
            parts.append(squared(self.guess_number(number).squeeze(2) - values["number"]))
        for i, guess in enumerate(self.guess_name):
            cost_B = F.cross_entropy(guess(name[:, i]), values["category"][:, i], reduction="none")
            parts.append(cost_B.unsqueeze(1) / math.log(max(2, self.names[i])))
        if time.shape[1]:
            cost_BNF = squared(self.guess_time(time) - values["time"]) * self.used_NF
            parts.append(2 * cost_BNF.sum(2) / self.used_NF.sum(1))  # sines spread by a half
        return torch.cat(parts, 1)


class EachOut(nn.Module):
    """A linear map of its own for each of N places: (B, N, E) -> (B, N, F)."""

    def __init__(self, places: int, width: int, outputs: int) -> None:
        super().__init__()
        self.weight_NEF = nn.Parameter(torch.randn(places, width, outputs) * width**-0.5)
        self.bias_NF = nn.Parameter(torch.zeros(places, outputs))

    def forward(self, z_BNE: Tensor) -> Tensor:
        """(B, N, F)."""
        return torch.einsum("bne,nef->bnf", z_BNE, self.weight_NEF) + self.bias_NF
