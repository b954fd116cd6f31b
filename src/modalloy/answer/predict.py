"""`predict`: a frame of answers with the status of every input cell."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.stage import adjust
from modalloy.answer.table_caveats import (
    cell_caveats,
    find_columns,
    input_columns,
    sentence,
    statuses,
)
from modalloy.checks.finding import some
from modalloy.errors import TableError
from modalloy.machine.files import write_safely
from modalloy.machine.progress import Bar
from modalloy.runs.run import Run
from modalloy.table.table import Table


def predict_frame(run: Run, table: Table, part: slice | None, *, quiet: bool) -> pd.DataFrame:
    """Answers of the rows of a table; `part` picks rows by position.

    Where it picks none the frame is empty, with the columns and types that it has otherwise. Its
    `attrs["caveats"]` are sentences on what is not as it was in training, its `attrs["notes"]` on
    what was taken for what when the table was read.
    """
    table, found = find_columns(run.job, table, answers=False, decimal=run.decimal)
    read = {c for columns in input_columns(run.job).values() for c in columns}
    if not read.intersection(table.columns):
        raise TableError(
            f"{table.source}: has none of the columns this model reads: {some(run.readers, 12)}. "
            f"It has {some(table.columns, 12)}."
        )
    picked = np.arange(table.rows)[slice(None) if part is None else part]
    which = picked if len(picked) else np.arange(1)  # one row shows how its columns look
    loader = Loader(table, run.job, run.readers, {})
    with Bar("answering", len(which), quiet=quiet) as bar:
        answered = answer_rows(run.model(), loader, which, tick=bar.advance)
    answers = adjust(answered.seen[EVERYTHING], run.stages)
    columns: dict[str, Any] = {"row.number" if "row" in run.job.tasks else "row": which}
    for name, options in run.job.tasks.items():
        columns |= run.targets[name].told(name, options, answers[name])
    said = statuses(loader, which)
    frame = pd.DataFrame(columns | {f"status.{name}": said[name] for name in run.readers})
    if len(picked):
        found += cell_caveats(loader, said, run.notes.get("cells", {}))
    else:
        frame = frame.iloc[:0].copy()
    frame.attrs["notes"] = list(table.notes)
    frame.attrs["caveats"] = [sentence(f) for f in found]
    return frame


def check_place(path: Path) -> None:
    """Refuse a file that answers could not be written to, before they are worked out."""
    if path.suffix not in (".parquet", ".csv"):
        raise TableError(f"{path}: answers are written as .parquet or .csv.")
    if not path.absolute().parent.is_dir():
        raise TableError(f"{path}: there is no folder {path.parent}; make it first.")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write answers as Parquet or CSV, by the ending; lists become JSON in CSV."""
    if path.suffix == ".parquet":
        write_safely(path, frame.to_parquet(index=False))
    else:
        lists = [c for c in frame if len(frame) and isinstance(frame[c].iloc[0], list)]
        text = frame.assign(**{str(c): frame[c].map(json.dumps) for c in lists}).to_csv(index=False)
        write_safely(path, text.encode())
