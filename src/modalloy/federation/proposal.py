"""What a site tells of its columns before anything is learned: statistics of many rows, no row.

Names that too few rows have are not told, and numbers only as quantiles with so many rows beyond
either end. Names may travel as keyed hashes, which the server cannot read.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells
from modalloy.cells.numbers import to_numbers
from modalloy.errors import EmptyColumnError, FederationError
from modalloy.job import config
from modalloy.job.inputs import input_columns
from modalloy.readers.build import fit_reader, target_of, to_state
from modalloy.readers.reader import Reader
from modalloy.readers.targets.target import TargetReader
from modalloy.readers.time import TimeReader
from modalloy.table.split import Parts
from modalloy.table.table import Table

KEY = "MODALLOY_SITE_KEY"  # of the environment: what hashes of names are made with
MONTH = 30.0  # days; first and last days are told no finer
FIT_ROWS = 20_000


def propose(job: config.Job, table: Table, parts: Parts, absent: Sequence[str]) -> dict[str, Any]:
    """The site's readers and targets as JSON, how many rows they stand for, and units."""
    empty = Loader(table, job, {}, {})
    rows = parts.train
    if len(rows) > FIT_ROWS:
        rows = np.sort(np.random.default_rng(job.seed).choice(rows, FIT_ROWS, replace=False))
    readers: dict[str, Reader] = {}
    for name, columns in input_columns(job).items():
        if all(c in absent for c in columns):
            continue
        found = told_reader(name, job, lambda some: empty.cells(some, rows))
        if found is not None:
            readers[name] = found
    targets: dict[str, TargetReader] = {}
    for name, options in job.tasks.items():
        kind = target_of(options)
        columns = kind.blank(name, options).columns
        if not any(c in absent for c in columns):
            try:
                targets[name] = kind.seen(name, options, empty.cells(columns, parts.train))
            except EmptyColumnError:
                continue
    state = {"readers": to_state(readers), "targets": to_state(targets)}
    if job.federate.names == "hashed":
        state = with_names(state, lambda name, text: hashed(name, text))
    units = {n: o.unit for n, o in job.columns.items() if isinstance(o, config.Number) and o.unit}
    return {**state, "rows": len(parts.train), "units": units}


def told_reader(
    name: str, job: config.Job, cells_of: Callable[[tuple[str, ...]], Cells]
) -> Reader | None:
    """A column's reader, as far as enough rows say the same; None where too few do."""
    options, fewest = job.columns[name], job.federate.fewest
    if isinstance(options, config.Category):
        least = max(options.min_count, fewest)
        options = options.model_copy(update={"min_count": least, "statistics": "none"})
    try:
        if isinstance(options, config.Number):
            cells = within(cells_of((name,)), name, fewest)
            found = None if cells is None else fit_reader(name, options, lambda _: cells)
        else:
            found = fit_reader(name, options, cells_of)
    except EmptyColumnError:
        return None
    if isinstance(found, TimeReader):
        first, last = found.edges
        edges = first - first % MONTH, last - last % MONTH + MONTH
        found = replace(found, edges=edges)
    return found


def within(cells: Cells, name: str, fewest: int) -> Cells | None:
    """Numbers with those that fewer rows reach drawn in to the last that enough of them do."""
    x = to_numbers(cells[name], cells.decimal)
    known = x[np.isfinite(x)]
    if len(known) < 2 * fewest:
        return None
    ends = np.sort(known)[[fewest - 1, len(known) - fewest]]
    drawn = [float(v) if np.isfinite(v) else None for v in np.clip(x, *ends)]
    return Cells({name: drawn}, cells.folder, cells.allow_outside, cells.decimal)


def hashed(column: str, name: str) -> str:
    """A name as sites with the same key write it, and nobody else can read it."""
    key = os.environ.get(KEY, "")
    if not key:
        raise FederationError(
            f"federate.names: hashed needs the sites' common key in the environment's {KEY}."
        )
    data = f"{column}\0{name}".encode()
    return "h:" + hmac.new(key.encode(), data, hashlib.sha256).hexdigest()[:24]


def with_names(
    state: Mapping[str, Any], change: Callable[[str, str], str]
) -> dict[str, dict[str, Any]]:
    """Readers' and targets' JSON with every name changed; tags keep what says where they begin."""
    found: dict[str, dict[str, Any]] = {}
    for part in ("readers", "targets"):
        found[part] = {}
        for name, fields in state[part].items():
            names = fields.get("names")
            if names is not None:
                column = fields.get("column", name)
                names = [changed_tag(n, column, change, fields["kind"]) for n in names]
                fields = {**fields, "names": names}
            found[part][name] = fields
    return found


def changed_tag(name: str, column: str, change: Callable[[str, str], str], kind: str) -> str:
    """One name changed."""
    if kind != "tag":
        return change(column, name)
    begin, dash, rest = name.partition("-")
    return name if not dash else f"{begin}-{change(column, rest)}"
