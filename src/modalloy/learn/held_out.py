"""Answers to rows that nobody had learned from: a network's or those of folds, its own heads', and
classical methods' beside them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answer, Answered, Answers
from modalloy.answer.blended import ask
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.classical.method import FittedMethod
from modalloy.job import config
from modalloy.learn.frozen_vectors import Vectors, VectorsOf, fitted_vectors
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of

NETWORK = "the network alone"
OWN = " (own head)"  # ends the name of a column's own head


class HeldOut(NamedTuple):
    """Rows with the answers of networks that had not learned from them.

    answered: with the own heads of all inputs where one network answered all rows, nothing hidden.
    names: task -> classes that it knew, in the order of its probabilities. fold_R: the fold of each
    row, where each fold was answered by a network that learned from the others; classical methods
    are then asked in the same way. fitted: what fronts that were fitted without a fold's rows say
    of all rows, by fold; without folds one for these rows and those that were learned from, or none
    where the network stays as it is.
    """

    rows: np.ndarray
    answered: Answered
    names: Mapping[str, Sequence[str] | None]
    fold_R: np.ndarray | None
    fitted: Sequence[Vectors]


def hold_out(model: Model, loader: Loader, train: np.ndarray, rows: np.ndarray) -> HeldOut | None:
    """What a network says of rows that it has not learned from; None where nobody will ask.

    train: rows that it has learned from.
    """
    if not asked_for(model.job) or not len(rows):
        return None
    blends = model.job.blend.use != "never"
    names = {task: names_of(target) for task, target in loader.targets.items()}
    said = answer_rows(model, loader, rows, heads=model.inputs if blends else ())
    fitted = []
    if model.job.train.refit and blends:
        fitted = [fitted_vectors(model, loader, np.concatenate([train, rows]))]
    return HeldOut(rows, said, names, None, fitted)


def asked_for(job: config.Job) -> bool:
    """Whether a blend or a calibration will ask for held-back rows."""
    return job.blend.use != "never" or job.calibrate.use != "never"


def from_folds(
    loader: Loader,
    rows: np.ndarray,
    fold_R: np.ndarray,
    answers: Answers,
    fitted: Sequence[Vectors],
) -> HeldOut | None:
    """What the networks of some folds say of one another's rows; None where nobody will ask."""
    if not asked_for(loader.job):
        return None
    names = {task: names_of(target) for task, target in loader.targets.items()}
    return HeldOut(rows, Answered(seen={EVERYTHING: answers}), names, fold_R, fitted)


class HeldAnswer(NamedTuple):
    """Rows with one task's answers, as the whole run makes them, that had not learned from them."""

    rows: np.ndarray
    answer: Answer


def network_answers(held: HeldOut, task: str, names: Sequence[str] | None) -> dict[str, Answer]:
    """Answers of the network and of its own heads by name, with a column for each class of today.

    A network that later learned from the held-back rows, too, may know classes that it did not.
    """
    old = held.names[task]

    def told(answer: Answer) -> Answer:
        if names is None or old == names or "probability" not in answer:
            return answer
        p_BC = answer["probability"]
        new_BC = np.zeros((len(p_BC), len(names)), dtype=p_BC.dtype)
        for c, name in enumerate(old or ()):
            new_BC[:, list(names).index(name)] = p_BC[:, c]
        return {**answer, "probability": new_BC}

    found = {NETWORK: told(held.answered.seen[EVERYTHING][task])}
    for i, answers in held.answered.heads.get(EVERYTHING, {}).items():
        if task in answers:
            found[f"{i}{OWN}"] = told(answers[task])
    return found


def method_answers(
    methods: Sequence[FittedMethod],
    loader: Loader,
    rows: np.ndarray,
    pooled_rows: Mapping[str, np.ndarray],
) -> dict[str, Answer]:
    """Answers of methods to some rows by name. pooled_rows: vectors of these rows by input."""
    known = Answered(seen={EVERYTHING: {}}, pooled=dict(pooled_rows))
    said = ask(methods, known, loader, rows)
    return {m.name: a[EVERYTHING] for m, a in zip(methods, said, strict=True)}


def crossed_answers(
    learn: Callable[[np.ndarray, VectorsOf], list[FittedMethod]],
    loader: Loader,
    held: HeldOut,
    vectors_of: Sequence[VectorsOf],
) -> dict[str, Answer]:
    """Answers to each fold's rows by methods that learned from the others; of methods that can be
    fitted in every fold.

    vectors_of: what frozen encoders say of rows, by fold.
    """
    assert held.fold_R is not None, "only where there are folds"
    parts: list[tuple[np.ndarray, dict[str, Answer]]] = []
    for fold, of in zip(np.unique(held.fold_R), vectors_of, strict=True):
        own_R = held.fold_R == fold
        methods, own = learn(held.rows[~own_R], of), held.rows[own_R]
        parts.append((own_R, method_answers(methods, loader, own, of(own))))
    names = [n for n in parts[0][1] if all(n in said for _, said in parts)]
    return {name: in_rows([(own_R, said[name]) for own_R, said in parts]) for name in names}


def in_rows(parts: Sequence[tuple[np.ndarray, Answer]]) -> Answer:
    """One answer from those of parts of the rows, each beside the mask of its rows."""
    found: dict[str, np.ndarray] = {}
    for own_R, answer in parts:
        for key, array in answer.items():
            whole = found.setdefault(key, np.empty((len(own_R), *array.shape[1:]), array.dtype))
            whole[own_R] = array
    return found
