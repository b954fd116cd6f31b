"""Answers as a pandas frame, with what every input cell was worth."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from modalloy.answer.decide import decision_columns
from modalloy.answer.prediction import Prediction
from modalloy.job import config
from modalloy.unlike.likeness import Unlikeness


def frame_of(found: Prediction, job: config.Job, targets: Mapping[str, Any]) -> pd.DataFrame:
    """One line of answers a row.

    Its `attrs["caveats"]` are sentences on what is not as it was in training, its `attrs["notes"]`
    on what was taken for what when the table was read, and `attrs["saved"]` counts what a policy
    has bought, where the run has one.
    """
    frame = pd.DataFrame(answer_columns(found, job, targets))
    frame.attrs["notes"], frame.attrs["caveats"] = found.notes, found.caveats
    if found.saved is not None:
        frame.attrs["saved"] = found.saved
    return frame


def answer_columns(
    found: Prediction, job: config.Job, targets: Mapping[str, Any]
) -> dict[str, Any]:
    """The same by column, each with a value a row."""
    columns: dict[str, Any] = {"row.number" if "row" in job.tasks else "row": found.rows}
    for name, options in job.tasks.items():
        columns |= targets[name].told(name, options, found.answers[name])
        columns |= decision_columns(name, options, targets[name], found.answers[name])
    if found.unlike is not None:
        columns |= unlike_columns(found.unlike, "row.unlike" if "unlike" in job.tasks else "unlike")
    if found.bought is not None:
        columns["row.bought" if "bought" in job.tasks else "bought"] = found.bought
    columns |= {f"text.{name}": texts for name, texts in found.heard.items()}
    return columns | {f"status.{name}": said for name, said in found.status.items()}


def unlike_columns(found: Unlikeness, name: str) -> dict[str, Any]:
    """Whether each row is unlike those of training, by how much, and what about it is."""
    said = ["yes" if unlike else "no" for unlike in found.unlike_B]
    return {name: said, f"{name}.score": found.score_B, f"{name}.column": found.column}
