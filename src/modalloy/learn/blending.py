"""Whether a trained network answers better together with classical methods, and with how much say
of each: judged on rows that none of them has learned from.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from modalloy.answer.answers import Answer
from modalloy.answer.blended import possible
from modalloy.answer.loader import Loader
from modalloy.blend.fitting import Weighed, answerable, error_of, weigh
from modalloy.blend.mixture import NOTHING, Blend, Mixture
from modalloy.classical.fit import fit_methods
from modalloy.classical.method import FittedMethod
from modalloy.classical.rows import belonging, most_rows
from modalloy.job import config
from modalloy.judge.baselines.baseline import baseline_of
from modalloy.judge.metrics.score import primary, score
from modalloy.judge.sections import Sections
from modalloy.learn.frozen_vectors import (
    VectorsOf,
    frozen_of,
    pooled_rows,
    vectors_without,
)
from modalloy.learn.held_out import (
    NETWORK,
    OWN,
    HeldAnswer,
    HeldOut,
    crossed_answers,
    method_answers,
    network_answers,
)
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of
from modalloy.table.split import Parts, joined

PART = "blend"  # of a report; see `judge/sections.py`
UNHELD = "no rows were held back that could tell what helps"


class Blended(NamedTuple):
    """What answers are made of, and how that was found, as `Report.made_of` keeps it.

    methods: by task, those that learned from the rows that the finished network learned from,
    whether they have a say or not. widths: as a blend's, of all inputs that these see.
    held: task -> what is so made of held-back rows, each by weights that were fitted without it.
    """

    blend: Blend
    made_of: dict[str, dict[str, Any]]
    methods: dict[str, list[FittedMethod]]
    widths: dict[str, int]
    held: dict[str, HeldAnswer]


class OfTask(NamedTuple):
    """The same of one task; no mixture where the network answers alone."""

    mixture: Mixture | None
    made_of: dict[str, Any]
    methods: list[FittedMethod]
    held: HeldAnswer


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
    found: dict[str, OfTask] = {}
    asked = model.job.blend.use != "never"
    tasks_of = [n for n, o in model.job.tasks.items() if asked and error_of(o) is not None]
    if held is None:
        unheld = {n: {"blended": False, "why": UNHELD, "rows": 0} for n in tasks_of}
        return Blended(NOTHING, unheld, {}, {}, {})
    for task in tasks_of:
        fit = partial(fit_task, model, loader, parts, held, task, refit=refit)
        with threadpool_limits(1):  # as simple methods of a report are fitted
            own = made.run(PART, "what its answers are blended with", fit, None, task=task)
        found |= {} if own is None else {task: own}
    tasks = {task: own.mixture for task, own in found.items() if own.mixture is not None}
    methods = {task: own.methods for task, own in found.items()}
    seen = {i for some in methods.values() for method in some for i in method.frozen}
    said = pooled_rows(model, loader, [i for i in model.inputs if i in seen], held.rows[:1])
    widths = {i: x_BF.shape[1] for i, x_BF in said.items()}
    wanted = {i for m in tasks.values() for _, method in m.methods for i in method.frozen}
    blend = Blend(tasks, {i: width for i, width in widths.items() if i in wanted})
    made_of = {task: own.made_of for task, own in found.items()}
    alone = {n: network_alone(held, n, names_of(loader.targets[n])) for n in model.job.tasks}
    answers = alone | {task: own.held for task, own in found.items()}
    return Blended(blend, made_of, methods, widths, answers)


def network_alone(held: HeldOut, task: str, names: Sequence[str] | None) -> HeldAnswer:
    """What the network says of held-back rows."""
    return HeldAnswer(held.rows, network_answers(held, task, names)[NETWORK])


def fit_task(
    model: Model,
    loader: Loader,
    parts: Parts,
    held: HeldOut,
    task: str,
    *,
    refit: bool,
) -> OfTask:
    """What one task's answers are made of, and what is so made of held-back rows."""
    job, options, target = model.job, model.job.tasks[task], loader.targets[task]
    names, least = names_of(target), job.blend.least_rows
    truth = list(target.truth(loader.cells(target.columns, held.rows)))
    rows = len(answerable(options, names, truth))
    if rows < least:
        why = f"{rows} held-back rows have an answer, and least_rows is {least}"
        unmade = {"blended": False, "why": why, "rows": rows}
        return OfTask(None, unmade, [], network_alone(held, task, names))
    learn = partial(learn_methods, job, loader, task)
    methods: list[FittedMethod] = []
    answers = network_answers(held, task, names)
    if held.fold_R is None:
        vectors_of = vectors_without(model, loader, held.fitted[0] if refit else None)
        methods = learn(parts.train, vectors_of)
        answers |= method_answers(methods, loader, held.rows, vectors_of(held.rows))
    else:
        every = [vectors_without(model, loader, fitted) for fitted in held.fitted]
        answers |= crossed_answers(learn, loader, held, every)
    answers = {name: possible(options, answer) for name, answer in answers.items()}
    together = belonging(job, loader.cells, held.rows)
    weighed = weigh(
        options,
        names,
        answers,
        truth,
        together=together,
        least=job.blend.least_weight,
        parts=[name for name in answers if name.endswith(OWN)],
    )
    blended = (weighed.helps or job.blend.use == "always") and weighed.weights[NETWORK] < 1.0
    table = {"blended": blended, "why": say_why(blended, weighed), "rows": rows}
    table |= figures(options, names, answers, truth, weighed)
    if refit or held.fold_R is not None:
        methods = learn(joined(parts).train, vectors_without(model, loader, None))
    if not blended:
        return OfTask(None, table, methods, network_alone(held, task, names))
    say = weighed.weights
    heads = {i: w for i in model.inputs if (w := say.get(f"{i}{OWN}"))}
    said = tuple((w, m) for m in methods if (w := say.get(m.name)))
    crossed = HeldAnswer(held.rows[weighed.rows], possible(options, weighed.crossed))
    return OfTask(Mixture(say[NETWORK], heads, said), table, methods, crossed)


def learn_methods(
    job: config.Job, loader: Loader, task: str, train: np.ndarray, vectors_of: VectorsOf
) -> list[FittedMethod]:
    """Classical methods of a task, fitted on training rows: as many as simple methods ever see."""
    target = loader.targets[task]
    if len(train) > (most := most_rows(loader.readers)):
        drawn = np.random.default_rng(job.seed).choice(train, most, replace=False)
        train = np.sort(drawn)
    together = belonging(job, loader.cells, train)
    return fit_methods(
        job.tasks[task],
        target,
        loader.readers,
        loader.cells,
        train,
        together=together,
        seed=job.seed,
        frozen=frozen_of(vectors_of, train),
    )


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
        if weighed.cheaper:
            return f"{what} less than the network alone on rows that no weight was fitted on"
        return (
            f"{what} no more than chance explains beside the network alone on rows that no weight "
            "was fitted on, and a mean of several is the safer answer"
        )
    if blended:
        return "the job says so (use: always)"
    return "the network alone costs less on rows that no weight was fitted on"
