"""Near-duplicate search between the parts of a split."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.checks.column_profile import word_count
from modalloy.checks.column_values import HASH, LISTS, few_at_once, mark, spread
from modalloy.checks.finding import Finding, counted, finding, share, some
from modalloy.checks.leaks import AGREED, agreement
from modalloy.checks.media_scan import Files, still
from modalloy.checks.parting import parting_column
from modalloy.checks.similarity import LONGEST, near_pictures, near_texts, plain
from modalloy.checks.target_findings import Truth
from modalloy.job import config
from modalloy.job.inputs import inputs
from modalloy.readers.text import to_words
from modalloy.readers.vector import to_array
from modalloy.table.split import Parts
from modalloy.table.table import Table

FEW_TWINS = 0.01  # share of test rows with a twin picture or sound that happens by chance
FEW_TEXTS = 0.03  # the same of texts: short sentences repeat in every archive
MANY_TEXTS = 0.25  # the same of texts beside other columns, which may tell the rows apart
SHORT = 5  # words under which a text says too little to be called a copy
RICH = 16  # different numbers of a vector that do not repeat by chance even if they are whole
NEAR = 20_000  # different texts of each side that are compared for more than equality


def twin_findings(
    job: config.Job,
    table: Table,
    parts: Parts,
    files: dict[tuple[str, str], Files],
    truths: list[Truth],
) -> Iterator[Finding]:
    """Test rows whose pictures, sounds, series, vectors or texts training rows hold nearly
    unchanged.

    A leak where more of them than chance explains agree with their twins in the answer, and where
    all columns of the kind are twins; a picture that many parts share is none. files: of each
    input and each column that it reads.
    """
    templates = {c for goal in job.tasks.values() for c in goal.pictures[1:]}
    kinds: dict[str, dict[str, np.ndarray]] = {
        kind: {} for kind in ("image", "audio", "series", "vector", "text")
    }
    for name, options in inputs(job).items():
        match options:
            case config.Image() if name not in templates and (name, name) in files:
                kinds["image"][name] = _pictures(files[name, name], table.rows, parts)
            case config.Audio() if (name, name) in files:
                kinds["audio"][name] = _recordings(files[name, name], table.rows)
            case config.Series() if options.history is None:
                channels = options.channels or [name]
                marks = [_series(c, files.get((name, c)), table, parts) for c in channels]
                kinds["series"][name] = _joined(marks)
            case config.Vector():
                kinds["vector"][name] = _vectors(name, table, parts)
            case config.Text():
                kinds["text"][name] = _texts(name, table, parts)
    for kind, columns in kinds.items():
        if columns:
            yield from _twins(job, kind, columns, table, parts, truths)


def picture_pairs(files: Files, rows: int, parts: Parts) -> np.ndarray:
    """(training row, test row) of pictures that are nearly the same, (P, 2); rows: of the table."""
    return _pairs(_pictures(files, rows, parts), parts)


def _twins(
    job: config.Job,
    kind: str,
    columns: dict[str, np.ndarray],
    table: Table,
    parts: Parts,
    truths: list[Truth],
) -> Iterator[Finding]:
    together = _joined(list(columns.values()))
    pairs = _pairs(together, parts)
    if len(pairs):
        yield _judged(job, kind, list(columns), pairs, table, parts, truths)
        return
    for name, marks in columns.items():
        pairs = _pairs(marks, parts)
        if len(pairs):
            what = _counted(kind, pairs, parts)
            level = "note" if kind == "text" else "warning"
            yield finding(level, name, f"{what}, with other columns unlike", pairs[:, 1])


def _judged(
    job: config.Job,
    kind: str,
    names: list[str],
    pairs: np.ndarray,
    table: Table,
    parts: Parts,
    truths: list[Truth],
) -> Finding:
    """One finding on rows that have a twin, grave or not."""
    what = _counted(kind, pairs, parts)
    told = [t.goal.target for t in truths if agreement(t, pairs, parts.train) >= AGREED]
    chance = FEW_TEXTS if kind == "text" else FEW_TWINS
    grave = bool(told) and len(pairs) > chance * len(parts.test)
    if kind == "text":
        alone = all(isinstance(o, config.Text) for o in inputs(job).values())
        enough = chance if alone else MANY_TEXTS
        grave = grave and _long(names, pairs, table) > enough * len(parts.test)
    if not grave:
        return finding("warning", some(names), what, pairs[:, 1])
    what = f"{what} and with it {some(told)}; {_advice(job, pairs, names, table)}"
    return finding("leak", some(names), what, pairs[:, 1])


def _advice(job: config.Job, pairs: np.ndarray, names: list[str], table: Table) -> str:
    """The column that keeps such pairs on one side of a split, where there is one."""
    targets = {c for t in job.tasks.values() for c in t.answers_in.values()}
    own = [job.split.column, job.split.by]
    taken = {c for c in [*names, *targets, *own] if c is not None}
    found = parting_column(table, pairs, taken)
    if found is None:
        return "keep copies on one side, or split by what they show"
    column, kept = found
    pairs_kept = f"{share(round(kept * len(pairs)), len(pairs))} of these pairs"
    return f"split: {{by: {column}}} would keep {pairs_kept} on one side"


def _counted(kind: str, pairs: np.ndarray, parts: Parts) -> str:
    noun = {"image": "picture", "audio": "recording"}.get(kind, kind)
    first = f"row {pairs[0, 1]} is row {pairs[0, 0]}"
    rows = f"{counted(len(pairs), 'test row')} ({share(len(pairs), len(parts.test))})"
    return f"{rows} share the {noun} of a training row ({first})"


def _long(names: list[str], pairs: np.ndarray, table: Table) -> int:
    """How many of the test rows say enough in their texts."""
    words = np.zeros(len(pairs), dtype=np.int64)
    for name in names:
        for at, cells in few_at_once(table, name, pairs[:, 1]):
            words[at] += [word_count(as_text(c)) for c in cells]
    return int((words >= SHORT).sum())


def _pairs(marks: np.ndarray, parts: Parts) -> np.ndarray:
    """(training row, test row) for each test row whose mark a training row has, (P, 2)."""
    known, first = np.unique(marks[parts.train], return_index=True)
    if not len(known):
        return np.zeros((0, 2), dtype=np.int64)
    test = marks[parts.test]
    at = np.searchsorted(known, test).clip(max=len(known) - 1)
    hit = (known[at] == test) & (test >= 0)
    return np.stack([parts.train[first[at[hit]]], parts.test[hit]], axis=1)


def _joined(columns: list[np.ndarray]) -> np.ndarray:
    """One mark for rows that are alike in all columns; -1 where all of them are empty."""
    marks_NK = np.stack(columns, axis=1)
    joined = np.unique(marks_NK, axis=0, return_inverse=True)[1].reshape(-1)
    return np.where((marks_NK >= 0).any(axis=1), joined, -1)


# --- marks: equal numbers for cells that are nearly the same, -1 for none ------------------------


def _pictures(files: Files, rows: int, parts: Parts) -> np.ndarray:
    thumbs = files.thumbs()
    train, test = (_used(files, part) for part in (parts.train, parts.test))
    pairs = near_pictures(thumbs[train], thumbs[test])
    marks = _clusters(len(thumbs), train[pairs[:, 0]], test[pairs[:, 1]])
    marks[[seen.fault is not None or seen.blank for seen in files.seen]] = -1
    return _of_rows(files, marks, rows)


def _recordings(files: Files, rows: int) -> np.ndarray:
    marks = _numbered(seen.mark for seen in files.seen)
    marks[[seen.fault is not None or seen.blank for seen in files.seen]] = -1
    return _of_rows(files, marks, rows)


def _series(name: str, files: Files | None, table: Table, parts: Parts) -> np.ndarray:
    """Files by their content, cells by the samples in them; series that never change have none."""
    if files is not None and files.seen:
        return _recordings(files, table.rows)
    return _lists(name, table, parts, lambda x: not still(x))


def _vectors(name: str, table: Table, parts: Parts) -> np.ndarray:
    """Lists of numbers by their content; a few flags or counts are alike by chance."""
    return _lists(
        name,
        table,
        parts,
        lambda x: not still(x) and bool((x != np.floor(x)).any() or len(np.unique(x)) >= RICH),
    )


def _lists(
    name: str, table: Table, parts: Parts, tells: Callable[[np.ndarray], bool]
) -> np.ndarray:
    """Equal marks for equal lists among those that tell something."""
    rows = np.concatenate([spread(parts.train, LISTS), spread(parts.test, LISTS)])
    marks = np.full(table.rows, -1, dtype=np.int64)
    for at, cells in few_at_once(table, name, rows):
        arrays = [np.zeros(0) if empty(c) else to_array(c) for c in cells]
        told = [isinstance(x, np.ndarray) and x.size > 0 and tells(x) for x in arrays]
        marks[rows[at]] = [
            hash(x.tobytes()) & HASH if isinstance(x, np.ndarray) and t else -1
            for x, t in zip(arrays, told, strict=True)
        ]
    return marks


def _texts(name: str, table: Table, parts: Parts) -> np.ndarray:
    """Equal texts in plain letters, and near ones among the first of each side."""
    marks = np.full(table.rows, -1, dtype=np.int64)
    train = _first_texts(name, table, parts.train, marks, np.zeros(0, dtype=np.int64))
    test = _first_texts(name, table, parts.test, marks, np.unique(marks[parts.train]))
    pairs = near_texts(list(train.values()), list(test.values()))
    every, of = np.unique(marks, return_inverse=True)
    i, j = (np.searchsorted(every, np.array(list(side), dtype=np.int64)) for side in (train, test))
    clusters = _clusters(len(every), i[pairs[:, 0]], j[pairs[:, 1]])
    return np.where(marks >= 0, clusters[of], -1)


def _first_texts(
    name: str, table: Table, rows: np.ndarray, marks: np.ndarray, known: np.ndarray
) -> dict[int, str]:
    """Beginnings of the first different texts of these rows that are not known, by their marks.

    Every row's mark is written into `marks`, (rows of the table,); of the other texts nothing else
    is kept.
    """
    first: dict[int, str] = {}
    for at, cells in few_at_once(table, name, rows):
        letters = {cell: plain(cell) for cell in {as_text(c) for c in cells}}
        texts = [letters[as_text(c)] for c in cells]
        own = np.array([mark(text) for text in texts], dtype=np.int64)
        marks[rows[at]] = own
        for place in np.flatnonzero((own >= 0) & ~np.isin(own, known)):
            if len(first) < NEAR:
                first.setdefault(int(own[place]), texts[place][:LONGEST])
    return first


def as_text(cell: Any) -> str:
    """The text of a cell, the words of a list with spaces between them; "" for none."""
    if empty(cell):
        return ""
    if isinstance(cell, str) and not cell.lstrip().startswith("["):
        return cell
    words = to_words(cell)
    return str(cell) if isinstance(words, str) else " ".join(words)


def _used(files: Files, part: np.ndarray) -> np.ndarray:
    """Files that rows of a part name."""
    found = np.unique(files.index[np.isin(files.rows, part)])
    return found[found >= 0]


def _clusters(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The number of the cluster of each of `count` things, where pairs (a, b) belong together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(a)), (a, b)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _of_rows(files: Files, marks: np.ndarray, rows: int) -> np.ndarray:
    """Marks of files as marks of table rows."""
    found = np.full(rows, -1, dtype=np.int64)
    has = files.index >= 0
    found[files.rows[has]] = marks[files.index[has]]
    return found


def _numbered(things: Iterable[Hashable]) -> np.ndarray:
    """The same number for equal things, counted from 0 in the order of their first appearance."""
    index: dict[Hashable, int] = {}
    return np.array([index.setdefault(thing, len(index)) for thing in things], dtype=np.int64)
