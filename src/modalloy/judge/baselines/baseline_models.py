"""Features and truths of training rows in, simple methods' answers to test rows out."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
from scipy.sparse import csr_array, csr_matrix
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modalloy.answer.decoding.boxes import overlaps
from modalloy.cells.cells import empty
from modalloy.job import config
from modalloy.judge.baselines.sample import CellsOf
from modalloy.readers.text import to_words

LEAVES = 32
SAME = 20  # boxes of one name that are answered to every picture, at most
MOST_BOXES = 1000  # of one name that are compared with each other

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
    def one_answer(self) -> bool:
        """Whether the task gives one answer a row: classes, labels or a number."""
        return isinstance(self.options, config.Classify | config.Regress)

    @property
    def class_weight(self) -> str | None:
        """Classes weigh as they do in the model's training; as scikit-learn calls it."""
        balanced = isinstance(self.options, config.Classify) and (
            self.options.class_weights == "balanced"
        )
        return "balanced" if balanced else None

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
    shape["class_weight"] = goal.class_weight
    y_NC = goal.labels(train)
    return each_class(goal, lambda: DecisionTreeClassifier(**shape), x_BF, y_NC, train, test)


def each_class(
    goal: Goal,
    make: Callable[[], Any],
    x_BF: Features,
    y_NC: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
) -> Answer:
    """Probabilities of all classes, (n, C): one model for all, or one a label for several.

    A class or label that all training rows have, or none, needs no model.
    """
    out_NC = np.tile(y_NC.mean(0), (len(test), 1))
    if goal.several:
        for c in np.flatnonzero((y_NC.min(0) < 1) & (y_NC.max(0) > 0)):
            model = make().fit(x_BF[train], y_NC[:, c].astype(int))
            out_NC[:, c] = model.predict_proba(x_BF[test])[:, 1]
        return {"probability": out_NC}
    rows = y_NC.any(1)
    y_N = y_NC.argmax(1)
    if len(np.unique(y_N[rows])) < 2:
        return {"probability": out_NC}
    model = make().fit(x_BF[train[rows]], y_N[rows])
    out_NC[:] = 0.0
    out_NC[:, model.classes_] = model.predict_proba(x_BF[test])
    return {"probability": out_NC}


def varied(x_BF: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Which features differ between training rows, (F,); the first one where none does."""
    x_NF = x_BF[train]
    known_NF = np.isfinite(x_NF)
    low_F = np.where(known_NF, x_NF, np.inf).min(0, initial=np.inf)
    high_F = np.where(known_NF, x_NF, -np.inf).max(0, initial=-np.inf)
    found = (low_F < high_F) | (known_NF.any(0) & ~known_NF.all(0))
    if not found.any():
        found[:1] = True
    return found


def commonest_tags(goal: Goal, train: np.ndarray, test: np.ndarray) -> Answer:
    """Each word's commonest training tag; O for new words."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for i in train:
        for word, tag in zip(goal.words[i], goal.truth[i], strict=False):
            seen[word][tag] += 1
    best = {word: min(tags, key=lambda t: (-tags[t], t)) for word, tags in seen.items()}
    tags = [[best.get(word, "O") for word in goal.words[i]] for i in test]
    return {"tags": objects(tags), "confidence": np.ones(len(test))}


def commonest_boxes(goal: Goal, train: np.ndarray, test: np.ndarray) -> Answer:
    """The same boxes on every picture: those that most training pictures have one like, at most
    SAME of a name; scored by the share of pictures that have one.
    """
    found: list[tuple[float, str, np.ndarray]] = []
    for name in goal.names or ():
        own = [boxes_named(goal.truth[i], name) for i in train]
        every = np.concatenate([np.zeros((0, 4)), *own])
        picture = np.repeat(np.arange(len(own)), [len(b) for b in own])
        some = np.unique(np.linspace(0, max(0, len(every) - 1), MOST_BOXES).round().astype(int))
        every, picture = every[some[: len(every)]], picture[some[: len(every)]]
        alike = overlaps(every, every) >= 0.5
        for _ in range(min(SAME, len(every))):
            votes = np.array([len(np.unique(picture[a])) for a in alike])
            best = int(votes.argmax())
            same = alike[best].copy()
            if not same.any():
                break
            found.append((votes[best] / max(1, len(train)), name, every[same].mean(0)))
            alike[:, same] = False
    boxes = np.array([b for _, _, b in found]).reshape(-1, 4)
    scores, names = np.array([s for s, _, _ in found]), [n for _, n, _ in found]
    return {
        "boxes": objects([boxes for _ in test]),
        "scores": objects([scores for _ in test]),
        "names": objects([names for _ in test]),
    }


def boxes_named(truth: Any, name: str) -> np.ndarray:
    """The boxes of one picture that have this name, (n, 4)."""
    boxes = np.asarray(truth["boxes"], dtype=np.float64).reshape(-1, 4)
    return boxes[[str(n) == name for n in truth["names"]]]


def objects(lists: Sequence[Any]) -> np.ndarray:
    """An object array with one list a row."""
    out = np.empty(len(lists), dtype=object)
    for i, one in enumerate(lists):
        out[i] = one
    return out
