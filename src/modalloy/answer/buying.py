"""Answers of rows that buy one input after another, as a plan says: what is not bought is neither
read nor encoded.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answered, Answers, Hidden, View
from modalloy.answer.blended import blended
from modalloy.answer.engine import Decided, Encoded, Engine
from modalloy.answer.loader import Loader
from modalloy.answer.network import BATCH, answers_of
from modalloy.answer.views import view_of
from modalloy.blend.mixture import Blend
from modalloy.cells.cells import empty
from modalloy.policy.plan import Plan
from modalloy.policy.seen import Seen
from modalloy.readers.batch import TABLE, ArrayBatch, Arrays

CELLS_AT_ONCE = 256  # a cell may hold a whole file
NOT_BOUGHT = "not bought"  # the status of a cell that was there, and was not read


class Bought(NamedTuple):
    """Answers of B rows before their stage, and what was bought for them.

    bought: input -> which rows bought it, (B,) bool. there: input -> which rows could have. view:
    what the network makes of what was bought, where that was asked for.
    """

    answers: Answers
    bought: dict[str, np.ndarray]
    there: dict[str, np.ndarray]
    view: View | None


@dataclass
class Group:
    """Rows that have bought the same inputs, all of them encoded. at: places among all rows."""

    engine: Engine
    rows: np.ndarray
    at: np.ndarray
    tokens: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Arrays] = field(default_factory=dict)
    present: Arrays = field(default_factory=dict)
    pooled: Arrays = field(default_factory=dict)

    def take(self, i: np.ndarray) -> "Group":
        """Some of the rows."""
        return Group(
            self.engine,
            self.rows[i],
            self.at[i],
            {name: self.engine.take(t, i) for name, t in self.tokens.items()},
            {name: {k: v[i] for k, v in own.items()} for name, own in self.values.items()},
            {name: p[i] for name, p in self.present.items()},
            {name: x[i] for name, x in self.pooled.items()},
        )


class Buyer:
    """A network and its blend with a plan, over the rows of one table."""

    def __init__(
        self,
        engine: Engine,
        blend: Blend,
        loader: Loader,
        plan: Plan,
        viewed: Collection[str] | None,
    ) -> None:
        self.engine, self.blend, self.loader, self.plan = engine, blend, loader, plan
        self.viewed = viewed

    def buy(
        self, which: np.ndarray, *, batch: int, tick: Callable[[int], None] = lambda n: None
    ) -> Bought:
        """Answers of these rows, in their order; so many go the way together."""
        there = {i: there_of(self.loader, i, which) for i in self.engine.inputs}
        ended: list[tuple[Group, Answers, View | None]] = []
        for start in range(0, len(which), batch):
            at = np.arange(start, min(start + batch, len(which)))
            ended += self._go(Group(self.engine, which[at], at), there)
            tick(len(at))
        order = np.concatenate([group.at for group, _, _ in ended])
        back = np.argsort(order, kind="stable")
        bought = {i: np.zeros(len(which), dtype=bool) for i in self.engine.inputs}
        for group, _, _ in ended:
            for name in group.tokens:
                bought[name][group.at] = True
        answers = joined_answers([a for _, a, _ in ended], back)
        views = [view for _, _, view in ended if view is not None]
        return Bought(answers, bought, there, joined_views(views, back) if views else None)

    def _go(
        self, group: Group, there: Mapping[str, np.ndarray]
    ) -> Iterator[tuple[Group, Answers, View | None]]:
        """The rows of a group with their answers, wherever their ways end."""
        if not self.plan.always:
            yield from self._look(group, there)
            return
        for own, named in alike({n: there[n][group.at] for n in self.plan.always}):
            yield from self._look(self._with(group.take(own), named), there)

    def _look(
        self, group: Group, there: Mapping[str, np.ndarray]
    ) -> Iterator[tuple[Group, Answers, View | None]]:
        """Asks the rule for these rows, and goes on with what each of them buys."""
        names = self.plan.inputs
        found = self._answer(group if group.tokens else group.take(np.arange(1)))
        x_BF = self.plan.features.of(found[0])
        if not group.tokens:  # without a cell all rows look alike
            x_BF = np.repeat(x_BF, len(group.rows), axis=0)
        bought_BM = np.tile([n in group.tokens for n in names], (len(group.rows), 1))
        there_BM = np.stack([there[n][group.at] for n in names], axis=1)
        seen = Seen(bought_BM, there_BM & ~bought_BM, x_BF)
        wanted_BM = self.plan.rule.wants(seen) & seen.open_BM
        for own, named in alike(dict(zip(names, wanted_BM.T, strict=True))):
            if named:
                yield from self._look(self._with(group.take(own), named), there)
            else:
                yield self._end(group, own, found if group.tokens else None)

    def _end(
        self, group: Group, own: np.ndarray, found: tuple[Answers, Decided] | None
    ) -> tuple[Group, Answers, View | None]:
        """The answers of some rows of a group, which buy no more."""
        part = group.take(own)
        answers, said = self._answer(part) if found is None else found
        at = np.arange(len(own)) if found is None else own
        answers = {task: {k: v[at] for k, v in a.items()} for task, a in answers.items()}
        if self.viewed is None:
            return part, answers, None
        summaries = {n: s_BD[at] for n, s_BD in said.summaries.items()}
        some = Decided({}, {}, summaries, said.fused_BD[at])
        given = ArrayBatch(part.values, part.present, rows=part.rows)
        seen = {n: x_BF for n, x_BF in part.pooled.items() if n in self.viewed}
        return part, answers, view_of(self.engine, self.loader, given, some, seen)

    def _with(self, group: Group, names: Iterable[str]) -> Group:
        """The group with these inputs read and encoded."""
        for name in names:
            given = self.loader.batch(group.rows, inputs=[name])
            pooled = [name] if name in self.blend.widths or name in (self.viewed or ()) else []
            found = self.engine.encode(given, [name], pooled=pooled)
            group.tokens[name] = found.tokens[name]
            group.values[name], group.present[name] = given.values[name], given.present[name]
            group.pooled |= found.pooled
        return group

    def _answer(self, group: Group) -> tuple[Answers, Decided]:
        """What the run says of these rows with what they have bought, before their stage."""
        rows = len(group.rows)
        said = self.engine.decide(Encoded(group.rows, group.tokens))
        hidden: Hidden = frozenset(self.engine.inputs).difference(group.tokens)
        heads = {i: answers_of(self.engine, said.heads[i]) for i in self.blend.heads}
        vectors = {
            i: group.pooled.get(i, np.full((rows, width), np.nan, np.float32))
            for i, width in self.blend.widths.items()
        }
        answers = answers_of(self.engine, said.tasks)
        answered = Answered({hidden: answers}, {}, {hidden: heads}, vectors)
        return blended(self.blend, answered, self.loader, group.rows)[hidden], said


def buy_rows(
    engine: Engine,
    blend: Blend,
    loader: Loader,
    which: np.ndarray,
    plan: Plan,
    *,
    viewed: Collection[str] | None = None,
    batch: int = BATCH,
    tick: Callable[[int], None] = lambda n: None,
) -> Bought:
    """Answers of some rows, in their order, each with what a plan buys for it.

    An answer is the one that the run gives with the other inputs hidden. viewed: to keep what the
    network makes of the rows, of these inputs as their trunks pool them. tick is called with the
    number of rows done.
    """
    buyer = Buyer(engine, blend, loader, plan, viewed)
    with engine.answering():
        return buyer.buy(which, batch=batch, tick=tick)


def there_of(loader: Loader, name: str, which: np.ndarray) -> np.ndarray:
    """Which rows have a cell of an input that could be read, (B,) bool; no file is opened."""
    readers = loader.tabular if name == TABLE else [loader.readers[name]]
    found_B = np.zeros(len(which), dtype=bool)
    for start in range(0, len(which), CELLS_AT_ONCE):
        at = slice(start, start + CELLS_AT_ONCE)
        for reader in readers:
            if reader.name in loader.hidden:
                continue
            cells = loader.cells(reader.columns, which[at])
            rows = zip(*(cells[c] for c in reader.columns), strict=True)
            found_B[at] |= np.array([not all(map(empty, row)) for row in rows], dtype=bool)
    return found_B


def bought_statuses(
    said: Mapping[str, list[str]], found: Bought, loader: Loader, label: str
) -> dict[str, list[str]]:
    """The status of each cell, `label` in place of what was not read though it was there."""
    tabular = {r.name for r in loader.tabular}
    out = {}
    for name, statuses in said.items():
        of = TABLE if name in tabular else name
        bought_B, there_B = found.bought[of], found.there[of]
        out[name] = [
            s if b else label if t else "missing"
            for s, b, t in zip(statuses, bought_B, there_B, strict=True)
        ]
    return out


def alike(named: Mapping[str, np.ndarray]) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Positions of rows of which the same of these hold, with the names of those."""
    names, holds_BM = list(named), np.stack(list(named.values()), axis=1)
    for pattern_M in np.unique(holds_BM, axis=0):
        own = np.flatnonzero((holds_BM == pattern_M).all(1))
        yield own, [n for n, held in zip(names, pattern_M, strict=True) if held]


def joined_answers(parts: list[Answers], back: np.ndarray) -> Answers:
    """One answer a task from those of groups of rows."""
    return {
        task: {key: np.concatenate([p[task][key] for p in parts])[back] for key in parts[0][task]}
        for task in parts[0]
    }


def joined_views(parts: list[View], back: np.ndarray) -> View:
    """One view from those of groups of rows; what a group did not buy is NaN in its rows."""
    widths = {n: x_BF.shape[1] for part in parts for n, x_BF in part.columns.items()}
    nothing = {n: np.full((1, width), np.nan, np.float32) for n, width in widths.items()}
    columns = {
        n: np.concatenate([p.columns.get(n, nothing[n].repeat(len(p), axis=0)) for p in parts])[
            back
        ]
        for n in widths
    }
    return View(
        parts[0].names,
        np.concatenate([p.present_BN for p in parts])[back],
        columns,
        np.concatenate([p.fused_BD for p in parts])[back],
    )
