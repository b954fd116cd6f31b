"""What a run's space is worth on rows that it has not learned from: columns that find one another,
and classes that are known by their names alone.
"""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.space_rows import Vectors, row_vectors
from modalloy.cells.cells import empty
from modalloy.judge.metrics.retrieval import own_ranks, ranked
from modalloy.model.body import Body
from modalloy.model.space import Space
from modalloy.table.open_table import open_table
from modalloy.tasks.kit import kit_of

READS = ("text", "tokens")
TEMPLATES = ("{}", "a photo of {}", "{} can be seen")  # their vectors are averaged, as CLIP's are
FEWEST = 2  # rows, below which nothing is found


def recalls(found: Vectors) -> dict[str, dict[str, Any]]:
    """Figures of every ordered pair of columns, on the rows that have both: `photo -> note`."""
    figures = {}
    for a, b in permutations(found.columns, 2):
        both = found.present[a] & found.present[b]
        if both.sum() >= FEWEST:
            ranks = own_ranks(found.columns[a][both], found.columns[b][both])
            figures[f"{a} -> {b}"] = ranked(ranks, int(both.sum()))
    return figures


def zero_shot(
    body: Body, space: Space, loader: Loader, which: np.ndarray, found: Vectors
) -> dict[str, dict[str, Any]]:
    """Tasks of single classes answered by the nearest class name: task -> column -> accuracy.

    A name is read by the first text column, in several templates whose vectors are averaged. Text
    columns are left out as evidence where they are the one that reads names.
    """
    texts = [n for n, r in loader.readers.items() if r.kind in READS and n in space.inputs]
    if not texts:
        return {}
    figures = {}
    for task, options in loader.job.tasks.items():
        one_class = kit_of(options).promises == "classes" and not options.several
        if not one_class or options.target not in loader.table.columns:
            continue
        cells = loader.table.written(options.target, which)
        if any(not isinstance(c, str | int | float | bool) for c in cells if not empty(c)):
            continue  # lists of labels
        truth = [None if empty(c) else str(c).strip() for c in cells]
        names = sorted({str(c).strip() for c in known(loader, options.target)})
        if len(names) >= 2:
            z_CS = class_vectors(body, space, loader, texts[0], names)
            figures[task] = {"names": names, "read_by": texts[0]} | {
                "columns": by_column(found, z_CS, names, truth, skip=texts[0])
            }
    return figures


def known(loader: Loader, target: str) -> list[Any]:
    """All values of a target that the table knows."""
    return [v for v in loader.table.codes(target)[1] if not empty(v)]


def class_vectors(
    body: Body, space: Space, loader: Loader, column: str, names: Sequence[str]
) -> np.ndarray:
    """Unit vectors of class names as a text column reads them, (C, S)."""
    texts = [template.format(name) for name in names for template in TEMPLATES]
    reader = loader.readers[column]
    table = open_table({c: texts for c in reader.columns})
    own = Loader(table, loader.job, loader.readers, {}, cache_gb=0.0)
    given = (body, space, own, np.arange(len(texts)))
    z = row_vectors(*given, inputs=[column], whole=False).columns[column]
    z_CS = z.reshape(len(names), len(TEMPLATES), -1).mean(1)
    return z_CS / np.maximum(np.linalg.norm(z_CS, axis=1, keepdims=True), 1e-12)


def by_column(
    found: Vectors,
    z_CS: np.ndarray,
    names: Sequence[str],
    truth: Sequence[str | None],
    *,
    skip: str,
) -> dict[str, dict[str, Any]]:
    """Accuracy by the vectors of each column but one, on the rows that have it and an answer."""
    figures = {}
    at = {name: i for i, name in enumerate(names)}
    y_N = np.array([-1 if t is None else at.get(t, -1) for t in truth])
    for name, z_NS in found.columns.items():
        rows = found.present[name] & (y_N >= 0)
        if name == skip or not rows.any():
            continue
        answered = (z_NS[rows] @ z_CS.T).argmax(1)
        right = answered == y_N[rows]
        most = np.bincount(y_N[rows], minlength=len(names)).max() / rows.sum()
        figures[name] = {"accuracy": float(right.mean()), "rows": int(rows.sum())}
        figures[name] |= {"chance": 1 / len(names), "most_common": float(most)}
    return figures
