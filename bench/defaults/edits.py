"""The few lines of a printed job that nobody but a person who knows the table can write."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.defaults.case import Case

if TYPE_CHECKING:
    from modalloy.job.config import Job
    from modalloy.table.split import Parts
    from modalloy.table.table import Table

PART = "part_for_choosing"  # a column that says which rows choose defaults
HELD = 0.2  # share of the training rows that choose where the table names no validation rows


def edited(printed: str, case: Case, split: Mapping[str, Any] | None) -> tuple[str, list[str]]:
    """The job with a case's edits, and these in words: its split, and giveaways left as inputs."""
    from modalloy.infer.guessed import INPUTS
    from modalloy.job.job_file import load_job

    job, edits = printed, []
    if split is not None:
        job = with_split(job, split)
        edits.append(f"split: {flow(split)}")
    types = {name: column.type for name, column in load_job(printed).columns.items()}
    wanted = {name: "ignore" for name in case.giveaways}
    if split is not None and "by" in split:
        wanted[split["by"]] = "group"  # as `init` writes of a column that it splits by itself
    for name, kind in wanted.items():
        if name in types and (types[name] in INPUTS or kind == "group"):
            job = one_line(job, rf"  {re.escape(name)}: \{{", f"  {name}: {{type: {kind}}}")
            edits.append(f"{name}: {kind}")
    return job, edits


def with_split(job: str, split: Mapping[str, Any]) -> str:
    """The job with another split."""
    return one_line(job, "split: ", f"split: {flow(split)}")


def one_line(job: str, begins: str, line: str) -> str:
    """The job with its one line that begins so replaced. ValueError where it has none or several.

    begins: a regular expression.
    """
    out, count = re.subn(rf"^{begins}.*$", lambda _: line, job, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{count} lines of the job begin with {begins!r}; one was expected.")
    return out


def flow(split: Mapping[str, Any]) -> str:
    """A split as it stands in a job: `{by: fold, hold_out: ["1"]}`."""
    return "{" + ", ".join(f"{k}: {json.dumps(v).strip(chr(34))}" for k, v in split.items()) + "}"


def for_choosing(printed: str, job: "Job", table: "Table") -> tuple[str, "Table"]:
    """The job and its table with validation rows tested in place of the test rows.

    No test row of the printed job is learned from, stopped by or tested, whatever the job's seed.
    Rows to stop by are drawn from the training rows, by group where the job splits by group.
    """
    import pyarrow as pa

    from modalloy.table.open_table import open_table
    from modalloy.table.sources import open_source

    names = np.full(table.rows, None, dtype=object)
    for part, rows in rows_for_choosing(job, table)._asdict().items():
        names[rows] = part
    held = open_source(table.source, table.sheet, np.inf).rows
    rows = pa.Table.from_batches(held.batches, held.schema)
    rows = rows.append_column(PART, pa.array(list(names), pa.string()))
    shown: dict[str, Any] = {"column": PART}
    if job.split.validation == 0:
        shown["validation"] = 0
    elif job.split.by is not None:
        shown["by"] = job.split.by
    return with_split(printed, shown), open_table(rows, folder=table.folder)


def rows_for_choosing(job: "Job", table: "Table") -> "Parts":
    """Validation rows that the table names as test rows; else a fifth of the training rows.

    The fifth is drawn with the job's seed, as the job draws its test rows, from all rows that are
    no test rows with the seed that `init` prints.
    """
    from modalloy.job.config import Split
    from modalloy.table.split import Parts, split_job

    none = job.split.model_copy(update={"validation": 0.0})
    parts = split_job(table, job.model_copy(update={"split": none, "seed": 0}))
    learned = np.sort(np.concatenate([parts.train, parts.calibration]))
    if len(parts.validation):
        return Parts(learned, parts.test[:0], parts.validation)
    way: dict[str, Any] = {"random": "stratified"}
    if job.split.time is not None:
        way = {"time": job.split.time}
    elif job.split.by is not None and job.split.validation:
        way = {"by": job.split.by}
    split = Split(**way, test=HELD, validation=0.0)
    drawn = split_job(table.select(learned), job.model_copy(update={"split": split}))
    return Parts(learned[drawn.train], parts.test[:0], learned[drawn.test])
