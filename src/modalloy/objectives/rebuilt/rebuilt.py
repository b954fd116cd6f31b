"""What every kind of input does to be rebuilt: its places, how they are hidden, what was there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

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


def patch_truth(x_BPF: Tensor) -> Tensor:
    """What is to be rebuilt of patches, (B, P, F + 2): each brought to mean 0 and deviation 1 (He
    et al. 2022, 2111.06377), beside its mean and the logarithm of its deviation.
    """
    mean_BP1 = x_BPF.mean(2, keepdim=True)
    spread_BP1 = x_BPF.var(2, keepdim=True, correction=0).add(EPSILON**2).sqrt()
    return torch.cat([(x_BPF - mean_BP1) / spread_BP1, mean_BP1, spread_BP1.log()], 2)


def patch_loss(guess_BPF: Tensor, truth_BPF: Tensor) -> Tensor:
    """(B, P): mean square of what differs, the patch itself and its two figures a third each."""
    cost_BPF = squared(guess_BPF - truth_BPF)
    return (cost_BPF[..., :-2].mean(2) + cost_BPF[..., -2] + cost_BPF[..., -1]) / 3


def squared(x: Tensor) -> Tensor:
    """x^2 up to `EDGE`, straight on from there."""
    return 2 * nn.functional.huber_loss(x, torch.zeros_like(x), reduction="none", delta=EDGE)
