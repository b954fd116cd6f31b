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
HELD = 0.2  # share of the training rows that choose where there are no validation rows


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

    No test row is learned from, stopped by or tested. Rows to stop by are then drawn from the
    training rows, by group where the job splits by group.
    """
    import pyarrow as pa

    from modalloy.table.sources import open_source
    from modalloy.table.split import split_job
    from modalloy.table.table import open_table

    parts = rows_for_choosing(split_job(table, job))
    names = np.full(table.rows, None, dtype=object)
    for part, rows in parts._asdict().items():
        names[rows] = part
    held = open_source(table.source, table.sheet, np.inf).rows
    rows = pa.Table.from_batches(held.batches, held.schema)
    rows = rows.append_column(PART, pa.array(list(names), pa.string()))
    split: dict[str, Any] = {"column": PART}
    if job.split.validation == 0:
        split["validation"] = 0
    elif job.split.by is not None:
        split["by"] = job.split.by
    return with_split(printed, split), open_table(rows, folder=table.folder)


def rows_for_choosing(parts: "Parts") -> "Parts":
    """Validation rows as test rows, a fifth of the training rows where there are none."""
    from modalloy.table.split import Parts

    train, test = np.concatenate([parts.train, parts.calibration]), parts.validation
    if not len(test):
        mixed = np.random.default_rng(0).permutation(train)
        cut = max(1, round(HELD * len(mixed)))
        test, train = mixed[:cut], mixed[cut:]
    return Parts(np.sort(train), parts.validation[:0], np.sort(test))
