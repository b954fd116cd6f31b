"""The plots of one task's section of the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.judge.metrics.score import primary, tally
from modalloy.judge.wording import figures_of, label
from modalloy.report import charts
from modalloy.report.drawing.drawing import Drawing
from modalloy.report.figure import Figure
from modalloy.tasks.kit import kit_of, part


def figures_for(
    task: str,
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
    *,
    cells: Cells | None = None,
) -> list[Figure]:
    """Every figure of a task; none where no row's truth is known.

    cells: the same rows' cells of the column that a `tag` or `locate` task looks `on`; sentences
    and boxes are not drawn without it.
    """
    if not len(tally(options, truth, answer, names).rows):
        return []
    found = drawing_of(options).figures(options, truth, answer, names, cells)
    return [f._replace(task=task) for f in found]


def drawing_of(options: config.TaskOptions) -> Drawing:
    """What the page shows of a task."""
    kind: type[Drawing] = part(kit_of(options).drawing)
    return kind()


def training_figures(
    curves: Sequence[Mapping[str, Any]], tasks: Mapping[str, config.TaskOptions] | None = None
) -> list[Figure]:
    """Losses, the score that early stopping looks at, and each task's main validation figure, over
    epochs; the best one by that score is marked in each.

    curves: records of `log.jsonl`: epoch, losses, `score`, `validation` {task: {metric: value}}.
    """
    epochs = [r.get("epoch", i + 1) for i, r in enumerate(curves)]
    names = list(dict.fromkeys(k for r in curves for k in r if "loss" in k))
    found = []
    if names:
        lines = {n.replace("_", " "): [r.get(n) for r in curves] for n in names}
        found.append(("Loss while training", "loss", lines, ""))
    scores = [r.get("score") for r in curves]
    known = [(s, e) for s, e in zip(scores, epochs, strict=True) if s is not None]
    best = max(known, key=lambda pair: pair[0])[1] if known else None  # of equals the first
    if best is not None:
        lines = {"all tasks": scores}
        note = f"What early stopping looks at: the tasks' mean skill. Epoch {best} is the best."
        found.append(("Score on validation rows", "score; 1 is perfect", lines, note))
    validation = [r.get("validation") or {} for r in curves]
    for task in dict.fromkeys(t for v in validation for t in v):
        given = figures_of({k: x for v in validation for k, x in v.get(task, {}).items()})
        main = primary(tasks[task])[0] if tasks and task in tasks else ""
        for name in [main] if main in given else given[:1]:
            values = [v.get(task, {}).get(name) for v in validation]
            says = f"{label(name)}, validation rows"
            found.append((f"{task}: {label(name)}", says, {task: values}, ""))
    return [
        Figure(title, "chart", charts.training(epochs, lines, says, best), note, place="training")
        for title, says, lines, note in found
    ]
