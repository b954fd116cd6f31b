"""Lists of numbers: one place a few neighbouring entries, hidden as their usual value."""

from collections.abc import Mapping

from torch import Tensor, nn

from modalloy.objectives.rebuilt.rebuilt import Rebuilt, cut, spread_out, squared
from modalloy.readers.vector import VectorReader

PIECES = 16  # of a list


class RebuiltVector(Rebuilt):
    """Entries of the lists of one column, standardised as its reader does it."""

    def __init__(self, reader: VectorReader, width: int) -> None:
        super().__init__()
        self.size = -(-reader.length // min(PIECES, reader.length))
        self.most = -(-reader.length // self.size)
        self.length = reader.length
        self.guess = nn.Linear(width, self.size)

    def there(self, values: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """All pieces of a list."""
        return present[:, None].expand(-1, self.most)

    def hide(self, values: Mapping[str, Tensor], hidden_BP: Tensor) -> dict[str, Tensor]:
        """Zeros, the mean of each entry."""
        hidden_BL = spread_out(hidden_BP, self.size, self.length)
        return {**values, "x": values["x"].masked_fill(hidden_BL, 0.0)}

    def loss(self, z_BPE: Tensor, values: Mapping[str, Tensor], hidden_BP: Tensor) -> Tensor:
        """(B, P)."""
        truth_BPS = cut(values["x"].unsqueeze(1), self.size).squeeze(2)
        return squared(self.guess(z_BPE) - truth_BPS).mean(2)
