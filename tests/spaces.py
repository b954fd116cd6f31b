"""A body of the small table with a space beside it: for tests of what is learned without labels."""

from pathlib import Path
from typing import Any

import torch

from conftest import make_job
from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.body import Body
from modalloy.objectives.contrast import Contrast
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


def opened(table: Path, **changes: Any) -> Loader:
    """A loader with readers fitted to the small table."""
    job = load_job(make_job(table, **changes))
    source = open_table(job.table)
    return open_loader(job, source, split_job(source, job))


def columns_of(table: Path, columns: dict[str, dict[str, Any]]) -> Loader:
    """The same of columns that are given with all their options."""
    job = load_job(make_job(table, columns=()) | {"columns": columns})
    source = open_table(job.table)
    return open_loader(job, source, split_job(source, job))


def body_and_space(loader: Loader, *, row: bool = True, **options: Any) -> tuple[Body, Contrast]:
    """A body of this loader's columns and a space of all of them, the same each time."""
    torch.manual_seed(0)
    body = Body(loader.job, loader.readers, pretrained=True)
    return body, Contrast(body, config.Contrast(size=8, row=row, **options))
