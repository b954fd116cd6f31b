"""Plant rows as a twin reads them: settings inside its bounds, measured outputs, parts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.cells.values import spelled
from modalloy.errors import TwinError
from modalloy.table.open_table import open_table
from modalloy.table.table import Table
from modalloy.twin.calibration.plant_columns import (
    AS_NAMED,
    PlantColumns,
    numbers_of,
    sources,
)
from modalloy.twin.space import Space, place, settled
from modalloy.twin.tasks import meant
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Categorical, Free, Ordinal

FAILED = ("failed", "timed out", "out of memory", "nonsense")  # of a twin's own rows


class PlantRows(NamedTuple):
    """N rows. designs: every variable by name. u_ND: the same in the unit cube. y_NO: measured
    outputs, NaN where a cell is empty. part_N: which part each row is of, from 0. row_N: where in
    the table it stands. notes: sentences about rows that are left out.
    """

    source: str
    designs: list[dict[str, Any]]
    u_ND: np.ndarray
    y_NO: np.ndarray
    outputs: tuple[str, ...]
    part_N: np.ndarray
    row_N: np.ndarray
    notes: tuple[str, ...]

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return int(self.part_N.max()) + 1


def read_plant_rows(
    twin: Twin, rows: Any, *, names: PlantColumns = AS_NAMED, most: int = 400, seed: int = 0
) -> PlantRows:
    """The rows that a twin can be compared with.

    rows: whatever `open_table` takes. most: rows that are used; of more, whole parts are drawn.
    TwinError, all faults in one: no column of a variable, no output in common, settings outside
    the twin's bounds, fewer rows than hidden parameters, no hidden parameter at all.
    """
    if not twin.hidden:
        raise TwinError(
            f"{twin.name}: has no hidden parameters, so rows have nothing to calibrate; name some "
            "under `hidden`, each with low and high."
        )
    table = open_table(rows)
    column_of = sources(twin, table, names)
    outputs = tuple(name for name in numbers_of(twin) if name in column_of)
    y_NO = np.stack([table.numbers(column_of[name]) for name in outputs], axis=1)
    y_NO[~np.isfinite(y_NO)] = np.nan
    free = Space(twin.variables).free
    cells = {n: values(table, column_of[n], v) for n, v in free.items() if n in column_of}
    kept_N, notes = usable(table, cells, column_of, y_NO)
    if len(kept_N) < len(twin.hidden):
        raise TwinError(
            f"{table.source}: {len(kept_N)} usable rows are fewer than the twin's "
            f"{len(twin.hidden)} hidden parameters; give more rows, or take parameters that are "
            "known away." + "".join(f" {note}" for note in notes)
        )
    part_N = parts_of(table, names.part)[kept_N]
    some_N = chosen(part_N, most, seed)
    if len(some_N) < len(kept_N):
        notes.append(f"{len(some_N)} of {len(kept_N)} rows are used, drawn by parts.")
    kept_N, part_N = kept_N[some_N], np.unique(part_N[some_N], return_inverse=True)[1]
    kept = {n: (column_of[n], [own[i] for i in kept_N]) for n, own in cells.items()}
    u_ND = settings(twin, table.source, names, kept, kept_N)
    designs = Space(twin.variables).decode(u_ND)
    return PlantRows(
        table.source, designs, u_ND, y_NO[kept_N], outputs, part_N, kept_N, tuple(notes)
    )


def values(table: Table, column: str, variable: Free) -> Sequence[Any]:
    """Cells of a column as its variable has them: words or numbers; None where there is nothing."""
    words = isinstance(variable, Categorical) or (
        isinstance(variable, Ordinal) and isinstance(variable.levels[0], str)
    )
    if words:
        return [spelled(cell) for cell in table.written(column)]
    return [x if np.isfinite(x) else None for x in table.numbers(column).tolist()]


def usable(
    table: Table, cells: Mapping[str, Sequence[Any]], column_of: Mapping[str, str], y_NO: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Rows with every setting and some output, and sentences about those without."""
    good_N = np.ones(table.rows, dtype=bool)
    notes = []

    def leave_out(bad_N: np.ndarray, why: str) -> None:
        if count := int((good_N & bad_N).sum()):
            notes.append(f"{count} of {table.rows} rows are left out: {why}.")
        good_N[bad_N] = False

    if "status" in table.columns:
        failed_N = np.array([cell in FAILED for cell in table.written("status")])
        leave_out(failed_N, "their run has not succeeded")
    for name, own in cells.items():
        empty_N = np.array([cell is None for cell in own])
        leave_out(empty_N, f"their cell of '{column_of[name]}' is empty")
    leave_out(np.all(np.isnan(y_NO), axis=1), "no output was measured")
    return np.flatnonzero(good_N), notes


def parts_of(table: Table, column: str | None) -> np.ndarray:
    """A number for the part of each row; rows that name none are parts of their own."""
    if column is None:
        return np.arange(table.rows)
    known: dict[str, int] = {}
    names = [spelled(cell) for cell in table.written(column)]
    return np.array(
        [known.setdefault(n or f"\0{i}", len(known)) for i, n in enumerate(names)], dtype=np.int64
    )


def chosen(part_N: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Places of at most so many rows, in their order: all, or those of parts that are drawn."""
    if len(part_N) <= most:
        return np.arange(len(part_N))
    order = np.random.default_rng(seed).permutation(np.unique(part_N))
    rank_N = np.argsort(order)[np.searchsorted(np.sort(order), part_N)]
    by_rank = np.argsort(rank_N, kind="stable")[:most]
    return np.sort(by_rank)


def settings(
    twin: Twin,
    source: str,
    names: PlantColumns,
    kept: Mapping[str, tuple[str, Sequence[Any]]],
    row_N: np.ndarray,
) -> np.ndarray:
    """u_ND of the rows that are kept; kept: for each variable its column, and its cells there.

    TwinError where some lie where the twin does not go.
    """
    space = Space(twin.variables)
    u_ND = np.zeros((len(row_N), space.size))
    faults = []
    for name, variable in space.free.items():
        own_NC = u_ND[:, space.groups[name]]
        if name in names.settings:
            value = settled(variable, meant(variable, names.settings[name]), f"--set {name}")
            place(variable, value, own_NC[0])
            own_NC[:] = own_NC[0]
            continue
        column, cells = kept[name]
        wrong = list(misplaced(variable, cells, own_NC, row_N, f"{source}: column '{column}'"))
        if wrong:
            more = f" {len(wrong) - 1} more rows are like that." if len(wrong) > 1 else ""
            faults.append(wrong[0] + more)
    if faults:
        why = "Widen the twin's bounds if it holds there too, or leave these rows out."
        raise TwinError("\n".join([*faults, why]))
    return u_ND


def misplaced(
    variable: Free, cells: Sequence[Any], own_NC: np.ndarray, row_N: np.ndarray, where: str
) -> Iterable[str]:
    """Fill in the columns of one variable; a sentence for each cell that does not fit."""
    for i, cell in enumerate(cells):
        try:
            value = settled(variable, cell, f"{where}, row {row_N[i]}:")
        except TwinError as error:
            yield str(error)
        else:
            place(variable, value, own_NC[i])
