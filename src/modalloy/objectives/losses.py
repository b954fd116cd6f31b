"""What every objective is: a plain function of a model and a batch that gives named losses."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn

from modalloy.model.tokens import Batch

Net = TypeVar("Net", bound=nn.Module)


class Losses(dict[str, Tensor]):
    """Mean losses, scalars, by name (`names.py`).

    counts: over how many things each is a mean, and the least that it is divided by: processes
    that train together weigh their losses by it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, tuple[Tensor, float]] = {}

    def add(self, name: str, mean: Tensor, count: Tensor, least: float = 0.0) -> None:
        """One more loss: a mean over `count` things, with a gradient even where there are none."""
        self[name], self.counts[name] = mean, (count, least)


Objective = Callable[[Net, Batch], Losses]
