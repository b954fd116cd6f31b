"""The nearest rows by a graph instead of by all rows (HNSW, Malkov & Yashunin 2016, 1603.09320):
for tables beyond a million rows, where exact search takes too long.

`usearch` builds and asks the graph; it is an extra. The graph of one matrix lies beside it.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.machine.imports import require
from modalloy.retrieval.index import Index
from modalloy.retrieval.nearest import Nearest

EFFORT = 128  # nodes that are held open while looking: more finds more of the true nearest


def nearest_by_graph(index: Index, name: str | None, vectors_QS: np.ndarray, top: int) -> Nearest:
    """What `nearest` answers without a filter, mostly: some of the true nearest may be missing.

    JobError where usearch is not installed.
    """
    require("usearch", "search", "--index usearch")
    from usearch.index import Index as Graph

    have = index.has(name)
    path = index.folder / f"{graph_name(index, name)}.usearch"
    matrix = index.matrix(name)
    graph = Graph(ndim=matrix.shape[1], metric="ip", dtype="f16", expansion_search=EFFORT)
    if path.is_file():
        graph.view(str(path))
    else:
        build(graph, matrix, have, path)
    top = min(top, int(have.sum()))
    found = [graph.search(np.asarray(v, dtype=np.float32), top) for v in vectors_QS]
    rows = np.full((len(found), top), -1, dtype=np.int64)
    for at, one in enumerate(found):
        rows[at, : len(one.keys)] = one.keys.astype(np.int64)
    scores = np.stack(
        [matrix[r.clip(0)].astype(np.float32) @ v for r, v in zip(rows, vectors_QS, strict=True)]
    )
    scores[rows < 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")
    taken = (np.take_along_axis(x, order, axis=1) for x in (rows, scores))
    return Nearest(*taken)


def build(graph: Any, matrix: np.ndarray, have: np.ndarray, path: Path) -> None:
    """Add every row that has something, some at a time, and keep the graph, whole or not at all."""
    rows = np.flatnonzero(have)
    for start in range(0, len(rows), 65_536):
        some = rows[start : start + 65_536]
        graph.add(some.astype(np.uint64), np.ascontiguousarray(matrix[some]))
    new = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        graph.save(str(new))
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def graph_name(index: Index, name: str | None) -> str:
    """The matrix that a graph is of."""
    return "row" if name is None else f"column{list(index.columns).index(name)}"
