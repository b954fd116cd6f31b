"""Words changed so that the label stays: a greedy black-box search over typos and the like."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from modalloy.attacks.attack import answering
from modalloy.attacks.budget import Budget, CellsOf
from modalloy.attacks.goal import Harm, harm
from modalloy.attacks.typos import rewritten, typos
from modalloy.cells.cells import Cells
from modalloy.model.model import Model
from modalloy.model.tokens import Batch, tensors
from modalloy.readers.text import TextReader, TokensReader, to_words

PROBE = "-"  # stands in a word's place while its weight is measured


@dataclass(frozen=True)
class Words:
    """Greedy search as in DeepWordBug (Gao et al. 2018, 1801.04354): the words that weigh most in
    the loss are changed first, each to the worst of some changes; `typos.py` says which.

    cells_of: cells of some columns of the table's rows, as a loader has them. looked: words of a
    text that are weighed, drawn where it has more. tries: changes of a word that are asked for. So
    a column takes `looked + size * tries` answers. tasks: those attacked, all for None.
    """

    cells_of: CellsOf
    looked: int = 24
    tries: int = 8
    tasks: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return "words"

    def __call__(
        self, model: Model, batch: Batch, budgets: Sequence[Budget], *, draw: torch.Generator
    ) -> Batch:
        """The rows with other words in each column that has a budget in words or characters."""
        with answering(model), torch.no_grad():
            for budget in budgets:
                if budget.what in ("words", "characters"):
                    batch = self.written(model, batch, budget, draw)[0]
        return batch

    def written(
        self, model: Model, batch: Batch, budget: Budget, draw: torch.Generator
    ) -> tuple[Batch, list[list[str] | None]]:
        """The rows after the search in one column, and their words; None for cells left alone."""
        asked = Asked(model, batch, budget.column, self.cells_of, self.tasks)
        chance = random.Random(int(torch.randint(2**31, (), generator=draw)))
        words = list(asked.words)
        best = asked.harm(words)
        order = self.heaviest(asked, words, chance)
        for step in range(int(budget.size)):
            options = [
                self.options(w, o, step, budget, chance) for w, o in zip(words, order, strict=True)
            ]
            for i in range(self.tries):
                tried = [o[i] if i < len(o) else w for o, w in zip(options, words, strict=True)]
                if all(t is w for t, w in zip(tried, words, strict=True)):
                    break
                found = asked.harm(tried)
                worse = found.worse(best).tolist()
                words = [t if w else k for t, w, k in zip(tried, worse, words, strict=True)]
                best = better(found, best)
        return asked.batch(words), [
            None if w is None or w == given else w
            for w, given in zip(words, asked.words, strict=True)
        ]

    def heaviest(
        self, asked: "Asked", words: Sequence[list[str] | None], chance: random.Random
    ) -> list[list[int]]:
        """The places of each text's words, those whose loss of them does most harm first."""
        places = [drawn_places(w, self.looked, chance) for w in words]
        weight: list[dict[int, float]] = [{} for _ in words]
        for i in range(max((len(p) for p in places), default=0)):
            probed = [
                w if w is None or i >= len(p) else [*w[: p[i]], PROBE, *w[p[i] + 1 :]]
                for w, p in zip(words, places, strict=True)
            ]
            loss = asked.harm(probed).loss_B.tolist()
            for row, p in enumerate(places):
                if i < len(p):
                    weight[row][p[i]] = loss[row]
        return [sorted(w, key=lambda at, w=w: -w[at]) for w in weight]

    def options(
        self,
        words: list[str] | None,
        order: Sequence[int],
        step: int,
        budget: Budget,
        chance: random.Random,
    ) -> list[list[str]]:
        """Changes of a text at its next heaviest word that has any, drawn where there are many."""
        if words is None or step >= len(order) or order[step] >= len(words):
            return []
        at = order[step]
        if budget.what == "words":
            found = rewritten(words, at)
        else:
            found = [[*words[:at], other, *words[at + 1 :]] for other in typos(words[at])]
        return chance.sample(found, self.tries) if len(found) > self.tries else found


class Asked:
    """A batch whose text of one column is asked about with other words; the rest is encoded once.

    words: of each row, None where the cell is missing or holds no text.
    """

    def __init__(
        self,
        model: Model,
        batch: Batch,
        column: str,
        cells_of: CellsOf,
        tasks: Sequence[str] | None,
    ) -> None:
        self.model, self.given, self.column, self.tasks = model, batch, column, tasks
        reader = model.readers[column]
        assert isinstance(reader, TextReader)
        self.reader = reader
        self.cells = list(cells_of(reader.columns, batch.rows)[column])
        present = batch.present[column].tolist()
        pairs = zip(self.cells, present, strict=True)
        self.words = [words_of(c, reader) if p else None for c, p in pairs]
        others = [i for i in model.inputs if i != column]
        self.tokens = model.encode(batch, others)

    def values(self, words: Sequence[list[str] | None]) -> dict[str, torch.Tensor]:
        """The column's values with these words; cells whose words are the same stay as written."""
        split = isinstance(self.reader, TokensReader)
        triples = zip(words, self.words, self.cells, strict=True)
        said: list[Any] = [
            cell if w is None or w == given else list(w) if split else " ".join(w)
            for w, given, cell in triples
        ]
        device = self.given.present[self.column].device
        read = self.reader.read(Cells({self.column: said})).values
        return {k: v.to(device) for k, v in tensors(read).items()}

    def batch(self, words: Sequence[list[str] | None]) -> Batch:
        """The rows with these words."""
        values = {**self.given.values, self.column: self.values(words)}
        return Batch(values, self.given.present, self.given.targets, self.given.rows)

    def harm(self, words: Sequence[list[str] | None]) -> Harm:
        """How wrong the answers are with these words, without encoding the other columns again."""
        batch = self.batch(words)
        tokens = {**self.tokens, self.column: self.model.encode_one(self.column, batch)}
        return harm(self.model, self.model.decide(tokens, batch, self.tasks), batch, self.tasks)


def words_of(cell: Any, reader: TextReader) -> list[str] | None:
    """The words of a cell; None where it is no text that is written in words."""
    if isinstance(reader, TokensReader):
        words = to_words(cell)
        return words if isinstance(words, list) and words else None
    return cell.split() or None if isinstance(cell, str) else None


def drawn_places(words: list[str] | None, most: int, chance: random.Random) -> list[int]:
    """Places of words that have a typo, at most so many."""
    found = [] if words is None else [i for i, w in enumerate(words) if typos(w)]
    return chance.sample(found, most) if len(found) > most else found


def better(found: Harm, best: Harm) -> Harm:
    """The worse of two for the model, row by row."""
    worse_B = found.worse(best)
    return Harm(
        torch.where(worse_B, found.loss_B, best.loss_B),
        torch.where(worse_B, found.wrong_B, best.wrong_B),
    )
