"""Answers of a run as its blend makes them: the network's, its own heads' and classical methods',
all of the same rows with the same inputs hidden.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer, Answered, Answers, Hidden
from modalloy.answer.loader import Loader
from modalloy.blend.mixture import Blend
from modalloy.classical.blocks import FeatureBlock, read_blocks
from modalloy.classical.method import FittedMethod
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR
from modalloy.readers.targets.regress import within
from modalloy.tasks.kit import kit_of

AT_ONCE = 4096  # rows whose cells are held at once
Blocks = Mapping[str, FeatureBlock]


def blended(
    blend: Blend, answered: Answered, loader: Loader, which: np.ndarray
) -> dict[Hidden, Answers]:
    """Combined answers of these rows by which inputs were hidden; other tasks' as they were.

    answered: of the rows, with `blend.heads` and `blend.widths`.
    """
    found = {h: dict(answers) for h, answers in answered.seen.items()}
    every = [method for m in blend.tasks.values() for _, method in m.methods]
    said = iter(ask(every, answered, loader, which))
    for task, mixture in blend.tasks.items():
        options = loader.job.tasks[task]
        own = [next(said) for _ in mixture.methods]
        for h, answers in answered.seen.items():
            heads = {i: answered.heads[h][i][task] for i in mixture.heads}
            beside = [possible(options, a[h]) for a in own]
            found[h][task] = possible(options, mixture.answer(answers[task], heads, beside))
    return found


def possible(options: Any, answer: Answer) -> Answer:
    """An answer whose numbers and quantiles lie within the task's bounds, as the network's do."""
    kit = kit_of(options)
    if not (kit.numbers and kit.averaged):
        return answer
    return {key: within(options, y) for key, y in answer.items()}


def ask(
    methods: Sequence[FittedMethod], answered: Answered, loader: Loader, which: np.ndarray
) -> list[dict[Hidden, Answer]]:
    """Each method's answers to these rows by which inputs were hidden.

    Cells are read once for all of them, and a method is asked once for all hidden sets that leave
    it the same.
    """
    hidden = {h: hidden_names(h, loader) for h in answered.seen}
    sees = [{h: n & {*m.readers, *m.frozen} for h, n in hidden.items()} for m in methods]
    parts: list[dict[frozenset[str], list[Answer]]]
    parts = [{names: [] for names in own.values()} for own in sees]
    never = frozenset.intersection(*hidden.values()) if hidden else frozenset()
    for at, seen, gone in blocks_of(methods, loader, which, never):
        rows = len(which[at])
        for method, said in zip(methods, parts, strict=True):
            for names, answers in said.items():
                blocks = {i: gone[i] if i in names else seen[i] for i in method.readers}
                vectors = {i: answered.pooled[i][at] for i in method.frozen}
                answers.append(method.of_blocks(blocks, side_by_side(vectors, names), rows))
    every = [{names: joined(a) for names, a in said.items()} for said in parts]
    return [
        {h: known[names] for h, names in own.items()}
        for own, known in zip(sees, every, strict=True)
    ]


def blocks_of(
    methods: Sequence[FittedMethod],
    loader: Loader,
    which: np.ndarray,
    never: Collection[str] = (),
) -> Iterator[tuple[slice, Blocks, Blocks]]:
    """Plain features of all inputs that some method looks at, some rows at a time; and the features
    of as many rows that lack every input.

    never: inputs that nobody will look at; no cell of theirs is read.
    """
    readers = {name: reader for m in methods for name, reader in m.readers.items()}
    shown = {name: reader for name, reader in readers.items() if name not in never}
    columns = list(dict.fromkeys(c for r in readers.values() for c in r.columns))
    for start in range(0, len(which) if methods else 0, AT_ONCE):
        at = slice(start, start + AT_ONCE)
        if not readers:
            yield at, {}, {}
            continue
        read = list(dict.fromkeys(c for r in shown.values() for c in r.columns))
        cells = loader.cells(read, which[at])
        blank = replace(cells, columns={c: [None] * len(which[at]) for c in columns})
        gone = read_blocks(readers, blank)
        yield at, gone | read_blocks(shown, cells), gone


def hidden_names(hidden: Hidden, loader: Loader) -> frozenset[str]:
    """Names of the columns that are not seen: those of `hidden`, and those that are never read."""
    tabular = {n for n, r in loader.readers.items() if r.kind in TABULAR}
    return (hidden - {TABLE}) | (tabular if TABLE in hidden else frozenset()) | loader.hidden


def side_by_side(vectors: Mapping[str, np.ndarray], names: Collection[str]) -> np.ndarray | None:
    """Pooled vectors of several inputs as one matrix, NaN for those that are hidden."""
    if not vectors:
        return None
    parts = [np.full_like(x_BF, np.nan) if i in names else x_BF for i, x_BF in vectors.items()]
    return np.concatenate(parts, axis=1)


def joined(parts: Sequence[Answer]) -> Answer:
    """One answer from those of some rows at a time."""
    return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
