"""What a model and the methods beside it answer to test rows, some inputs hidden or none."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answered, Answers, Hidden
from modalloy.answer.blended import ask, blended
from modalloy.answer.buying import Bought, bought_statuses
from modalloy.answer.engine import Engine
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.promise import Promise, by_of, keep_promises
from modalloy.answer.row_groups import groups_of
from modalloy.answer.stage import adjust
from modalloy.answer.table_caveats import statuses
from modalloy.classical.method import FittedMethod, MethodAnswers
from modalloy.judge.baselines.baselines import PART
from modalloy.judge.figures import truth_of
from modalloy.judge.sections import Sections
from modalloy.judge.slices import group_labels
from modalloy.judge.subsets import Subsets, hidden_in, score_subsets, shown_subsets
from modalloy.machine.progress import Bar
from modalloy.model.model import essential_inputs
from modalloy.readers.targets.target import names_of
from modalloy.report.extras import Extras
from modalloy.report.judged import Judged
from modalloy.report.shuffled import shuffled_figures
from modalloy.report.written import Written, spared, write_hidden


def judge_rows(
    engine: Engine,
    loader: Loader,
    which: np.ndarray,
    extras: Extras,
    made: Sections,
    *,
    quiet: bool,
) -> Judged:
    """Answers with everything seen and with inputs hidden.

    Inputs that a tag or locate task works on are never hidden. Heads of single inputs answer as
    they are, without the task's blend and stage. Where a policy buys, its answers are judged; those
    of subsets are of rows that all show the same inputs.
    """
    start = time.perf_counter()
    blend, stages = extras.blend, extras.stages
    inputs, always = engine.inputs, essential_inputs(engine.job)
    subsets = shown_subsets(inputs, always) if len(inputs) > 1 else []
    hidden = dict.fromkeys([EVERYTHING, *(hidden_in(s, inputs) for s in subsets)])
    answered, few = answer_hidden(engine, loader, which, extras, list(hidden), quiet=quiet)
    combined = blended(blend, answered, loader, which)
    seen = {h: adjust(answers, stages) for h, answers in combined.items()}
    truth = truth_of(loader, which)
    groups = made.run("groups", "groups of rows", partial(group_labels, loader, which), None)
    scoring = time.perf_counter()
    names = {n: names_of(t) for n, t in loader.targets.items()}
    found = Subsets({}, {})
    if len(subsets) > 1 or answered.alone:
        score = partial(
            score_subsets,
            inputs=inputs,
            answers_of=seen.__getitem__,
            truth=truth,
            names=names,
            always=always,
            groups=groups.labels if groups else None,
        )
        found = subsets_of(engine, answered, score, made, few)
    seconds = {"answering": scoring - start, "scoring": time.perf_counter() - scoring}
    bought = None if extras.buys is None else extras.buys(loader, which)
    if bought is not None:
        combined[EVERYTHING] = bought.answers
        seen[EVERYTHING] = adjust(bought.answers, stages)
    before = {task: combined[EVERYTHING][task] for task in stages}
    shuffled: dict[str, dict[str, Any]] = {}
    if bought is None:
        dealt = (engine, loader, which, truth, seen[EVERYTHING], extras)
        control = partial(shuffled_figures, *dealt)
        shuffled = made.run("shuffled", "what dealt-out cells cost", control, {})
    given = (which, truth, seen[EVERYTHING], groups, found, seconds, before)
    judged = Judged(*given, view=answered.view if bought is None else bought.view)
    judged.shuffled = shuffled
    for task, own in extras.methods.items():
        ask_own = partial(ask_methods, own, answered, loader, which)
        judged.simple[task] = made.run(PART, "simple methods", ask_own, {}, task=task)
    if extras.promises:
        promise(judged, loader, combined[EVERYTHING], bought, extras.promises)
    return judged


def answer_hidden(
    engine: Engine,
    loader: Loader,
    which: np.ndarray,
    extras: Extras,
    hidden: Sequence[Hidden],
    *,
    quiet: bool,
) -> tuple[Answered, Written]:
    """Answers by which inputs are hidden; of many rows texts are written for few of them."""
    texts, viewed = spared(engine.job, len(which)), extras.likeness
    others = [n for n in engine.job.tasks if n not in texts]
    with Bar("evaluating", len(which), quiet=quiet) as bar:
        answered = answer_rows(
            engine,
            loader,
            which,
            hidden=hidden,
            tasks=lambda h: others if h else None,
            heads=extras.blend.heads,
            widths={**extras.blend.widths, **extras.widths},
            viewed=None if viewed is None else viewed.pooled,
            tick=bar.advance,
        )
    whole = answered.seen[EVERYTHING]
    return answered, write_hidden(engine, loader, which, texts, hidden, whole)


def promise(
    judged: Judged,
    loader: Loader,
    before: Answers,
    bought: Bought | None,
    promises: Mapping[str, Promise],
) -> None:
    """What the answers promise, by the kind of each row. before: answers before their stage."""
    said = statuses(loader, judged.which)
    if bought is not None:
        said = bought_statuses(said, bought, loader, "missing")
    judged.kinds = groups_of(loader, judged.which, said, by_of(promises))
    given = (loader.job.tasks, promises, before, judged.answers, judged.kinds)
    judged.answers = keep_promises(*given)


def subsets_of(
    engine: Engine,
    answered: Answered,
    score: partial[Subsets],
    made: Sections,
    few: Written,
) -> Subsets:
    """What each set of inputs is worth, task by task."""
    found = Subsets({}, {})
    for task, options in engine.job.tasks.items():
        own = {i: {task: a[task]} for i, a in answered.alone.items() if task in a}
        rows = {}
        if task in few.tasks:
            rows = few.scored(task, score.keywords["truth"][task], score.keywords["groups"])
        of_task = partial(score, {task: options}, alone=own, **rows)
        one = made.run("subsets", "what each column is worth", of_task, None, task=task)
        if one is not None:
            if task in few.tasks:
                few.say_rows(task, one)
            found.table.update(one.table)
            found.gain.update(one.gain)
    return found


def ask_methods(
    methods: Sequence[FittedMethod], answered: Answered, loader: Loader, which: np.ndarray
) -> dict[str, MethodAnswers]:
    """What fitted methods answer to these rows, and what is to be said of their fits, by name."""
    whole = Answered({EVERYTHING: answered.seen[EVERYTHING]}, pooled=answered.pooled)
    said = ask(methods, whole, loader, which)
    return {
        m.name: MethodAnswers(a[EVERYTHING], m.note) for m, a in zip(methods, said, strict=True)
    }
