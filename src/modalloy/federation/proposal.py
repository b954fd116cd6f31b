"""What a site tells of its columns before anything is learned: statistics of many rows, no row.

Names that too few rows have are not told, nothing is of a column that too few rows have, and
numbers are told as quantiles of means of so many rows, the lowest and the highest of which do not
count by how far off they are. Names may travel as keyed hashes, which the server cannot read.
"""

import hashlib
import hmac
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells, empty
from modalloy.cells.numbers import to_numbers
from modalloy.errors import EmptyColumnError, FederationError
from modalloy.job import config
from modalloy.job.inputs import input_columns
from modalloy.readers.build import fit_reader, target_of, to_state
from modalloy.readers.number import from_log, to_log
from modalloy.readers.reader import Reader
from modalloy.readers.targets.regress import NumberTarget
from modalloy.readers.targets.target import TargetReader
from modalloy.readers.time import TimeReader
from modalloy.table.split import Parts
from modalloy.table.table import Table

KEY = "MODALLOY_SITE_KEY"  # of the environment: what hashes of names are made with
MONTH = 30.0  # days; first and last days are told no finer
FIT_ROWS = 20_000


def propose(job: config.Job, table: Table, parts: Parts, absent: Sequence[str]) -> dict[str, Any]:
    """The site's readers and targets as JSON, how many rows they stand for, and units."""
    loader = Loader(table, job, {}, {})
    rows = parts.train
    if len(rows) > FIT_ROWS:
        rows = np.sort(np.random.default_rng(job.seed).choice(rows, FIT_ROWS, replace=False))
    readers: dict[str, Reader] = {}
    for name, columns in input_columns(job).items():
        if all(c in absent for c in columns):
            continue
        found = told_reader(name, job, lambda some: loader.cells(some, rows))
        if found is not None:
            readers[name] = found
    targets: dict[str, TargetReader] = {}
    for name, options in job.tasks.items():
        kind = target_of(options)
        columns = kind.blank(name, options).columns
        if not any(c in absent for c in columns):
            found = told_target(name, job, loader.cells(columns, parts.train))
            if found is not None:
                targets[name] = found
    state = {"readers": to_state(readers), "targets": to_state(targets)}
    if job.federate.names == "hashed":
        state = with_names(state, lambda name, text: hashed(name, text))
    units = {n: o.unit for n, o in job.columns.items() if isinstance(o, config.Number) and o.unit}
    units |= {o.target: unit for o in job.tasks.values() if (unit := getattr(o, "unit", None))}
    return {**state, "rows": len(parts.train), "units": units}


def told_reader(
    name: str, job: config.Job, cells_of: Callable[[tuple[str, ...]], Cells]
) -> Reader | None:
    """A column's reader, as far as enough rows say the same; None where too few do."""
    options, fewest = job.columns[name], job.federate.fewest
    if isinstance(options, config.Text) and options.encoder == "scratch":
        raise FederationError(
            f"column '{name}': its word pieces would be learned from this site's texts and told to "
            "others; give it a pretrained encoder, such as encoder: minilm."
        )
    if isinstance(options, config.Category):
        least = max(options.min_count, fewest)
        options = options.model_copy(update={"min_count": least, "statistics": "none"})
    try:
        if isinstance(options, config.Number):
            cells = in_groups(cells_of((name,)), name, options, fewest)
            found = None if cells is None else fit_reader(name, options, lambda _: cells)
        else:
            found = fit_reader(name, options, cells_of)
            columns = () if found is None else found.columns
            if any(known_in(cells_of((c,)), c) < fewest for c in columns):
                return None
    except EmptyColumnError:
        return None
    if isinstance(found, TimeReader):
        first, last = found.edges
        edges = first - first % MONTH, last - last % MONTH + MONTH
        found = replace(found, edges=edges)
    return found


def told_target(name: str, job: config.Job, cells: Cells) -> TargetReader | None:
    """A task's target reader; None where no row has an answer, or too few have a number."""
    options = job.tasks[name]
    decoder, only = (getattr(options, part, None) for part in ("decoder", "only"))
    if options.type == "generate" and (decoder == "scratch" or isinstance(only, str)):
        raise FederationError(
            f"task '{name}': what it writes with would be learned from this site's texts and told "
            "to others; give it a pretrained decoder, such as decoder: smollm2, and write what "
            "may be answered into the job (only: [...])."
        )
    kind = target_of(options)
    few = known_in(cells, options.target) < job.federate.fewest
    if options.type == "regress" and few:
        return None
    try:
        found = kind.seen(name, options, cells)
    except EmptyColumnError:
        return None
    if isinstance(found, NumberTarget):  # the farthest number is one row's: told no finer
        found = replace(found, limit=float(math.ceil(found.limit)))
    return found


def known_in(cells: Cells, column: str) -> int:
    """Cells of a column that hold something."""
    return sum(not empty(cell) for cell in cells[column])


def in_groups(cells: Cells, name: str, options: config.Number, fewest: int) -> Cells | None:
    """Numbers, each replaced by the mean of its group: in their order, so many at least a group.

    The lowest and the highest so many are drawn in to the next one first, and are one group with as
    many less one after them: a number that stands out moves no mean, and none is a row's own. On
    the scale that the column is read by. None where they do not fill two groups.
    """
    fit_reader(name, options, lambda _: cells)  # refuses text, as a training does
    x = to_numbers(cells[name], cells.decimal)
    at = np.flatnonzero(np.isfinite(x))
    ends = 2 * fewest - 1
    if len(at) < 2 * ends:
        return None
    log = options.scale == "log"
    y = to_log(x[at]) if log else x[at]
    order = np.argsort(y, kind="stable")
    ranked = np.clip(y[order], *y[order[[fewest - 1, len(at) - fewest]]])
    between = (len(at) - 2 * ends) // fewest
    cuts = [*np.linspace(ends, len(at) - ends, between + 1).astype(int)] if between else [ends]
    means = [np.full(len(some), some.mean()) for some in np.split(ranked, np.unique(cuts))]
    drawn = np.full(len(x), np.nan)
    drawn[at[order]] = from_log(np.concatenate(means)) if log else np.concatenate(means)
    told = [float(v) if np.isfinite(v) else None for v in drawn]
    return Cells({name: told}, cells.folder, cells.allow_outside, cells.decimal)


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
