"""What every kind of input does to be rebuilt: its places, how they are hidden, what was there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.model.layers.scale import Standardise

EPSILON = 1e-2  # added to the spread of a patch, so that an even one is not blown up
EDGE = 4.0  # differences beyond so many deviations cost no more than straight ones


class Rebuilt(nn.Module, ABC):
    """The places of one input: patches, pieces or cells, each hidden or not, row by row.

    Final subclasses write `there`, `hide`, and `loss`, and set `most`, the places that a row has at
    most. Letters: P places of a row, E width of the decoder.
    """

    most: int
    own_tokens: bool = False  # place p is the encoder's token p
    whole: bool = False  # hidden as a whole or not at all

    @abstractmethod
    def there(self, values: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """(B, P) bool: the places that a row has, with something to rebuild."""

    @abstractmethod
    def hide(self, values: Mapping[str, Tensor], hidden_BP: Tensor) -> dict[str, Tensor]:
        """The values as though nothing were known of the hidden places."""

    @abstractmethod
    def loss(self, z_BPE: Tensor, values: Mapping[str, Tensor], hidden_BP: Tensor) -> Tensor:
        """(B, P): what each place costs, rebuilt from `z`; about 1 for who knows nothing.

        values: as they were before anything was hidden. Only hidden places need to be right.
        """


def cut(x_BCL: Tensor, size: int) -> Tensor:
    """Stretches of one length, (B, P, C, S); zeros behind the last sample."""
    missing = -x_BCL.shape[2] % size
    return nn.functional.pad(x_BCL, (0, missing)).unflatten(2, (-1, size)).transpose(1, 2)


def spread_out(hidden_BP: Tensor, size: int, length: int) -> Tensor:
    """(B, L): places as the samples that they are made of."""
    return hidden_BP.repeat_interleave(size, 1)[:, :length]


def at_hidden(cost_N: Tensor, hidden_BP: Tensor, z_BPE: Tensor) -> Tensor:
    """(B, P): costs of hidden places, row after row, where they belong; zeros elsewhere."""
    zeros_BP = z_BPE.sum(2) * 0.0
    return zeros_BP.masked_scatter(hidden_BP, cost_N) if len(cost_N) else zeros_BP


class Patches(nn.Module):
    """What is to be rebuilt of patches, and what an error costs.

    Each patch is brought to mean 0 and deviation 1 (He et al. 2022, 2111.06377); what that takes
    away, its mean and the logarithm of its deviation, is rebuilt too, standardised over the patches
    seen so far. The patch and its two figures count a third each. Letters: G channels of a patch.
    """

    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.scale = Standardise(2 * groups)

    def truth(self, x_NGF: Tensor) -> Tensor:
        """(N, G, F + 2)."""
        mean_NG1 = x_NGF.mean(2, keepdim=True)
        spread_NG1 = x_NGF.var(2, keepdim=True, correction=0).add(EPSILON**2).sqrt()
        figures_NGt = torch.cat([mean_NG1, spread_NG1.log()], 2)
        figures_NGt = standardised(self.scale, figures_NGt.flatten(1)).view(figures_NGt.shape)
        return torch.cat([(x_NGF - mean_NG1) / spread_NG1, figures_NGt], 2)

    def cost(self, guess_NGF: Tensor, truth_NGF: Tensor) -> Tensor:
        """(N,)."""
        cost_NGF = squared(guess_NGF - truth_NGF)
        return ((cost_NGF[..., :-2].mean(2) + cost_NGF[..., -2] + cost_NGF[..., -1]) / 3).mean(1)


def standardised(scale: Standardise, x_NF: Tensor) -> Tensor:
    """The same numbers, standardised; no rows at all leave the figures as they are."""
    return scale(x_NF) if len(x_NF) or scale.together else x_NF


def squared(x: Tensor) -> Tensor:
    """x^2 up to `EDGE`, straight on from there."""
    return 2 * nn.functional.huber_loss(x, torch.zeros_like(x), reduction="none", delta=EDGE)
