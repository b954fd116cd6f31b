"""The simple methods of one task by name, each ready to be fitted."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.rows import Embedded
from modalloy.judge.baselines.baseline import baseline_of
from modalloy.judge.baselines.baseline_models import BaselineTask, tree, varies
from modalloy.judge.baselines.boosting import boost, choose_shape
from modalloy.judge.baselines.features import FeatureBlock, join_blocks, numbers_of, reduce, tfidf
from modalloy.judge.baselines.linear import Kind, beside, dense, linear
from modalloy.judge.baselines.sample import Sample
from modalloy.judge.baselines.tune import Fold, folds_of

DIRECTIONS = 64  # of frozen features that boosting sees
LINEAR = 256  # of wide features that a linear model sees
BOOSTED = "gradient boosting on plain features"
FROZEN = "gradient boosting on frozen features"


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
    ) -> None:
        self.goal, self.sample, self.blocks, self.frozen = goal, sample, blocks, frozen
        self.together, self.seed = together, seed
        self.train, self.test = goal.known(sample.train), sample.test

    @property
    def rows(self) -> int:
        """Rows of the sample."""
        return len(self.sample.rows)

    @property
    def varies(self) -> bool:
        """Whether there is anything to learn for a task with one answer a row."""
        return self.goal.one_answer and varies(self.goal, self.train)

    @property
    def texts(self) -> list[str]:
        """The words of all text columns of each row; none where there is no such column."""
        texts = [b.values for b in self.blocks if isinstance(b.values, list)]
        return [" ".join(row) for row in zip(*texts, strict=True)]

    @property
    def table(self) -> list[FeatureBlock]:
        """Blocks of numbers, categories and times."""
        return [b for b in self.blocks if b.plain]

    def folds(self, train: np.ndarray) -> list[Fold]:
        """What methods are tuned by."""
        return folds_of(train, self.together, self.seed)


def lines_of(case: Case) -> dict[str, Callable[[], Fitted]]:
    """Every simple method for the task; the constant one alone where the truth does not vary."""
    if not len(case.train):
        return {}
    of = baseline_of(case.goal.options)
    name, answer = of.constant(case.goal, case.train, case.test)
    return {name: lambda: Fitted(answer, case.test), **of.lines(case)}


def row_lines(case: Case) -> dict[str, Callable[[], Fitted]]:
    """Boosting and a linear model, for a task with one answer a row."""
    goal, lines = case.goal, {}
    if case.varies:
        lines[BOOSTED] = partial(boosted_plain, case)
        on = "words" if case.texts else "plain features"
        lines[f"{kind_of_linear(goal)} on {on}"] = partial(linear_plain, case)
        if case.frozen is not None and len(case.sample.seen_test) and len(frozen_train(case)):
            lines[FROZEN] = partial(boosted_frozen, case)
            lines[f"{kind_of_linear(goal)} on frozen features"] = partial(linear_frozen, case)
    return lines


def column_lines(case: Case) -> dict[str, Callable[[], Fitted]]:
    """A small tree's answers from each tabular column alone, where there are several."""
    if len(case.table) < 2 or not len(case.train) or not case.varies:
        return {}

    def fit(block: FeatureBlock) -> Fitted:
        x_BF = numbers_of(block, case.train, DIRECTIONS, case.seed)
        answer = tree(case.goal, x_BF, case.train, case.test, case.seed)
        return Fitted(answer, case.test, case.sample.note)

    return {b.name: partial(fit, b) for b in case.table}


def kind_of_linear(goal: BaselineTask) -> str:
    """What a linear model of this task is called."""
    return "ridge regression" if goal.numeric else "logistic regression"


def boosted_plain(case: Case) -> Fitted:
    """Boosting on all plain features."""
    return boost_on(case, case.blocks, case.train, case.test)


def boost_on(
    case: Case, blocks: Sequence[FeatureBlock], train: np.ndarray, test: np.ndarray
) -> Fitted:
    """Boosting on some blocks, its settings chosen on training rows."""
    goal, seed = case.goal, case.seed
    x_BF, codes = join_blocks(blocks, case.rows, train, seed=seed)
    shape = choose_shape(goal, x_BF, codes, train, case.folds(train), seed)
    return Fitted(boost(goal, shape, x_BF, codes, train, test, seed), test, case.sample.note)


def linear_plain(case: Case) -> Fitted:
    """A linear model on all plain features, and on the words of all texts beside them."""
    other = [b for b in case.blocks if not isinstance(b.values, list)]
    x_BF = dense_of(case, other, case.train)
    words = tfidf(case.texts, case.train) if case.texts else None
    joined = x_BF if words is None else beside(words, x_BF)
    folds = case.folds(case.train)
    answer, why = linear(case.goal, joined, case.train, case.test, folds)
    return Fitted(answer, case.test, join_notes(case.sample.note, why))


def dense_of(case: Case, blocks: Sequence[FeatureBlock], train: np.ndarray) -> np.ndarray:
    """Blocks for a linear model: all tabular columns as one, each other input as one, (B, F)."""
    found = [(b, numbers_of(b, train, LINEAR, case.seed)) for b in blocks]
    table = [(x, kind_of(b, x)) for b, x in found if b.plain]
    others = [[(x, kind_of(b, x))] for b, x in found if not b.plain]
    return dense([table, *others], train, case.rows)


def kind_of(block: FeatureBlock, x_BF: np.ndarray) -> Kind:
    """What the numbers of a block are."""
    if block.codes:
        return "codes"
    narrowed = isinstance(block.values, list) or x_BF.shape[1] < block.values.shape[1]
    return "directions" if block.reduced or narrowed else "numbers"


def frozen_train(case: Case) -> np.ndarray:
    """Training rows with frozen features whose truth is known; none where it does not vary."""
    train = case.goal.known(case.sample.seen_train)
    return train if len(train) and varies(case.goal, train) else train[:0]


def frozen_blocks(case: Case, kept: int) -> list[FeatureBlock]:
    """Frozen features as leading directions, and plain ones of every input that has none."""
    assert case.frozen is not None, "the line is only there with frozen features"
    sample = case.sample
    seen = np.concatenate([sample.seen_train, sample.seen_test])
    features = np.asarray(case.frozen.of(sample.rows[seen]), dtype=np.float64)
    z_BF = np.full((case.rows, features.shape[1]), np.nan)
    z_BF[seen] = features
    covered = set(case.frozen.inputs)
    block = FeatureBlock("frozen", reduce(z_BF, frozen_train(case), kept, case.seed), reduced=True)
    return [*(b for b in case.blocks if b.name not in covered), block]


def boosted_frozen(case: Case) -> Fitted:
    """Boosting on frozen features and on plain ones of all that has none."""
    blocks = frozen_blocks(case, DIRECTIONS)
    fitted = boost_on(case, blocks, frozen_train(case), case.sample.seen_test)
    return fitted._replace(note=case.sample.seen_note)


def linear_frozen(case: Case) -> Fitted:
    """A linear model on frozen features and on plain ones of all that has none."""
    train, test = frozen_train(case), case.sample.seen_test
    x_BF = dense_of(case, frozen_blocks(case, LINEAR), train)
    answer, why = linear(case.goal, x_BF, train, test, case.folds(train))
    return Fitted(answer, test, join_notes(case.sample.seen_note, why))


def join_notes(*notes: str) -> str:
    """Notes of one line."""
    return "; ".join(n for n in notes if n)
