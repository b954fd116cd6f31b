"""Rows of further tables that pretraining learns from: those that the job's table does not hold
back, and on --resume the ones that it began with.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError

from modalloy.checks.finding import Finding, finding
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.learn.progress import LAST
from modalloy.machine.files import write_safely
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts
from modalloy.table.table import Table

BEGAN = Path(LAST).with_name(
    "unlabelled-rows.safetensors"
)  # fingerprints, table by table, in order


class Further(NamedTuple):
    """Of each further table the rows that teach, their fingerprints, and how many were left out."""

    of: list[np.ndarray]
    prints: list[np.ndarray]
    left_out: list[int]

    def said(self, tables: Sequence[Table]) -> Iterator[Finding]:
        """How many rows of which table were left out, and why."""
        for table, count in zip(tables, self.left_out, strict=True):
            if count:
                what = (
                    f"{count} of {table.rows} rows hold the same cells as validation, calibration "
                    "or test rows of this job, and were left out"
                )
                yield finding("note", str(table.source), what)


def further_rows(job: config.Job, tables: Sequence[Table], own: Parts) -> Further:
    """All rows of these tables but those that look like a row that the job's table holds back.

    own: fingerprints of the job's rows. A row that looks like a training row too stays: rows of a
    few categories repeat by themselves.
    """
    held = np.concatenate([own.validation, own.calibration, own.test])
    held = np.setdiff1d(held, own.train)
    found = Further([], [], [])
    for table in tables:
        prints = fingerprints(table, job)
        stays = ~np.isin(prints, held)
        found.of.append(np.flatnonzero(stays))
        found.prints.append(prints[stays])
        found.left_out.append(int((~stays).sum()))
    return found


def begin_with(out: Path, prints: Sequence[np.ndarray]) -> None:
    """Note the rows of further tables that a pretraining in this directory begins with."""
    from safetensors.numpy import save

    (out / BEGAN).parent.mkdir(exist_ok=True)
    write_safely(out / BEGAN, save({str(i): own for i, own in enumerate(prints)}))


def refuse_others(out: Path, tables: Sequence[Table], prints: Sequence[np.ndarray]) -> None:
    """RunError where further tables do not hold the rows, in the order, that it began with.

    Nothing is known of one that was stopped before it had begun.
    """
    from safetensors.numpy import load_file

    if not (out / BEGAN).is_file():
        return
    try:
        before = load_file(out / BEGAN)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{out / BEGAN} cannot be read: {error}") from error
    if len(before) != len(tables):
        raise RunError(
            f"{out}: this pretraining began with {len(before)} further tables, not with "
            f"{len(tables)}; give the same ones, or pretrain into another directory."
        )
    for i, (table, own) in enumerate(zip(tables, prints, strict=True)):
        if not np.array_equal(before[str(i)], own):
            raise RunError(
                f"{out}: {table.source} no longer holds the rows that this pretraining began with, "
                "or holds them in another order; put the old table back, or pretrain into another "
                "directory."
            )
