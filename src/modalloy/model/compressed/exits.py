"""Early exits of transformer blocks: rows whose answer is clear leave, the others go on together.

Behind each block but the last a linear head says how clear a row is: the highest chance that it
gives to a class (Teerapittayanon et al. 2016, 1709.01686; Xin et al. 2020, DeeBERT, 2004.12993).
Where these authors answer by that head, a row that leaves here takes along what the last block
would have made of it, as well as linear maps can tell: so everything behind the blocks - fusion,
several tasks, tags - works as it does for any other row.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from modalloy.model.body import Body
from modalloy.model.compressed.stacks import SINGLE, replace_stack, stacks_of, tokens_of


class Exit(nn.Module):
    """What stands behind one block: a head over classes, and maps to the last block's states, one
    for the first token of a row and one for all others.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(2 * width, classes)
        self.first = nn.Linear(width, width)
        self.others = nn.Linear(width, width)

    def sure(self, x_BTD: Tensor, mask_BT: Tensor | None) -> Tensor:
        """The highest chance of a class, (B,)."""
        return self.head(seen(x_BTD, mask_BT)).softmax(1).amax(1)

    def last(self, x_BTD: Tensor) -> Tensor:
        """What the last block would make of states, (B, T, D)."""
        return torch.cat([self.first(x_BTD[:, :1]), self.others(x_BTD[:, 1:])], 1)


def seen(x_BTD: Tensor, mask_BT: Tensor | None) -> Tensor:
    """The state of the first token and the mean of all that exist, (B, 2 D)."""
    if mask_BT is None:
        return torch.cat([x_BTD[:, 0], x_BTD.mean(1)], 1)
    weight_BT1 = mask_BT.unsqueeze(2).to(x_BTD.dtype)
    mean_BD = (x_BTD * weight_BT1).sum(1) / weight_BT1.sum(1).clamp_min(1.0)
    return torch.cat([x_BTD[:, 0], mean_BD], 1)


class ExitingStack(nn.Module):
    """Blocks one after the other with an exit behind each but the last; in evaluation mode alone.

    threshold: a row leaves at the first exit that is at least as sure; above 1 none does. A graph
    for export has no shape that depends on its data: there every row goes all the way. depths:
    blocks that the rows of the last call went through, (B,); None where none could leave.
    """

    depths: Tensor | None = None

    def depths_of(self, rows: int) -> Tensor:
        """Blocks that the rows of the last call went through, (B,)."""
        return torch.full((rows,), len(self.blocks)) if self.depths is None else self.depths

    def __init__(self, blocks: Iterable[nn.Module], width: int, classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.exits = nn.ModuleList(Exit(width, classes) for _ in self.blocks[:-1])
        self.register_buffer("threshold", torch.tensor(2.0))

    def forward(self, x_BTD: Tensor, mask: Tensor | None = None, *args: Any, **rest: Any) -> Tensor:
        """States as behind the last block, (B, T, D).

        mask: as the blocks take it: (B, T), or (B or 1, 1, T, T) as transformers has it.
        """
        threshold = self.get_buffer("threshold")
        self.depths = None
        if self.training or torch.compiler.is_exporting() or threshold > 1:
            for block in self.blocks:
                x_BTD = block(x_BTD, mask, *args, **rest)
            return x_BTD
        found_BTD = torch.empty_like(x_BTD)
        rows = torch.arange(len(x_BTD), device=x_BTD.device)
        self.depths = torch.full_like(rows, len(self.blocks))
        for number, block in enumerate(self.blocks):
            x_BTD = block(x_BTD, mask, *args, **rest)
            if number == len(self.exits):
                break
            door = self.exits[number]
            assert isinstance(door, Exit)
            leaves = door.sure(x_BTD, tokens_of(mask, x_BTD)) >= threshold
            if leaves.any():
                found_BTD[rows[leaves]] = door.last(x_BTD[leaves])
                self.depths[rows[leaves]] = number + 1
                rows, x_BTD = rows[~leaves], x_BTD[~leaves]
                if mask is not None and len(mask) > 1:
                    mask = mask[~leaves]
            if not len(rows):
                return found_BTD
        found_BTD[rows] = x_BTD
        return found_BTD


def put_exits(model: Body, exits: Mapping[str, Mapping[str, int]]) -> None:
    """Put exits behind the blocks of these lists, in place; `width` and `classes` of each."""
    stacks = stacks_of(model, SINGLE)
    for name, own in exits.items():
        replace_stack(model, name, ExitingStack(stacks[name], own["width"], own["classes"]))
