"""Answers as a pandas frame, with what every input cell was worth; and frames as files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import pandas as pd

from modalloy.answer.answers import Answer
from modalloy.answer.prediction import Prediction
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.machine.files import write_safely
from modalloy.readers.targets import names_of


def frame_of(found: Prediction, job: config.Job, targets: Mapping[str, Any]) -> pd.DataFrame:
    """One line of answers a row.

    Its `attrs["caveats"]` are sentences on what is not as it was in training, its `attrs["notes"]`
    on what was taken for what when the table was read.
    """
    columns: dict[str, Any] = {"row.number" if "row" in job.tasks else "row": found.rows}
    for name, options in job.tasks.items():
        columns |= told(name, options, found.answers[name], targets[name])
    frame = pd.DataFrame(columns | {f"status.{name}": said for name, said in found.status.items()})
    frame.attrs["notes"], frame.attrs["caveats"] = found.notes, found.caveats
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
