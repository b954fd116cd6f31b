"""Texts that are written with columns hidden: of few rows, for each set of columns writes anew."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answers, Hidden
from modalloy.answer.engine import Engine
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.job import config
from modalloy.judge.subsets import Subsets
from modalloy.tasks.kit import kit_of

MOST_ROWS = 200  # drawn from more: writing takes far longer than other answers


class Written(NamedTuple):
    """What `generate` tasks write for some of the rows that are judged.

    tasks: their names. at: positions among the rows. seen: answers by which inputs were hidden.
    """

    tasks: tuple[str, ...]
    at: np.ndarray
    seen: Mapping[Hidden, Answers]

    def scored(
        self, task: str, truth: Sequence[Any], groups: Sequence[Any] | None
    ) -> dict[str, Any]:
        """What `score_subsets` takes for one of the tasks in place of all rows."""
        own = None if groups is None else [groups[i] for i in self.at]
        known = {task: [truth[i] for i in self.at]}
        return {"answers_of": self.seen.__getitem__, "truth": known, "groups": own}

    def say_rows(self, task: str, found: Subsets) -> None:
        """Beside the figures: of how many rows they are."""
        for figures in (*found.table.get(task, {}).values(), found.gain.get(task, {})):
            if figures:
                figures["rows"] = len(self.at)


def spared(job: config.Job, rows: int) -> tuple[str, ...]:
    """The tasks that write texts, where these are too many rows to write with columns hidden."""
    if rows <= MOST_ROWS:
        return ()
    return tuple(n for n, options in job.tasks.items() if kit_of(options).written)


def write_hidden(
    engine: Engine,
    loader: Loader,
    which: np.ndarray,
    tasks: Sequence[str],
    hidden: Sequence[Hidden],
    whole: Answers,
) -> Written:
    """What these tasks write for `MOST_ROWS` of the rows with each of these inputs hidden.

    whole: answers to all rows with nothing hidden, which are not written again.
    """
    draw = np.random.default_rng(engine.job.seed)
    at = np.sort(draw.choice(len(which), min(MOST_ROWS, len(which)), replace=False))
    own = {task: {k: v[at] for k, v in whole[task].items()} for task in tasks}
    some = [h for h in hidden if h and tasks]
    seen: dict[Hidden, Answers] = {EVERYTHING: own}
    if some:
        seen |= answer_rows(engine, loader, which[at], hidden=some, tasks=lambda h: tasks).seen
    return Written(tuple(tasks), at, seen)
