"""A run and a table in, one line of answers a row out, with what every input cell was worth."""

import json
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import pandas as pd

from modalloy.answer.answers import EVERYTHING, Answer
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.table_caveats import (
    cell_caveats,
    find_columns,
    input_columns,
    sentence,
    statuses,
)
from modalloy.checks.finding import some
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.machine.files import write_safely
from modalloy.machine.progress import Bar
from modalloy.readers.targets import names_of
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
        answers = answer_rows(run.model(), loader, which, tick=bar.advance).seen[EVERYTHING]
    columns: dict[str, Any] = {"row.number" if "row" in run.job.tasks else "row": which}
    for name, options in run.job.tasks.items():
        columns |= told(name, options, answers[name], run.targets[name])
    said = statuses(loader, which)
    frame = pd.DataFrame(columns | {f"status.{name}": said[name] for name in run.readers})
    if len(picked):
        found += cell_caveats(loader, said, run.notes.get("cells", {}))
    else:
        frame = frame.iloc[:0].copy()
    frame.attrs["notes"] = list(table.notes)
    frame.attrs["caveats"] = [sentence(f) for f in found]
    return frame


def told(name: str, options: config.TaskOptions, answer: Answer, target: Any) -> dict[str, Any]:
    """The columns of one task."""
    match options:
        case config.Classify():
            return told_classes(name, options, answer["probability"], names_of(target) or [])
        case config.Regress():
            found: dict[str, Any] = {name: target.to_natural(answer["value"])}
            for q, quantile in enumerate(options.quantiles):
                found[f"{name}.q[{quantile}]"] = target.to_natural(answer["quantiles"][:, q])
            return found
        case config.Tag():
            return {name: list(answer["tags"]), f"{name}.confidence": answer["confidence"]}
        case config.Locate():
            return {
                f"{name}.boxes": [np.asarray(b).tolist() for b in answer["boxes"]],
                f"{name}.names": [list(n) for n in answer["names"]],
                f"{name}.scores": [np.asarray(s).tolist() for s in answer["scores"]],
            }
        case _:
            assert_never(options)


def told_classes(
    name: str, options: config.Classify, p_BC: np.ndarray, names: list[str]
) -> dict[str, Any]:
    """The answer, how sure it is, and every class's probability."""
    if options.labels == "single":
        best = p_BC.argmax(1)
        found = {name: [names[i] for i in best], f"{name}.probability": p_BC.max(1)}
    else:
        found = {name: [[n for n, p in zip(names, row, strict=True) if p >= 0.5] for row in p_BC]}
    return found | {f"{name}.p[{n}]": p_BC[:, c] for c, n in enumerate(names)}


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
