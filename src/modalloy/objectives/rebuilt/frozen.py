"""What a frozen encoder says of a row: nothing in it can be hidden, but others can tell it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.model.encoders.encoder import Encoder
from modalloy.model.layers.scale import Standardise
from modalloy.objectives.rebuilt.rebuilt import Rebuilt, at_hidden, squared, standardised


class RebuiltFrozen(Rebuilt):
    """The pooled features of one column, as one place that is hidden with the whole column."""

    most = 1
    whole = True

    def __init__(self, encoder: Encoder, features: int, width: int) -> None:
        super().__init__()
        self.encoder = [encoder]  # in a list: it is the body's
        self.scale = Standardise(features)
        self.guess = nn.Linear(width, features)

    def there(self, values: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """Rows that have the column."""
        return present[:, None]

    def hide(self, values: Mapping[str, Tensor], hidden_BP: Tensor) -> dict[str, Tensor]:
        """The values as they are: presence says that the column is not looked at."""
        return dict(values)

    def loss(self, z_BPE: Tensor, values: Mapping[str, Tensor], hidden_BP: Tensor) -> Tensor:
        """(B, 1), zeros but for hidden rows."""
        rows = hidden_BP[:, 0].nonzero().squeeze(1)
        guess_NF = self.guess(z_BPE[rows, 0])
        truth_NF = self.truth(values, rows)
        cost_N = squared(guess_NF - truth_NF).mean(1)
        return at_hidden(cost_N, hidden_BP, z_BPE)

    @torch.no_grad()
    def truth(self, values: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """Standardised features of these rows, (N, F)."""
        if len(rows):
            some = {name: x[rows] for name, x in values.items()}
            features = self.encoder[0].trunk_features(some)
            x_NF = self.encoder[0].pooled_features(features)
        else:
            x_NF = self.guess.weight.new_zeros(0, len(self.guess.weight))
        return standardised(self.scale, x_NF)
