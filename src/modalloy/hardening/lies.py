"""What a lying or a worn sensor says while a network learns: where each column stands in a batch,
all that it may say, and corruptions of it at any severity.
"""

from functools import partial

import torch

from modalloy.attacks.budget import Budget
from modalloy.attacks.corruptions import CORRUPTIONS, SEVERITIES, befalls, corrupt
from modalloy.attacks.lying import lie
from modalloy.attacks.moves import Moves
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.corrupted import Corrupt
from modalloy.objectives.lying import Place
from modalloy.objectives.reach import Reach, ReachOf
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR

# By kind of column, a budget that reaches about all that its cells may say.
ANYTHING: dict[str, tuple[float, str]] = {
    "image": (255.0, "/255"),
    "audio": (100.0, "%"),
    "series": (3.0, "sd"),
    "vector": (3.0, "sd"),
    "number": (100.0, "%"),
    "time": (365.0, "d"),
    "text": (1.0, "embedding"),
    "tokens": (1.0, "embedding"),
}


def places(model: Model) -> dict[str, Place]:
    """Where each column of a model stands in its batches."""
    kinds = {k: [n for n, r in model.readers.items() if r.kind == k] for k in TABULAR}
    order = [name for names in kinds.values() for name in names]
    found = {}
    for name, reader in model.readers.items():
        if reader.kind in kinds:
            at = kinds[reader.kind].index(name)
            found[name] = Place(TABLE, reader.kind, at, order.index(name))
        else:
            found[name] = Place(name)
    return found


def anything(model: Model) -> dict[str, ReachOf[Model]]:
    """By column, all that it may say; categories, which no gradient moves, are left out."""
    found = {}
    for name, reader in model.readers.items():
        if reader.kind in ANYTHING:
            size, unit = ANYTHING[reader.kind]
            what = "embedding" if unit == "embedding" else "linf"
            found[name] = within([Budget(name, size, unit, what)])
    return found


def within(budgets: list[Budget]) -> ReachOf[Model]:
    """What an attacker may do to a batch within these budgets."""

    def reach(model: Model, batch: Batch) -> Reach:
        return Moves.of(model, batch, budgets)

    return reach


def noise(model: Model, batch: Batch, column: str) -> Batch:
    """The batch with noise in one column, from torch's global generator."""
    return lie(batch, model.readers, column, "noise", draw=torch.default_generator)


def corruptions(model: Model) -> list[tuple[Place, Corrupt]]:
    """Every corruption of every column of a model, each with where its column stands."""
    where = places(model)
    return [
        (where[name], partial(worn, model, kind, name))
        for kind in CORRUPTIONS
        for name in befalls(kind, model.readers)
    ]


def worn(model: Model, kind: str, column: str, batch: Batch) -> Batch:
    """The batch with one column corrupted, at a severity drawn from torch's global generator."""
    severity = SEVERITIES[int(torch.randint(len(SEVERITIES), ()))]
    own = {"draw": torch.default_generator, "columns": [column]}
    return corrupt(batch, model.readers, kind, severity, **own)
