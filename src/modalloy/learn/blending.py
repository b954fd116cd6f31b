"""Whether a trained network answers better together with classical methods, and with how much say
of each: judged on rows that none of them has learned from.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from modalloy.answer.answers import Answer
from modalloy.answer.blended import possible
from modalloy.answer.loader import Loader
from modalloy.answer.network import BATCH, batches, pooled
from modalloy.blend.fitting import Weighed, answerable, error_of, weigh
from modalloy.blend.mixture import NOTHING, Blend, Mixture
from modalloy.classical.fit import fit_methods
from modalloy.classical.method import FittedMethod
from modalloy.classical.rows import belonging, most_rows
from modalloy.job import config
from modalloy.judge.baselines.baseline import baseline_of
from modalloy.judge.metrics.score import primary, score
from modalloy.judge.sections import Sections
from modalloy.learn.held_out import (
    NETWORK,
    OWN,
    HeldOut,
    crossed_answers,
    method_answers,
    network_answers,
)
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.targets.target import names_of
from modalloy.table.split import Parts, joined

PART = "blend"  # of a report; see `judge/sections.py`
UNHELD = "no rows were held back that could tell what helps"


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
        asked = model.job.blend.use != "never"
        tasks_of = {n for n, o in model.job.tasks.items() if asked and error_of(o) is not None}
        return Blended(NOTHING, {n: {"blended": False, "why": UNHELD, "rows": 0} for n in tasks_of})
    again = refit or held.fold_R is not None  # the finished model has learned from held-back rows
    seen = pooled_rows(model, loader, held.rows, frozen_inputs(model, fitted=not again))
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


def frozen_inputs(model: Model, *, fitted: bool) -> list[str]:
    """Inputs whose pretrained encoder no training changes.

    fitted: those of fronts that were fitted to training rows, too. Fitted to held-back rows as
    well, they would show these as they show no other row.
    """
    encoders = model.encoders.items()
    found = [name for name, e in encoders if e.frozen and e.trunk is not None]
    return [name for name in found if fitted or not model.encoders[name].fits]


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
        several = sum(w > 0 for w in weighed.weights.values()) > 1
        what = "together they cost" if several else "it costs"
        return f"{what} less than the network alone on rows that no weight was fitted on"
    if blended:
        return "the job says so (use: always)"
    return "nothing beside it makes answers better on rows that no weight was fitted on"
