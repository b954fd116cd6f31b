"""A report's figures with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.judge.metrics.bootstrap import intervals
from modalloy.judge.metrics.score import primary, tally
from modalloy.judge.slices import Groups


def truth_of(loader: Loader, which: np.ndarray) -> dict[str, list[Any]]:
    """The true answers of some rows, None where nobody knows."""
    return {
        name: list(target.truth(loader.cells(target.columns, which)))
        for name, target in loader.targets.items()
    }


def figures_of(
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None,
    groups: Groups | None,
) -> dict[str, Any]:
    """All figures of a task with their intervals; names: its classes, in their order."""
    counted = tally(options, truth, answer, names)
    ends = intervals(counted, groups=groups.labels if groups else None)
    return {**counted.score(), "interval": {k: list(v) for k, v in ends.items()}}


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


def drawn_by(groups: Groups | None) -> dict[str, Any]:
    """What intervals draw anew; see `Report.drawn`."""
    return {"by": groups.column, "groups": len(set(groups.labels))} if groups else {}
