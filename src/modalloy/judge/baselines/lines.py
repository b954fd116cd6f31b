"""The simple methods of one task by name, each ready to be fitted."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.boosting import Boosting
from modalloy.classical.features import Features, kept_of
from modalloy.classical.fit import (
    BOOSTED,
    FROZEN,
    linear_frozen_name,
    linear_plain_name,
    with_embeddings,
)
from modalloy.classical.linear import Linear
from modalloy.classical.method import MethodAnswers
from modalloy.classical.rows import Embedded
from modalloy.classical.training_rows import TrainingRows
from modalloy.judge.baselines.baseline import baseline_of
from modalloy.judge.baselines.baseline_models import BaselineTask, tree
from modalloy.judge.baselines.sample import Sample


class Fitted(NamedTuple):
    """One simple method's answers to the test rows at these positions of the sample."""

    answer: Answer
    test: np.ndarray
    note: str = ""


class Case:
    """One task's sampled rows, their features, and which of them belong together."""

    def __init__(
        self,
        goal: BaselineTask,
        sample: Sample,
        blocks: Sequence[FeatureBlock],
        frozen: Embedded | None,
        together: Sequence[str] | None,
        seed: int,
        fitted: Mapping[str, MethodAnswers] | None = None,
    ) -> None:
        self.goal, self.sample, self.blocks, self.frozen = goal, sample, blocks, frozen
        self.together, self.seed, self.fitted = together, seed, fitted or {}
        self.train, self.test = goal.known(sample.train), sample.test

    @property
    def varies(self) -> bool:
        """Whether there is anything to learn for a task with one answer a row."""
        return self.goal.one_answer and self.goal.varies(self.train)

    def rows(self, at: np.ndarray) -> TrainingRows:
        """Some rows of the sample, to fit by or to be asked of."""
        blocks = {block.name: block for block in self.blocks}
        return TrainingRows(self.goal, blocks, self.together, self.seed).take(at)

    def embedded(self, at: np.ndarray) -> TrainingRows:
        """The same with frozen embeddings in the place of plain features where there are any."""
        assert self.frozen is not None, "the line is only there with frozen features"
        z_BF = self.frozen.of(self.sample.rows[at])
        return with_embeddings(self.rows(at), z_BF, self.frozen.inputs)


def lines_of(case: Case) -> dict[str, Callable[[], Fitted]]:
    """Every simple method for the task; the constant one alone where the truth does not vary."""
    if not len(case.train):
        return {}
    of = baseline_of(case.goal.options)
    name, answer = of.constant(case.goal, case.train, case.test)
    return {name: lambda: Fitted(answer, case.test), **of.lines(case)}


def row_lines(case: Case) -> dict[str, Callable[[], Fitted]]:
    """Boosting and a linear model, for a task with one answer a row; as they are where they are
    fitted already.
    """
    lines: dict[str, Callable[[], Fitted]] = {}
    if case.fitted:
        return {name: partial(of_sample, case, found) for name, found in case.fitted.items()}
    if case.varies:
        lines[BOOSTED] = partial(boosted_plain, case, case.train, case.test)
        lines[linear_plain_name(case.goal, case.blocks)] = partial(linear_plain, case)
        if case.frozen is not None and len(case.sample.seen_test) and len(frozen_train(case)):
            lines[FROZEN] = partial(boosted_frozen, case)
            lines[linear_frozen_name(case.goal)] = partial(linear_frozen, case)
    return lines


def of_sample(case: Case, found: MethodAnswers) -> Fitted:
    """Answers to all test rows, of which those of the sample are taken."""
    at = case.sample.test_at
    return Fitted({k: np.asarray(v)[at] for k, v in found.answer.items()}, case.test, found.note)


def column_lines(case: Case) -> dict[str, Callable[[], Fitted]]:
    """A small tree's answers from each tabular column alone, where there are several."""
    table = [block for block in case.blocks if block.plain]
    if len(table) < 2 or not len(case.train) or not case.varies:
        return {}
    task, seed = case.goal.take(case.train), case.seed

    def fit(block: FeatureBlock) -> Fitted:
        train, test = ({block.name: block.take(at)} for at in (case.train, case.test))
        kept = kept_of(len(case.train))
        features = Features.fit(list(train.values()), kept=kept, embedded=kept, seed=seed)
        x_NF, x_BF = (features.apply(blocks)[block.name] for blocks in (train, test))
        return Fitted(tree(task, x_NF, x_BF, seed), case.test, case.sample.note)

    return {block.name: partial(fit, block) for block in table}


def boosted_plain(case: Case, train: np.ndarray, test: np.ndarray) -> Fitted:
    """Boosting on all plain features."""
    model = Boosting.fit(case.rows(train))
    return Fitted(model.answer(case.rows(test).blocks, len(test)), test, case.sample.note)


def linear_plain(case: Case) -> Fitted:
    """A linear model on all plain features, and on the words of all texts beside them."""
    model = Linear.fit(case.rows(case.train), words=True)
    answer = model.answer(case.rows(case.test).blocks, len(case.test))
    return Fitted(answer, case.test, join_notes(case.sample.note, model.note))


def frozen_train(case: Case) -> np.ndarray:
    """Training rows with frozen features whose truth is known; none where it does not vary."""
    train = case.goal.known(case.sample.seen_train)
    return train if case.goal.varies(train) else train[:0]


def boosted_frozen(case: Case) -> Fitted:
    """Boosting on frozen features and on plain ones of all that has none."""
    test = case.sample.seen_test
    model = Boosting.fit(case.embedded(frozen_train(case)))
    return Fitted(model.answer(case.embedded(test).blocks, len(test)), test, case.sample.seen_note)


def linear_frozen(case: Case) -> Fitted:
    """A linear model on frozen features and on plain ones of all that has none."""
    test = case.sample.seen_test
    model = Linear.fit(case.embedded(frozen_train(case)), words=False)
    answer = model.answer(case.embedded(test).blocks, len(test))
    return Fitted(answer, test, join_notes(case.sample.seen_note, model.note))


def join_notes(*notes: str) -> str:
    """Notes of one line."""
    return "; ".join(n for n in notes if n)
