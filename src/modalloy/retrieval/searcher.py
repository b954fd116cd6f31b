"""A run and the index of a table, opened once and asked any number of times."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.opened import Opened, open_rows
from modalloy.answer.space_rows import row_vectors
from modalloy.checks.finding import some
from modalloy.errors import TableError
from modalloy.job.job_file import FRAME
from modalloy.machine.progress import Bar
from modalloy.model.device import placed
from modalloy.retrieval.approximate import nearest_by_graph
from modalloy.retrieval.asked import Asked, Kind, read_query, refuse_unsearchable
from modalloy.retrieval.found import Found, hits_of
from modalloy.retrieval.index import Index, bound_to, build_index, find_index, place_of
from modalloy.retrieval.nearest import Nearest, nearest
from modalloy.retrieval.where import Filter, allowed, read_filter
from modalloy.runs.run import Run, load_run
from modalloy.runs.space import space_of
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

How = Literal["exact", "usearch"]
UNALIGNED = (
    "this run has no space for all columns: {what} are compared by what the network learned of "
    "them for its tasks"
)


class Searcher:
    """The rows of a table as a run sees them, found by text, picture, sound or row.

    run: a run or its directory; one that was pretrained with `contrast` compares any column with
    any other, any other run a column with itself and whole rows with whole rows. table: whatever
    `open_table` opens, the run's own for None. folder: of the index, beside the run for None; it is
    built where there is none, and anew where the table has changed. rebuild: build it in any case.
    how: `usearch` asks a graph instead of every row. shorten: the share of the nearest rows that
    shorter vectors have to keep, which take less disk and time; an index that was not built so is
    built anew. For None an index is taken as it is, and a new one has whole vectors.
    """

    def __init__(
        self,
        run: Run | str | Path,
        table: Any = None,
        *,
        sheet: str | None = None,
        folder: str | Path | None = None,
        rebuild: bool = False,
        how: How = "exact",
        shorten: float | None = None,
        quiet: bool = True,
    ) -> None:
        if shorten is not None and not 0.0 < shorten <= 1.0:
            raise TableError(
                f"search: shorten {shorten:g} is no share of the nearest rows to keep; give more "
                "than 0 and up to 1, such as 0.95."
            )
        self.run = run if isinstance(run, Run) else load_run(run, pretrained=True)
        self.how = how
        self.body, self.space = self.run.body(), space_of(self.run)
        if self.space is not None:
            self.space = placed(self.space)
        self.opened = open_rows(self.run, own_table(self.run, table, sheet), quiet=quiet)
        self.loader = self.opened.loader
        place = Path(folder) if folder else place_of(self.run, self.loader.table)
        bound = bound_to(self.run, self.loader.table)
        found = None if rebuild else find_index(place, bound)
        if found is not None and shorten is not None:
            found = found if found.short and found.short.share == shorten else None
        if found is None:
            with Bar("indexing rows", self.loader.table.rows, quiet=quiet) as bar:
                given = (self.body, self.space, self.loader, place, bound)
                found = build_index(*given, share=shorten, tick=bar.advance)
        self.index: Index = found

    def search(
        self,
        *,
        text: str | None = None,
        image: str | Path | bytes | None = None,
        audio: str | Path | bytes | None = None,
        row: int | None = None,
        like: Any = None,
        column: str | None = None,
        against: str | None = None,
        where: str | Sequence[str] = (),
        top: int = 10,
    ) -> Found:
        """The rows nearest to one query.

        row: a row of the indexed table, which is not found itself. like: a table, each of whose
        rows is a query. column: that reads the text, picture or recording, where several could.
        against: the column whose vectors are compared; whole rows for None, and in a run without a
        space the query's own column. where: conditions as `line=3` or `load=2..5` that rows meet.
        top: how many rows.

        Raises TableError for no query or several, an empty one, one of a kind that the run does not
        read, columns that cannot be compared, and a condition on no column.
        """
        given: dict[Kind, Any] = {"text": text, "image": image, "audio": audio}
        given |= {"row": row, "like": like}
        asked = read_query(self.run.readers, given, column=column)
        if top < 1:
            raise TableError(f"search: top is {top}; ask for at least one row.")
        filters = [read_filter(w) for w in ([where] if isinstance(where, str) else where)]
        if against is None and not self.index.aligned:
            against = asked.column
        self.refuse(asked, against)
        like = open_rows(self.run, open_table(asked.given)) if asked.kind == "like" else None
        query = self.query(asked, None if like is None else like.loader)
        rows_N = self.findable(against, filters, asked)
        found = self.nearest(against, query.vectors_QS, top, rows_N, filtered=bool(filters))
        found.rows[~query.has_Q] = -1
        hits = [hits_of(self.loader, r, s) for r, s in zip(*found, strict=True)]
        return Found(
            asked.said,
            against,
            hits,
            [str(f) for f in filters],
            str(self.loader.table.source),
            self.run.path.resolve().name,
            self.loader,
            list(dict.fromkeys(self.notes(asked, query, like))),
            self.index.aligned,
        )

    def refuse(self, asked: Asked, against: str | None) -> None:
        """TableError where the query and what it is compared with have nothing in common."""
        inputs = list(self.index.columns)
        source = f"run {self.run.path.resolve().name}"
        given = {"aligned": self.index.aligned, "source": source}
        refuse_unsearchable(asked, against, inputs, **given)

    def query(self, asked: Asked, like: Loader | None) -> "Query":
        """What is looked for, as the index holds its own. like: the rows of another table."""
        if like is not None:
            return self.rows_like(like)
        if asked.kind == "row":
            vectors_QS = self.own_vector(asked.given)
        else:
            assert asked.column is not None, "cells are read by a column"
            vectors_QS = self.cell_vectors(asked.column, [asked.given])
        return Query(vectors_QS, np.ones(1, dtype=bool))

    def own_vector(self, row: int) -> np.ndarray:
        """The vector of a whole row of the index, (1, S)."""
        if not 0 <= row < len(self.index):
            raise TableError(
                f"search: there is no row {row}; {self.index.source} has the rows 0 to "
                f"{len(self.index) - 1}."
            )
        if not self.index.has(None)[row]:
            raise TableError(f"search: row {row} has no cell that this run reads.")
        return np.asarray(self.index.row[[row]], dtype=np.float32)

    def rows_like(self, loader: Loader) -> "Query":
        """The whole rows of another table."""
        which = np.arange(loader.table.rows)
        found = row_vectors(self.body, self.space, loader, which, inputs=list(self.index.columns))
        assert found.row is not None, "whole rows were asked for"
        has_Q = np.any([*found.present.values(), np.zeros(len(which), dtype=bool)], axis=0)
        return Query(self.index.placed(None, found.row), has_Q)

    def cell_vectors(self, column: str, cells: Sequence[Any]) -> np.ndarray:
        """The vectors of cells as a column reads them, (Q, S). TableError for one that cannot be
        read.
        """
        reader = self.run.readers[column]
        table = {c: list(cells) if c == column else [None] * len(cells) for c in reader.columns}
        # A recording that is looked for is not heard: the column that reads it is asked alone.
        loader = Loader(
            open_table(table), self.run.job, self.run.readers, {}, hidden=self.run.hidden
        )
        which = np.arange(len(cells))
        found = row_vectors(self.body, self.space, loader, which, inputs=[column], whole=False)
        for at in which[~found.present[column]]:
            status = loader.status[column].get(int(at), "empty")
            raise TableError(f"search: the query for column '{column}' cannot be read: {status}.")
        return self.index.placed(column, found.columns[column])

    def findable(self, against: str | None, filters: Sequence[Filter], asked: Asked) -> np.ndarray:
        """Which rows may be found, (N,) bool: those that have what is compared and meet filters."""
        rows_N = self.index.has(against).copy()
        met_N = allowed(self.loader.table, filters)
        if met_N is not None:
            rows_N &= met_N
        if asked.kind == "row":
            rows_N[asked.given] = False
        return rows_N

    def nearest(
        self,
        against: str | None,
        vectors_QS: np.ndarray,
        top: int,
        rows_N: np.ndarray,
        *,
        filtered: bool,
    ) -> Nearest:
        """The nearest rows; with a filter always by all of them, since a graph knows none."""
        if self.how == "usearch" and not filtered:
            found = nearest_by_graph(self.index, against, vectors_QS, top + 1)
            return without(found, rows_N, top)
        return nearest(self.index.matrix(against), vectors_QS, top, allowed_N=rows_N)

    def notes(self, asked: Asked, query: "Query", like: Opened | None) -> Iterator[str]:
        """What is to be said of what was compared, and of the tables."""
        if not self.index.aligned:
            what = "whole rows" if asked.column is None else f"cells of column '{asked.column}'"
            yield UNALIGNED.format(what=what)
        if self.index.short is not None:
            yield self.index.short.text(self.index.row.shape[1])
        if not query.has_Q.all():
            empty = np.flatnonzero(~query.has_Q).tolist()
            yield (
                f"nothing is looked for by row{'s' if len(empty) > 1 else ''} {some(empty, 12)} of "
                "the given table, which have no cell that this run reads"
            )
        yield from self.opened.notes()
        yield from () if like is None else like.notes()


class Query(NamedTuple):
    """Q vectors to look for, and which of them are of something."""

    vectors_QS: np.ndarray
    has_Q: np.ndarray


def without(found: Nearest, rows_N: np.ndarray, top: int) -> Nearest:
    """What was found of rows that may be, the rest behind it."""
    ok_QK = (found.rows >= 0) & rows_N[found.rows.clip(0)]
    scores = np.where(ok_QK, found.scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    rows = np.take_along_axis(np.where(ok_QK, found.rows, -1), order, axis=1)
    return Nearest(rows, np.take_along_axis(scores, order, axis=1))


def own_table(run: Run, table: Any, sheet: str | None) -> Table:
    """The table that is searched: the one given, or the run's own."""
    if table is not None:
        return open_table(table, sheet=sheet)
    if run.job.table == FRAME:
        raise TableError(
            f"search: {run.path} learned from a frame in memory; give the table to search in."
        )
    return open_table(run.job.table, sheet=run.job.sheet)
