"""How far answers of a network hold on test rows: as they are, under the suite, with one column
lying, corrupted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from modalloy.answer.answers import Answer, Answers
from modalloy.answer.loader import Loader
from modalloy.attacks.budget import Budget
from modalloy.attacks.suite import Suite, run_suite
from modalloy.harden.answers import answers_to, batches_of
from modalloy.harden.lies import noise, places
from modalloy.judge.metrics.score import primary, score
from modalloy.model.model import Model, essential_inputs
from modalloy.model.tokens import Batch
from modalloy.objectives.lying import mixed, reordered
from modalloy.readers.targets.target import names_of

MOST_ROWS = 300  # test rows that the suite attacks; a larger part is sampled
LIES = ("noise", "another row's")


@dataclass(frozen=True)
class Judged:
    """What was found of one network.

    clean: answers to all test rows. lies: column -> lie -> answers to them. suite: of those that
    were attacked. Rows and their order are the same for every network that is compared.
    """

    clean: Answers
    lies: Mapping[str, Mapping[str, Answers]]
    suite: Suite


def judge_rows(
    model: Model, loader: Loader, which: np.ndarray, budgets: Sequence[Budget], **suite: Any
) -> Judged:
    """Judge a network by these rows. suite: what `run_suite` takes beside them."""
    ask = partial(answers_to, model, loader, which)
    free = [n for n in places(model) if n not in essential_inputs(model.job)]
    lies: dict[str, dict[str, Answers]] = {}
    for column in free if len(places(model)) > 1 else ():
        told = {"noise": partial(noisy, model, column), "another row's": partial(other, model, column)}
        lies[column] = {lie: ask(told[lie]) for lie in LIES}
    batches = list(batches_of(model, loader, drawn_rows(which)))
    was = model.training
    found = run_suite(model, batches, budgets, **suite)
    model.train(was)
    return Judged(ask(), lies, found)


def drawn_rows(which: np.ndarray) -> np.ndarray:
    """Those of some rows that are attacked, always the same."""
    if len(which) <= MOST_ROWS:
        return which
    return np.sort(np.random.default_rng(0).choice(which, MOST_ROWS, replace=False))


def noisy(model: Model, column: str, batch: Batch, draw: torch.Generator) -> Batch:
    """The batch with noise in one column."""
    return noise(model, batch, column, draw)


def other(model: Model, column: str, batch: Batch, draw: torch.Generator) -> Batch:
    """The batch with another row's cell in one column; a batch of one row keeps its own."""
    order = torch.arange(len(batch)).roll(1 + int(torch.randint(max(1, len(batch) - 1), (), generator=draw)))
    rows_B = torch.ones(len(batch), dtype=torch.bool)
    return mixed(batch, reordered(batch, order), places(model)[column], rows_B)


def figure_of(model: Model, loader: Loader, which: np.ndarray, task: str, answer: Answer) -> float:
    """A task's own figure of answers to these rows; NaN where no row has an answer."""
    options, target = model.job.tasks[task], loader.targets[task]
    truth = target.truth(loader.cells(target.columns, which))
    return score(options, truth, answer, names_of(target)).get(primary(options)[0], float("nan"))
