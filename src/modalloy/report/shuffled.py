"""What answers are worth when one input's cells are dealt out among the rows: a control.

Inputs that read the same column of the table are dealt out together. A model that only seems to
use an input, because it answers better where that is there at all, loses nothing by it; one that
reads the input together with the row's others falls to what these alone tell, or below.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answers
from modalloy.answer.blended import blended
from modalloy.answer.dealt import DealtLoader, deal, read_together
from modalloy.answer.engine import Engine
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.stage import adjust
from modalloy.judge.metrics.bootstrap import intervals
from modalloy.judge.metrics.score import tally
from modalloy.model.model import essential_inputs
from modalloy.readers.targets.target import names_of
from modalloy.report.extras import Extras

MOST_ROWS = 500  # drawn from more: the rows are answered once for each input


def shuffled_figures(
    engine: Engine,
    loader: Loader,
    which: np.ndarray,
    truth: Mapping[str, Sequence[Any]],
    answers: Answers,
    extras: Extras,
) -> dict[str, dict[str, Any]]:
    """task -> input -> figures with its cells dealt out among these rows, and `whole`: figures of
    the same rows as they are. Inputs that read the same column are one: "call + said".

    answers: to the rows as they are. Inputs that a task marks words or boxes on are never dealt:
    their right answers belong to them.
    """
    groups = read_together(loader, [i for i in engine.inputs if loader.shows(i)])
    free = [g for g in groups if essential_inputs(engine.job).isdisjoint(g)]
    if len(groups) < 2 or len(which) < 2:
        return {}
    seed = engine.job.seed
    some = np.arange(len(which))
    if len(which) > MOST_ROWS:
        some = np.sort(np.random.default_rng(seed).choice(some, MOST_ROWS, replace=False))
    rows = which[some]
    other_N = deal(rows, loader.table.rows, seed)
    found: dict[str, dict[str, Any]] = {task: {} for task in engine.job.tasks}
    for names in free:
        said = answers_of(engine, DealtLoader(loader, names, other_N), rows, extras)
        for task, options in engine.job.tasks.items():
            own, known = [truth[task][int(i)] for i in some], names_of(loader.targets[task])
            counted = tally(options, own, said[task], known)
            figures: dict[str, Any] = dict(counted.score())
            if not figures:
                continue
            ends = intervals(counted, groups=None, resamples=200, seed=seed)
            figures["interval"] = {k: list(v) for k, v in ends.items()}
            before = {k: v[some] for k, v in answers[task].items()}
            figures["whole"] = tally(options, own, before, known).score()
            figures["rows"] = len(rows)
            found[task][" + ".join(names)] = figures
    return {task: own for task, own in found.items() if own}


def answers_of(engine: Engine, loader: Loader, rows: np.ndarray, extras: Extras) -> Answers:
    """Answers as the run makes them, blend and stages included."""
    blend = extras.blend
    answered = answer_rows(engine, loader, rows, heads=blend.heads, widths=blend.widths)
    return adjust(blended(blend, answered, loader, rows)[EVERYTHING], extras.stages)
