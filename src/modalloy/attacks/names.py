"""Another known name in a category's cell: every one is tried, and the worst is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modalloy.attacks.attack import Found, answering, by_loss, look
from modalloy.attacks.budget import Budget
from modalloy.attacks.valid_plain import put_column
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR
from modalloy.readers.category import CategoryReader


@dataclass(frozen=True)
class Names:
    """Coordinate search over categories: column after column, each by what the ones before left.

    most: names of a column that are tried, drawn where it has more. One column alone is searched
    exhaustively up to that many; several together need not give the worst pair. tasks: those
    attacked, all for None.
    """

    most: int = 64
    tasks: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return "names"

    def __call__(
        self, model: Model, batch: Batch, budgets: Sequence[Budget], *, draw: torch.Generator
    ) -> Batch:
        """The rows with the worst name of each column that has a budget."""
        with answering(model):
            for budget in budgets:
                if budget.what == "name":
                    batch = self.search(model, batch, budget.column, draw)
        return batch

    def search(self, model: Model, batch: Batch, column: str, draw: torch.Generator) -> Batch:
        """The rows with the worst name of one column."""
        reader = model.readers[column]
        assert isinstance(reader, CategoryReader)
        kinds = [[r.name for r in model.readers.values() if r.kind == k] for k in TABULAR]
        place = [name for names in kinds for name in names].index(column)
        own = kinds[TABULAR.index("category")].index(column)
        given_B, present_B = batch.values[TABLE]["category"][:, own], batch.present[TABLE][:, place]
        measure = by_loss(self.tasks)
        best = Found(given_B[:, None], look(model, batch, measure))
        order = torch.randperm(len(reader.names), generator=draw)[: self.most] + 1
        for number in sorted(order.tolist()):
            tried_B = torch.where(present_B, torch.full_like(given_B, number), given_B)
            found = look(model, named(batch, own, tried_B), measure)
            best = best.or_worse(tried_B[:, None], found)
        return named(batch, own, best.u_BM[:, 0])


def named(batch: Batch, place: int, x_B: torch.Tensor) -> Batch:
    """The rows with other names in one category column."""
    values = {i: dict(v) for i, v in batch.values.items()}
    put_column(values[TABLE], "category", place, x_B)
    return Batch(values, batch.present, batch.targets, batch.rows)
