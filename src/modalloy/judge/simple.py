"""Features and truths of training rows in, simple methods' answers to test rows out."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
from scipy.sparse import csr_array, csr_matrix, hstack
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modalloy import config
from modalloy.judge.features import CellsOf
from modalloy.table.reader import empty
from modalloy.table.text import to_words

LEAVES = 32
TREES = 2000  # trees over all classes, at most 100 rounds

Answer = dict[str, np.ndarray]
Features = np.ndarray | csr_matrix | csr_array


@dataclass
class Goal:
    """What one task wants of the sampled rows: options, class names, truth, words to tag."""

    options: config.TaskOptions
    names: list[str] | None
    truth: list[Any]
    words: list[list[str]]

    @classmethod
    def read(
        cls, options: config.TaskOptions, target: Any, cells_of: CellsOf, rows: np.ndarray
    ) -> "Goal":
        """Truth of these rows; a simple method has no quantiles to be judged by."""
        if isinstance(options, config.Regress):
            options = options.model_copy(update={"quantiles": ()})
        truth = list(target.truth(cells_of(target.columns, rows)))
        names = getattr(target, "names", None)
        on = options.on if isinstance(options, config.Tag) else None
        words = [as_words(c) for c in cells_of((on,), rows)[on]] if on else []
        return cls(options, None if names is None else [str(n) for n in names], truth, words)

    def known(self, at: np.ndarray) -> np.ndarray:
        """Those of these positions whose truth is known."""
        return np.array([i for i in at if self.truth[i] is not None], dtype=np.int64)

    def numbers(self, at: np.ndarray) -> np.ndarray:
        """Truth of these rows of a regress task, (n,)."""
        return np.array([float(self.truth[i]) for i in at])

    def labels(self, at: np.ndarray) -> np.ndarray:
        """Classes of these rows as zeros and ones, (n, C); those not in `names` are left out."""
        index = {n: c for c, n in enumerate(self.names or ())}
        y_NC = np.zeros((len(at), len(index)))
        for y_C, i in zip(y_NC, at, strict=True):
            for name in self.truth[i] if self.several else [self.truth[i]]:
                if str(name) in index:
                    y_C[index[str(name)]] = 1.0
        return y_NC

    @property
    def several(self) -> bool:
        """Whether a row may have several labels."""
        return isinstance(self.options, config.Classify) and self.options.labels == "multi"


def as_words(cell: Any) -> list[str]:
    """Words of a tokens cell, none where it is empty or unreadable."""
    words = [] if empty(cell) else to_words(cell)
    return [] if isinstance(words, str) else words


def varies(goal: Goal, train: np.ndarray) -> bool:
    """Whether training rows have more than one truth."""
    return len({str(goal.truth[i]) for i in train}) > 1


def constant(goal: Goal, train: np.ndarray, test: np.ndarray) -> tuple[str, Answer]:
    """The same answer to every row, and its name: class shares, the mean, no tag, no box."""
    count = len(test)
    match goal.options:
        case config.Classify():
            name = "each label's share" if goal.several else "always the commonest class"
            return name, {"probability": np.tile(goal.labels(train).mean(0), (count, 1))}
        case config.Regress():
            return "mean of the training rows", {
                "value": np.full(count, goal.numbers(train).mean())
            }
        case config.Tag():
            tags = [["O"] * len(goal.words[i]) for i in test]
            return "no tag at all", {"tags": objects(tags), "confidence": np.ones(count)}
        case config.Locate():
            boxes = objects([np.zeros((0, 4)) for _ in test])
            scores, names = objects([np.zeros(0) for _ in test]), objects([[] for _ in test])
            return "no box at all", {"boxes": boxes, "scores": scores, "names": names}
        case _:
            assert_never(goal.options)


def boost(
    goal: Goal, x_BF: np.ndarray, codes: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int
) -> Answer:
    """Gradient boosting (scikit-learn's histogram kind); codes: which features are categories.

    Rounds are bounded by the number of classes, so that 77 of them take no longer than two.
    """
    if isinstance(goal.options, config.Regress):
        loss = "absolute_error" if goal.options.loss == "absolute" else "squared_error"
        model: Any = HistGradientBoostingRegressor(
            loss=loss, categorical_features=codes, early_stopping=False, random_state=seed
        )
        return {"value": model.fit(x_BF[train], goal.numbers(train)).predict(x_BF[test])}
    y_NC = goal.labels(train)
    fits = y_NC.shape[1] if y_NC.shape[1] > 2 or goal.several else 1

    def make() -> Any:
        # Without the penalty, leaves of a few rows of one among many classes grow without bound.
        return HistGradientBoostingClassifier(
            max_iter=int(np.clip(TREES // fits, 8, 100)),
            max_leaf_nodes=31 if fits < 20 else 8,
            min_samples_leaf=20 if fits < 20 else 10,
            l2_regularization=1.0,
            categorical_features=codes,
            early_stopping=False,
            random_state=seed,
        )

    return each_class(goal, make, x_BF, y_NC, train, test)


def tree(goal: Goal, x_BF: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int) -> Answer:
    """A decision tree of at most LEAVES leaves: what one column tells by itself."""
    shape: dict[str, Any] = {
        "max_leaf_nodes": LEAVES,
        "min_samples_leaf": min(10, max(1, len(train) // 20)),
        "random_state": seed,
    }
    if isinstance(goal.options, config.Regress):
        loss = "absolute_error" if goal.options.loss == "absolute" else "squared_error"
        model: Any = DecisionTreeRegressor(criterion=loss, **shape)
        return {"value": model.fit(x_BF[train], goal.numbers(train)).predict(x_BF[test])}
    y_NC = goal.labels(train)
    return each_class(goal, lambda: DecisionTreeClassifier(**shape), x_BF, y_NC, train, test)


def linear(
    goal: Goal, x_BF: np.ndarray, codes: np.ndarray, train: np.ndarray, test: np.ndarray
) -> tuple[Answer, str]:
    """Logistic or ridge regression; a note if it stopped early."""
    x_BF = filled(spread_codes(x_BF, codes, train), train)
    if isinstance(goal.options, config.Regress):
        model: Any = RidgeCV(alphas=np.geomspace(1e-2, 1e5, 15))
        return {"value": model.fit(x_BF[train], goal.numbers(train)).predict(x_BF[test])}, ""
    return logistic(goal, 0.1, x_BF, train, test)


def linear_words(
    goal: Goal,
    words_BF: csr_matrix,
    x_BF: np.ndarray,
    codes: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
) -> tuple[Answer, str]:
    """Logistic or ridge regression on sparse words and the plain columns beside them."""
    x_BF = filled(spread_codes(x_BF, codes, train), train)
    scale_F = x_BF[train].std(0)
    x_BF = (x_BF - x_BF[train].mean(0)) / np.where(scale_F > 0, scale_F, 1.0)
    joint_BF = hstack([words_BF, csr_matrix(x_BF / max(1, x_BF.shape[1]) ** 0.5)]).tocsr()
    if isinstance(goal.options, config.Regress):
        model: Any = Ridge(alpha=1.0, solver="sparse_cg")
        y_N = goal.numbers(train)
        return {"value": model.fit(joint_BF[train], y_N).predict(joint_BF[test])}, ""
    return logistic(goal, 10.0, joint_BF, train, test)


def filled(x_BF: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Absent features as the mean of the training rows."""
    known = np.isfinite(x_BF[train])
    mean_F = np.where(known, x_BF[train], 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(np.isfinite(x_BF), x_BF, mean_F)


def logistic(
    goal: Goal, c: float, x_BF: Features, train: np.ndarray, test: np.ndarray
) -> tuple[Answer, str]:
    """Logistic regression with the inverse penalty c; a note if it stopped early."""

    def make() -> Any:
        return LogisticRegression(C=c, max_iter=300, tol=1e-3)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        answer = each_class(goal, make, x_BF, goal.labels(train), train, test)
    stopped = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return answer, "stopped before it had converged" if stopped else ""


def spread_codes(x_BF: np.ndarray, codes: np.ndarray, train: np.ndarray) -> np.ndarray:
    """A feature for each category code of the training rows, other features as they are."""
    parts = [x_BF[:, ~codes]]
    for x_B in x_BF[:, codes].T:
        seen = np.unique(x_B[train][np.isfinite(x_B[train])])
        parts.append((x_B[:, None] == seen).astype(float))
    return np.concatenate(parts, axis=1)


def each_class(
    goal: Goal,
    make: Callable[[], Any],
    x_BF: Features,
    y_NC: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
) -> Answer:
    """Probabilities of all classes, (n, C): one model for all, or one a label for several."""
    out_NC = np.tile(y_NC.mean(0), (len(test), 1))
    if goal.several:
        for c in np.flatnonzero((y_NC.min(0) < 1) & (y_NC.max(0) > 0)):
            model = make().fit(x_BF[train], y_NC[:, c].astype(int))
            out_NC[:, c] = model.predict_proba(x_BF[test])[:, 1]
        return {"probability": out_NC}
    rows = y_NC.any(1)
    y_N = y_NC.argmax(1)
    model = make().fit(x_BF[train[rows]], y_N[rows])
    out_NC[:] = 0.0
    out_NC[:, model.classes_] = model.predict_proba(x_BF[test])
    return {"probability": out_NC}


def commonest_tags(goal: Goal, train: np.ndarray, test: np.ndarray) -> Answer:
    """Each word's commonest training tag; O for new words."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for i in train:
        for word, tag in zip(goal.words[i], goal.truth[i], strict=False):
            seen[word][tag] += 1
    best = {word: min(tags, key=lambda t: (-tags[t], t)) for word, tags in seen.items()}
    tags = [[best.get(word, "O") for word in goal.words[i]] for i in test]
    return {"tags": objects(tags), "confidence": np.ones(len(test))}


def objects(lists: Sequence[Any]) -> np.ndarray:
    """An object array with one list a row."""
    out = np.empty(len(lists), dtype=object)
    for i, one in enumerate(lists):
        out[i] = one
    return out
