"""Which of several answers to the same held-back rows help, and how much say each should have."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.blend.mixture import mix
from modalloy.blend.weights import Error, Held, fit_weights, worth
from modalloy.job import config
from modalloy.tasks.kit import kit_of

LEAD = 3.0  # that all rows together must give one answer over a mixture, in nats or squared errors
FOLDS = 5  # parts of the held-back rows that weights are fitted without, to see what they gain


class Weighed(NamedTuple):
    """What came of weighing several answers.

    weights: name -> weight, 0 where it has no say. crossed: the combined answer to each row whose
    truth is known, under weights fitted without that row's part. rows: positions of these rows.
    cheaper: whether `crossed` costs less than the first answer alone. helps: whether it does, or
    costs so little more that it may be chance: an even mean is then the safer answer.
    """

    weights: dict[str, float]
    crossed: Answer
    rows: np.ndarray
    cheaper: bool
    helps: bool


def weigh(
    options: config.TaskOptions,
    names: Sequence[str] | None,
    answers: Mapping[str, Answer],
    truth: Sequence[Any],
    *,
    together: Sequence[Any] | None,
    least: float,
    parts: Collection[str] = (),
) -> Weighed:
    """Weights of answers, the network's first, by what they say of rows that none learned from.

    parts: names of those that are a part of another answer, such as a network's own heads. Before
    any row is seen they have no say, and all others the same.

    names: of the classes. truth: of R rows; those without one, or with a class that no answer can
    be, have no part, and at least one has to have. together: R labels; rows of one label are left
    out together. least: no weight between 0 and this.
    """
    rows = answerable(options, names, truth)
    known = {n: {k: np.asarray(v)[rows] for k, v in a.items()} for n, a in answers.items()}
    held = held_of(options, names, list(known.values()), [truth[r] for r in rows])
    fold_R = folds(len(rows), None if together is None else [together[r] for r in rows])
    prior_M = np.array([0.0 if name in parts else 1.0 for name in answers])
    worth_of_row = 1.0 if together is None else worth([together[r] for r in rows]) / len(rows)
    fit = partial(fit_weights, prior_M=prior_M, least=least)
    scale, mixed = held.scale, []
    more_N = -held.costs(np.eye(len(answers))[0], scale)  # than the first answer alone costs
    for fold in np.unique(fold_R):
        own_R = fold_R == fold
        seen_R = own_R if own_R.all() else ~own_R
        w_M = fit(held.of(seen_R), rows=worth_of_row * seen_R.sum())
        more_N[own_R[held.row_N]] += held.of(own_R).costs(w_M, scale)
        mixed.append((own_R, mix(list(known.values()), list(w_M))))
    w_M = fit(held, rows=worth_of_row * len(rows))
    more_R = np.bincount(held.row_N, more_N, len(rows))
    lead = float(more_R.sum()) * worth_of_row  # of the first answer alone
    chance = float(more_R.std()) * (len(rows) * worth_of_row) ** 0.5
    cheaper, other = lead < 0, bool(w_M[0] < 1.0)
    weights = dict(zip(answers, map(float, w_M), strict=True))
    helps = lead <= max(chance, LEAD)
    return Weighed(weights, picked(mixed), rows, cheaper and other, helps and other)


def picked(parts: Sequence[tuple[np.ndarray, Answer]]) -> Answer:
    """One answer a row: each from the part whose mask holds it."""
    found = {k: np.array(v) for k, v in parts[0][1].items()}
    for mask_R, answer in parts[1:]:
        for key, array in answer.items():
            found[key][mask_R] = array[mask_R]
    return found


def folds(count: int, together: Sequence[Any] | None) -> np.ndarray:
    """The part of each of so many rows, (R,): every fifth one, or whole labels where they differ.

    A single row, or a single label, is a part of its own and learns from itself.
    """
    if together is not None:
        label_R = np.unique([str(t) for t in together], return_inverse=True)[1]
        if label_R.max(initial=0) > 0:
            return label_R % FOLDS
    return np.arange(count) % FOLDS


def error_of(options: config.TaskOptions) -> Error | None:
    """What a wrong answer of a task costs; None for kinds whose answers cannot be averaged."""
    kit = kit_of(options)
    if not kit.averaged:
        return None
    if not kit.numbers:
        return "log"
    return "squared" if getattr(options, "loss", "squared") == "squared" else "absolute"


def answerable(
    options: config.TaskOptions, names: Sequence[str] | None, truth: Sequence[Any]
) -> np.ndarray:
    """Positions of rows with a truth that can be answered, (n,)."""
    if names is None:
        return np.flatnonzero([t is not None for t in truth])
    known = set(names)
    own = [(t if options.several else [t]) if t is not None else [None] for t in truth]
    return np.flatnonzero([all(n in known for n in labels) for labels in own])


def held_of(
    options: config.TaskOptions,
    names: Sequence[str] | None,
    answers: Sequence[Answer],
    truth: Sequence[Any],
) -> Held:
    """Answers to R rows, all of them answerable, as numbers that can be weighed."""
    error, count = error_of(options), len(truth)
    assert error is not None, "answers of this kind are not weighed"
    if error != "log":
        x_NM = np.stack([np.asarray(a["value"], dtype=np.float64) for a in answers], 1)
        true_N = np.array([float(t) for t in truth])
        return Held(error, x_NM, true_N, np.ones(count), np.arange(count))
    index = {name: c for c, name in enumerate(names or ())}
    p_MRC = np.stack([np.asarray(a["probability"], dtype=np.float64) for a in answers])
    if options.several:
        yes_RC = np.zeros(p_MRC.shape[1:], dtype=bool)
        for yes_C, labels in zip(yes_RC, truth, strict=True):
            yes_C[[index[n] for n in labels]] = True
        x_NM = np.where(yes_RC, p_MRC, 1.0 - p_MRC).reshape(len(answers), -1).T
        row_N = np.repeat(np.arange(count), yes_RC.shape[1])
        return Held(error, x_NM, np.zeros(len(x_NM)), np.ones(len(x_NM)), row_N)
    true_N = np.array([index[t] for t in truth])
    x_NM = p_MRC[:, np.arange(count), true_N].T
    weight_N = np.ones(count)
    if getattr(options, "class_weights", "none") == "balanced":
        weight_N = 1.0 / np.bincount(true_N)[true_N]
    return Held(error, x_NM, np.zeros(count), weight_N, np.arange(count))
