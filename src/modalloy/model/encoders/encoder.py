"""What every encoder does: one input's arrays become tokens and a summary."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.model.layers.shared_norms import Partaker, anywhere, as_guest, stand_in
from modalloy.model.tokens import Tokens


class Encoder(Partaker, nn.Module, ABC):
    """A trunk that turns cells into features, and a head that turns features into tokens.

    The split exists so that a frozen trunk runs once for each row: its features are cached on disk
    and come back as `values`. Final subclasses write `features`, `embed`, and set `self.trunk` (the
    pretrained or fitted module, or None) and `self.frozen`; those with `fits` also write `fit`.
    """

    trunk: nn.Module | None
    frozen: bool = False
    fits: bool = False  # has a front that is taken from training rows before any learning
    held: bool = False  # for now treated as frozen; it learns later
    adapted: bool = False  # for now small parts learn beside its layers, frozen or not
    opened: bool = False  # for now gradients pass a frozen trunk on their way to the cells
    paired_width: int | None = None  # of `paired_features`, where the trunk is one of two towers

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.trunk = None  # set here: a class attribute would hide the module set later
        self.absent_D = nn.Parameter(torch.randn(width) * 0.02)
        self.blocks: list[nn.Module] = []  # of its network, from input to output

    @property
    def network(self) -> nn.Module:
        """What is adapted: the trunk, the network from scratch, or all where it has neither."""
        return self

    @property
    def reading(self) -> list[str]:
        """How the names of the weights begin that read cells, in front of those that sum them up;
        none where that is not two things.
        """
        found = [n for n, m in self.named_children() if m is self.network]
        return [f"{n}." for n in found] + ["absent_D"] if found else []

    @property
    def still(self) -> bool:
        """Whether its features depend on nothing that learns now."""
        return (self.frozen and not self.adapted) or self.held

    @abstractmethod
    def features(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Trunk outputs of each row on its own, rows first; holds the key `features`."""

    @abstractmethod
    def embed(self, features: Mapping[str, Tensor]) -> Tokens:
        """Tokens of width D from trunk outputs; all rows are taken as present."""

    def fit(self, values: Mapping[str, Tensor], generator: torch.Generator) -> None:
        """Take from training rows what is never learned; only called where `fits` is set."""
        raise NotImplementedError(f"{type(self).__name__} has nothing to fit")

    def pooled_features(self, features: Mapping[str, Tensor]) -> Tensor:
        """What trunk outputs say of each whole row, (B, F), before anything is learned of it."""
        return features["features"].flatten(1)

    def paired_features(self, features: Mapping[str, Tensor]) -> Tensor:
        """What the projection of a checkpoint of two towers reads, (B, F); only called where
        `paired_width` is set.
        """
        raise NotImplementedError(f"{type(self).__name__} has no twin tower")

    def forward(self, values: Mapping[str, Tensor], present_B: Tensor, /) -> Tokens:
        """Tokens of B rows; only present rows are computed, the others get the learned absent
        token.

        A graph for export has no shape that depends on its data, so there all rows are computed.
        """
        if torch.compiler.is_exporting():
            return self.every_row(values, present_B)
        rows = present_B.nonzero().squeeze(1)
        if self.awaited(rows):
            return self.take_part(values, rows, len(present_B))
        if len(rows) == 0:
            return self.absent(len(present_B))
        whole = len(rows) == len(present_B)
        some = values if whole else {k: v[rows] for k, v in values.items()}
        tokens = self.embed(self.trunk_features(some))
        return tokens if whole else self.scatter(tokens, rows, len(present_B))

    def every_row(self, values: Mapping[str, Tensor], present_B: Tensor) -> Tokens:
        """The same tokens in evaluation mode, without looking at which rows are present first.

        Rows without the input are computed on ones, which no encoder finds empty, and replaced.
        """
        some = {k: torch.where(beside(present_B, v), v, v.new_ones(())) for k, v in values.items()}
        tokens = self.embed(self.trunk_features(some))
        x_BTD, summary_BD, words = tokens.x_BTD, tokens.summary_BD, tokens.words_BW
        first_T = torch.arange(x_BTD.shape[1], device=x_BTD.device) == 0
        absent_TD = torch.where(first_T[:, None], self.absent_D, 0.0).to(x_BTD.dtype)
        return Tokens(
            torch.where(beside(present_B, x_BTD), x_BTD, absent_TD),
            torch.where(beside(present_B, tokens.mask_BT), tokens.mask_BT, first_T),
            torch.where(present_B[:, None], summary_BD, self.absent_D.to(summary_BD.dtype)),
            None if words is None else torch.where(beside(present_B, words), words, -1),
            tuple(torch.where(beside(present_B, m), m, 0.0) for m in tokens.maps),
        )

    def awaited(self, rows: Tensor) -> bool:
        """Whether none of these rows is here, but other processes have some and wait for us."""
        return self.together and self.training and anywhere(rows) and not len(rows)

    def take_part(self, values: Mapping[str, Tensor], rows: Tensor, total: int) -> Tokens:
        """Tokens of rows without the input, after running on a row that counts for nothing."""
        with as_guest(self):
            tokens = self.embed(self.trunk_features(stand_in(values)))
        none = Tokens(
            tokens.x_BTD[:0],
            tokens.mask_BT[:0],
            tokens.summary_BD[:0],
            None if tokens.words_BW is None else tokens.words_BW[:0],
            tuple(m[:0] for m in tokens.maps),
        )
        return self.scatter(none, rows, total)

    def trunk_features(self, values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Features from the cache where they came with the batch, else from the trunk."""
        if "features" in values:
            return values
        if self.still and not self.opened:
            with torch.no_grad():
                return self.features(values)
        return self.features(values)

    def train(self, mode: bool = True) -> "Encoder":
        """A frozen trunk stays in evaluation mode: its features do not depend on the step.

        It never leaves that mode, not even for a moment: a thread that reads ahead may be running
        it meanwhile.
        """
        self.training = mode
        for child in self.children():
            still = child is self.trunk and self.still
            child.train(mode and not still)
        return self

    def absent(self, rows: int) -> Tokens:
        """Tokens of rows whose cells are all absent."""
        x_BTD = self.absent_D.expand(rows, 1, self.width)
        mask_BT = torch.ones(rows, 1, dtype=torch.bool, device=x_BTD.device)
        return Tokens(x_BTD, mask_BT, self.absent_D.expand(rows, self.width))

    def scatter(self, tokens: Tokens, rows: Tensor, total: int) -> Tokens:
        """Put the tokens of present rows back among absent ones."""
        x, summary = tokens.x_BTD, tokens.summary_BD
        x_BTD = x.new_zeros(total, x.shape[1], self.width)
        x_BTD[:, 0] = self.absent_D.to(x.dtype)
        x_BTD = x_BTD.index_copy(0, rows, x)
        mask_BT = tokens.mask_BT.new_zeros(total, x.shape[1])
        mask_BT[:, 0] = True
        mask_BT = mask_BT.index_copy(0, rows, tokens.mask_BT)
        absent_BD = self.absent_D.to(summary.dtype).expand(total, self.width)
        summary_BD = absent_BD.index_copy(0, rows, summary)
        words = tokens.words_BW
        if words is not None:
            words = words.new_full((total, words.shape[1]), -1).index_copy(0, rows, words)
        maps = tuple(m.new_zeros(total, *m.shape[1:]).index_copy(0, rows, m) for m in tokens.maps)
        return Tokens(x_BTD, mask_BT, summary_BD, words, maps)


def beside(present_B: Tensor, x: Tensor) -> Tensor:
    """Presence of rows in as many dimensions as another tensor has, (B, 1, ...)."""
    return present_B.reshape(-1, *(1 for _ in x.shape[1:]))


def pool(x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean over the tokens that exist, (B, D)."""
    weight_BT1 = mask_BT.unsqueeze(-1).to(x_BTD.dtype)
    return (x_BTD * weight_BT1).sum(1) / weight_BT1.sum(1).clamp_min(1.0)
