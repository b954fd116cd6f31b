"""A report's figures with their intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.job import config
from modalloy.judge.judging import scored
from modalloy.judge.metrics.score import primary
from modalloy.judge.slices import group_labels
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of


def truth_of(loader: Loader, which: np.ndarray) -> dict[str, list[Any]]:
    """The true answers of some rows, None where nobody knows."""
    return {
        name: list(target.truth(loader.cells(target.columns, which)))
        for name, target in loader.targets.items()
    }


def first_figures(model: Model, loader: Loader, which: np.ndarray) -> dict[str, dict[str, Any]]:
    """Figures of every task before the first step: pretrained encoders, new heads."""
    answers = answer_rows(model, loader, which).seen[EVERYTHING]
    truth, groups = truth_of(loader, which), group_labels(loader, which)
    found = {
        n: scored(o, truth[n], answers[n], names_of(loader.targets[n]), groups)
        for n, o in model.job.tasks.items()
    }
    return {n: {"label": "before training", **f} for n, f in found.items()}


def gain_over_columns(
    options: config.TaskOptions, figures: Mapping[str, Any], columns: Mapping[str, Mapping]
) -> dict[str, Any]:
    """What a table of tabular columns alone gains over the best of them; see `Report.gain`."""
    metric, greater = primary(options)
    scored = {n: f for n, f in columns.items() if f.get("margin")}
    if not scored:
        return {}
    best = max(scored, key=lambda n: scored[n][metric] * (1.0 if greater else -1.0))
    margin = scored[best]["margin"]
    found = {"metric": metric, "fused": figures.get(metric), "best": f"{best} (small tree)"}
    return {**found, "best_value": scored[best][metric], **margin}
