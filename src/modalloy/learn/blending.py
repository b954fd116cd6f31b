"""Whether a trained network answers better together with classical methods, and with how much say
of each: judged on rows that none of them has learned from.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from modalloy.answer.answers import EVERYTHING, Answer, Answered, Answers
from modalloy.answer.blended import ask, possible
from modalloy.answer.loader import Loader
from modalloy.answer.network import BATCH, answer_rows, batches, pooled
from modalloy.blend.fitting import Weighed, answerable, error_of, weigh
from modalloy.blend.mixture import NOTHING, Blend, Mixture
from modalloy.classical.fit import fit_methods
from modalloy.classical.method import FittedMethod
from modalloy.classical.rows import belonging, most_rows
from modalloy.job import config
from modalloy.judge.baselines.baseline import baseline_of
from modalloy.judge.metrics.score import primary, score
from modalloy.judge.sections import Sections
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.targets.target import names_of
from modalloy.table.split import Parts, joined

PART = "blend"  # of a report; see `judge/sections.py`
NETWORK = "the network alone"
OWN = " (own head)"  # ends the name of a column's own head


class HeldOut(NamedTuple):
    """Rows with the answers of networks that had not learned from them.

    answered: with the own heads of all inputs where one network answered all rows, nothing hidden.
    names: task -> classes that it knew, in the order of its probabilities. fold_R: the fold of each
    row, where each fold was answered by a network that learned from the others; classical methods
    are then asked in the same way.
    """

    rows: np.ndarray
    answered: Answered
    names: Mapping[str, Sequence[str] | None]
    fold_R: np.ndarray | None = None


class Blended(NamedTuple):
    """What answers are made of, and how that was found, as `Report.made_of` keeps it."""

    blend: Blend
    made_of: dict[str, dict[str, Any]]


class Frozen(NamedTuple):
    """Pooled vectors of frozen encoders for some training rows; no test row has any."""

    train: np.ndarray
    test: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]
    inputs: tuple[str, ...]


def hold_out(model: Model, loader: Loader, rows: np.ndarray) -> HeldOut | None:
    """What a network says of rows that it has not learned from; None where nobody will ask."""
    if model.job.blend.use == "never" or not len(rows):
        return None
    names = {task: names_of(target) for task, target in loader.targets.items()}
    return HeldOut(rows, answer_rows(model, loader, rows, heads=model.inputs), names)


def from_folds(
    loader: Loader, rows: np.ndarray, fold_R: np.ndarray, answers: Answers
) -> HeldOut | None:
    """What the networks of some folds say of one another's rows; None where nobody will ask."""
    if loader.job.blend.use == "never":
        return None
    names = {task: names_of(target) for task, target in loader.targets.items()}
    return HeldOut(rows, Answered(seen={EVERYTHING: answers}), names, fold_R)


def fit_blend(
    model: Model,
    loader: Loader,
    parts: Parts,
    held: HeldOut | None,
    made: Sections,
    *,
    refit: bool,
) -> Blended:
    """What each task's answers are made of.

    model: the finished one. held: answers of it, or with `refit` of the one before it. Methods
    learn from the training rows and are weighed on the held-back ones; with `refit` they then learn
    from both. What fails leaves the network alone, and `made` names it.
    """
    made_of: dict[str, dict[str, Any]] = {}
    tasks: dict[str, Mixture] = {}
    if held is None:
        return Blended(NOTHING, made_of)
    seen = pooled_rows(model, loader, held.rows, frozen_inputs(model))
    for task, options in model.job.tasks.items():
        if error_of(options) is None:
            continue
        fit = partial(fit_task, model, loader, parts, held, task, seen, refit=refit)
        with threadpool_limits(1):  # as simple methods of a report are fitted
            found = made.run(PART, "what its answers are blended with", fit, None, task=task)
        if found is not None:
            made_of[task] = found[1]
            tasks |= {} if found[0] is None else {task: found[0]}
    wanted = {i for m in tasks.values() for _, method in m.methods for i in method.frozen}
    widths = {i: x_BF.shape[1] for i, x_BF in seen.items() if i in wanted}
    return Blended(Blend(tasks, widths), made_of)


def fit_task(
    model: Model,
    loader: Loader,
    parts: Parts,
    held: HeldOut,
    task: str,
    seen: Mapping[str, np.ndarray],
    *,
    refit: bool,
) -> tuple[Mixture | None, dict[str, Any]]:
    """What one task's answers are made of, None for the network alone, and how that was found.

    seen: pooled vectors of the held-back rows by input.
    """
    job, options, target = model.job, model.job.tasks[task], loader.targets[task]
    names, least = names_of(target), job.blend.least_rows
    truth = list(target.truth(loader.cells(target.columns, held.rows)))
    rows = len(answerable(options, names, truth))
    if rows < least:
        why = f"{rows} held-back rows have an answer, and least_rows is {least}"
        return None, {"blended": False, "why": why, "rows": rows}
    learn = partial(learn_methods, model, loader, task, tuple(seen))
    methods: list[FittedMethod] = []
    answers = network_answers(held, task, names)
    if held.fold_R is None:
        methods = learn(parts.train)
        answers |= method_answers(methods, loader, held.rows, seen)
    else:
        answers |= crossed_answers(learn, loader, held, seen)
    answers = {name: possible(options, answer) for name, answer in answers.items()}
    together = belonging(job, loader.cells, held.rows)
    weighed = weigh(options, names, answers, truth, together=together, least=job.blend.least_weight)
    blended = (weighed.helps or job.blend.use == "always") and weighed.weights[NETWORK] < 1.0
    table = {"blended": blended, "why": say_why(blended, weighed), "rows": rows}
    table |= figures(options, names, answers, truth, weighed)
    if not blended:
        return None, table
    if refit or held.fold_R is not None:
        methods = learn(joined(parts).train)
    say = weighed.weights
    heads = {i: w for i in model.inputs if (w := say.get(f"{i}{OWN}"))}
    said = tuple((w, m) for m in methods if (w := say.get(m.name)))
    return Mixture(say[NETWORK], heads, said), table


def network_answers(held: HeldOut, task: str, names: Sequence[str] | None) -> dict[str, Answer]:
    """Answers of the network and of its own heads by name, with a column for each class of today.

    A network that later learned from the held-back rows, too, may know classes that it did not.
    """
    old = held.names[task]

    def told(answer: Answer) -> Answer:
        if names is None or old == names:
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
    learn: Callable[[np.ndarray], list[FittedMethod]],
    loader: Loader,
    held: HeldOut,
    seen: Mapping[str, np.ndarray],
) -> dict[str, Answer]:
    """Answers to each fold's rows by methods that learned from the others; of methods that can be
    fitted in every fold.
    """
    assert held.fold_R is not None, "only where there are folds"
    parts: list[tuple[np.ndarray, dict[str, Answer]]] = []
    for fold in np.unique(held.fold_R):
        own_R = held.fold_R == fold
        some = {i: x_BF[own_R] for i, x_BF in seen.items()}
        methods = learn(held.rows[~own_R])
        parts.append((own_R, method_answers(methods, loader, held.rows[own_R], some)))
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


def learn_methods(
    model: Model, loader: Loader, task: str, inputs: Sequence[str], train: np.ndarray
) -> list[FittedMethod]:
    """Classical methods of a task, fitted on training rows: as many as simple methods ever see.

    inputs: those with frozen encoders, whose vectors methods may use.
    """
    job, target = model.job, loader.targets[task]
    if len(train) > (most := most_rows(loader.readers)):
        drawn = np.random.default_rng(job.seed).choice(train, most, replace=False)
        train = np.sort(drawn)
    together = belonging(job, loader.cells, train)
    frozen = frozen_of(model, loader, train, inputs)
    return fit_methods(
        job.tasks[task],
        target,
        loader.readers,
        loader.cells,
        train,
        together=together,
        seed=job.seed,
        frozen=frozen,
    )


def frozen_inputs(model: Model) -> list[str]:
    """Inputs whose pretrained encoder no training changes."""
    encoders = model.encoders.items()
    return [name for name, e in encoders if e.frozen and e.trunk is not None]


def frozen_of(
    model: Model, loader: Loader, rows: np.ndarray, inputs: Sequence[str]
) -> Frozen | None:
    """Pooled vectors of these rows, in ascending order; None without a frozen encoder."""
    if not inputs:
        return None
    vectors = pooled_rows(model, loader, rows, inputs)
    x_NF = np.concatenate([vectors[i] for i in inputs], axis=1)

    def of(some: np.ndarray) -> np.ndarray:
        return x_NF[np.searchsorted(rows, some)]

    return Frozen(rows, rows[:0], of, tuple(inputs))


def pooled_rows(
    model: Model, loader: Loader, rows: np.ndarray, inputs: Sequence[str]
) -> dict[str, np.ndarray]:
    """Pooled vectors of these rows by input, (B, F) each."""
    if not inputs:
        return {}
    model.eval()
    found: dict[str, list[np.ndarray]] = {name: [] for name in inputs}
    for given in batches(loader, rows, BATCH, inputs):
        data = Batch.of(given, model.device)
        for name in inputs:
            found[name].append(pooled(model, name, data))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def figures(
    options: config.TaskOptions,
    names: Sequence[str] | None,
    answers: Mapping[str, Answer],
    truth: Sequence[Any],
    weighed: Weighed,
) -> dict[str, Any]:
    """Figures of each answer and of all together on the held-back rows; see `Report.made_of`."""
    known = [truth[r] for r in weighed.rows]
    asked = baseline_of(options).asked(options)

    def scored(answer: Answer) -> dict[str, Any]:
        return score(asked, known, answer, names)

    members = {
        name: {"weight": weighed.weights[name]}
        | scored({k: np.asarray(v)[weighed.rows] for k, v in answer.items()})
        for name, answer in answers.items()
    }
    metric = primary(options)[0]
    return {"metric": metric, "members": members, "together": scored(weighed.crossed)}


def say_why(blended: bool, weighed: Weighed) -> str:
    """Why a task is blended, or not."""
    if blended and weighed.helps:
        return "together they cost less than the network alone on rows that no weight was fitted on"
    if blended:
        return "the job says so (use: always)"
    return "nothing beside it makes answers better on rows that no weight was fitted on"
