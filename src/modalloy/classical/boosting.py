"""Gradient boosting as a careful engineer would run it: stopped early, its trees sized to the rows.

Fitted by scikit-learn's histogram kind (Ke et al. 2017, LightGBM), kept as arrays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.estimate import Estimate
from modalloy.classical.features import KEPT, Features, kept_of
from modalloy.classical.kept import State, each_of, joined, listed, part_of
from modalloy.classical.target_means import MANY, TargetMeans, amounts, out_of_fold
from modalloy.classical.training_rows import TrainingRows
from modalloy.classical.trees import Trees
from modalloy.classical.truth import TaskTruth
from modalloy.classical.tune import WORST, Fold, Score, held_out_score

WORK = 200_000  # leaves times features over all trees of one fit: two seconds on one core
ROUNDS = (10, 160)  # fewest and most
STEPS = 4  # numbers of rounds that are tried, until one is no better than the one before
FEW = 150  # training rows up to which settings are chosen on two held-out parts, not one


class Shape(NamedTuple):
    """How one boosting is set: its trees and how many rounds it gets."""

    leaves: int
    fewest: int  # rows of a leaf
    rate: float
    rounds: int


class HeldOut(NamedTuple):
    """Features of rows to learn from, and of those to choose by."""

    fold: Fold
    fit_NF: np.ndarray
    check_BF: np.ndarray


@dataclass(frozen=True)
class Boosting:
    """Features of the inputs, mean answers by name of large categories, and trees on both."""

    features: Features
    means: Mapping[str, TargetMeans]
    estimate: Estimate

    @classmethod
    def fit(cls, rows: TrainingRows) -> Self:
        """Settings chosen on held-out ones of these rows, then all of them learned from.

        Mean answers by name are taken only if held-out rows are answered better with them.
        """
        task, seed, every = rows.task, rows.seed, rows.every
        blocks = list(rows.blocks.values())
        features = Features.fit(blocks, kept=kept_of(len(every)), embedded=KEPT, seed=seed)
        x_NF, codes_F = side_by_side(features, rows.blocks, len(every))
        folds = rows.folds[: 1 if len(every) > FEW else 2]
        held = [HeldOut(fold, x_NF[fold.fit], x_NF[fold.check]) for fold in folds]
        shape, reached = choose_shape(task, x_NF, held, codes_F, seed)
        named = {b.name: np.asarray(b.values)[:, 0] for b in blocks if b.codes}
        named = {n: c for n, c in named.items() if len(np.unique(c[np.isfinite(c)])) > MANY}
        y_NK = amounts(task)
        if named and y_NK.shape[1]:
            held = [with_means(side, named, y_NK, rows) for side in held]
            z_NF = np.concatenate([x_NF, means_of_others(named, y_NK, every, rows)], axis=1)
            more_F = np.pad(codes_F, (0, z_NF.shape[1] - len(codes_F)))
            other, score = choose_shape(task, z_NF, held, more_F, seed)
            if score > reached:
                means = {n: TargetMeans.fit(c, y_NK) for n, c in named.items()}
                return cls(features, means, boost(task, other, z_NF, more_F, seed))
        return cls(features, {}, boost(task, shape, x_NF, codes_F, seed))

    def answer(self, blocks: Mapping[str, FeatureBlock], rows: int) -> Answer:
        """Answers to so many rows."""
        x_BF, _ = side_by_side(self.features, blocks, rows)
        means = [m.apply(np.asarray(blocks[n].values)[:, 0]) for n, m in self.means.items()]
        return self.estimate.answer(np.concatenate([x_BF, *means], axis=1), rows)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        parts = {"features": self.features.state(), "trees": self.estimate.state()}
        parts["means"] = listed([means.state() for means in self.means.values()])
        meta, arrays = joined(parts)
        return {**meta, "of": list(self.means)}, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The boosting whose `state` this is."""
        features = Features.from_state(*part_of(meta, arrays, "features"))
        states = each_of(*part_of(meta, arrays, "means"))
        means = [TargetMeans.from_state(*state) for state in states]
        estimate = Estimate.from_state(Trees, *part_of(meta, arrays, "trees"))
        return cls(features, dict(zip(meta["of"], means, strict=True)), estimate)


def side_by_side(
    features: Features, blocks: Mapping[str, FeatureBlock], rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """All features of all rows, (B, F), and which of them are category codes, (F,).

    The first is 0, so that a table without a usable feature has one.
    """
    parts, codes = [np.zeros((rows, 1))], [False]
    for name, x_BF in features.apply(blocks).items():
        parts.append(x_BF)
        codes += [features.of[name].kind == "codes"] * x_BF.shape[1]
    return np.concatenate(parts, axis=1), np.array(codes)


def with_means(
    side: HeldOut, named: Mapping[str, np.ndarray], y_NK: np.ndarray, rows: TrainingRows
) -> HeldOut:
    """Mean answers by name beside all else; of held-out rows no answer is looked at."""
    fit, check = side.fold
    means = [TargetMeans.fit(c[fit], y_NK[fit]).apply(c[check]) for c in named.values()]
    own = means_of_others(named, y_NK, fit, rows)
    return HeldOut(side.fold, np.hstack([side.fit_NF, own]), np.hstack([side.check_BF, *means]))


def means_of_others(
    named: Mapping[str, np.ndarray], y_NK: np.ndarray, at: np.ndarray, rows: TrainingRows
) -> np.ndarray:
    """Mean answers by name of rows to learn from, each by other ones of these rows."""
    together = None if rows.together is None else [rows.together[i] for i in at]
    parts = [out_of_fold(c[at], y_NK[at], together, rows.seed) for c in named.values()]
    return np.concatenate(parts, axis=1)


def choose_shape(
    task: TaskTruth, x_NF: np.ndarray, held: Sequence[HeldOut], codes_F: np.ndarray, seed: int
) -> tuple[Shape, Score]:
    """Size of the trees and number of rounds that do best on held-out rows, and how well.

    codes_F: which features are categories.
    """
    best, reached = None, WORST
    for shape in shapes(task, x_NF.shape[1], len(x_NF)):
        tried = [stopped(task, shape, side, codes_F, seed) for side in held]
        pairs = zip(held, tried, strict=True)
        score = held_out_score(task, [(side.fold, answer) for side, (answer, _) in pairs])
        rounds = round(float(np.mean([r for _, r in tried]))) if tried else shape.rounds // 2
        if best is None or (score is not None and score > reached):
            best = shape._replace(rounds=max(1, rounds))
            reached = score or WORST
    assert best is not None, "there is a shape at least"
    return best, reached


def shapes(task: TaskTruth, features: int, rows: int) -> list[Shape]:
    """Small trees with small leaves for few rows, larger ones; the work of each is bounded."""
    fits = trees_a_round(task)
    found = []
    for leaves, fewest in ((6, 4), (31, 20)):
        if fewest * 4 > rows and found:
            continue
        rounds = int(np.clip(WORK // (leaves * features * fits), *ROUNDS))
        found.append(Shape(leaves, fewest, float(np.clip(10 / rounds, 0.05, 0.3)), rounds))
    return found


def trees_a_round(task: TaskTruth) -> int:
    """Trees of one round: one a class or label, a single one of two classes or a number."""
    classes = len(task.names or ())
    return classes if classes > 2 or task.several else 1


def stopped(
    task: TaskTruth, shape: Shape, side: HeldOut, codes_F: np.ndarray, seed: int
) -> tuple[Answer, int]:
    """Answers to the held-out rows at the best of some numbers of rounds, and that number."""
    best: tuple[Score, int, Answer] | None = None
    for rounds in np.unique(np.geomspace(max(1, shape.rounds // 16), shape.rounds, STEPS).round()):
        few = shape._replace(rounds=int(rounds))
        fitted = boost(task.take(side.fold.fit), few, side.fit_NF, codes_F, seed)
        answer = fitted.answer(side.check_BF, len(side.check_BF))
        score = held_out_score(task, [(side.fold, answer)])
        if best is None or (score is not None and score > best[0]):
            best = (score or WORST, few.rounds, answer)
        else:
            break
    assert best is not None
    return best[2], best[1]


def boost(
    task: TaskTruth, shape: Shape, x_NF: np.ndarray, codes_F: np.ndarray, seed: int
) -> Estimate:
    """One boosting with these settings, fitted on all rows of the task."""
    from sklearn.ensemble import (  # answering does without
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    usable = np.flatnonzero(varied(x_NF))
    options: dict[str, Any] = {
        "max_iter": shape.rounds,
        "learning_rate": shape.rate,
        "max_leaf_nodes": shape.leaves,
        "min_samples_leaf": shape.fewest,
        "categorical_features": codes_F[usable],
        "early_stopping": False,
        "random_state": seed,
    }
    if task.numeric:
        options["loss"] = "absolute_error" if task.absolute else "squared_error"
        kind: Any = HistGradientBoostingRegressor
    else:
        # Without the penalty, leaves of a few rows of one among many classes grow without bound.
        options |= {"l2_regularization": 1.0, "class_weight": task.class_weight}
        kind = HistGradientBoostingClassifier

    def fit(rows: np.ndarray, y_N: np.ndarray) -> Trees:
        return Trees.of(kind(**options).fit(x_NF[np.ix_(rows, usable)], y_N), usable)

    return Estimate.fit(task, fit, np.arange(len(x_NF)))


def varied(x_NF: np.ndarray) -> np.ndarray:
    """Which features differ between rows, (F,); the first one where none does."""
    known_NF = np.isfinite(x_NF)
    low_F = np.where(known_NF, x_NF, np.inf).min(0, initial=np.inf)
    high_F = np.where(known_NF, x_NF, -np.inf).max(0, initial=-np.inf)
    found = (low_F < high_F) | (known_NF.any(0) & ~known_NF.all(0))
    if not found.any():
        found[:1] = True
    return found
