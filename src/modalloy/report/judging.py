"""What a model and the methods beside it answer to test rows, some inputs hidden or none."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answered, Answers, Hidden
from modalloy.answer.blended import ask, blended
from modalloy.answer.buying import Bought, bought_statuses
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
from modalloy.model.model import Model, essential_inputs
from modalloy.readers.targets.target import names_of
from modalloy.report.extras import Extras
from modalloy.report.judged import Judged
from modalloy.report.shuffled import shuffled_figures


def judge_rows(
    model: Model,
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
    inputs, always = model.inputs, essential_inputs(model.job)
    subsets = shown_subsets(inputs, always) if len(inputs) > 1 else []
    hidden = dict.fromkeys([EVERYTHING, *(hidden_in(s, inputs) for s in subsets)])
    answered = answer_judged(model, loader, which, list(hidden), extras, quiet=quiet)
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
        found = subsets_of(model, answered, score, made)
    seconds = {"answering": scoring - start, "scoring": time.perf_counter() - scoring}
    bought = None if extras.buys is None else extras.buys(loader, which)
    if bought is not None:
        combined[EVERYTHING] = bought.answers
        seen[EVERYTHING] = adjust(bought.answers, stages)
    before = {task: combined[EVERYTHING][task] for task in stages}
    given = (which, truth, seen[EVERYTHING], groups, found, seconds, before)
    judged = Judged(*given, view=answered.view if bought is None else bought.view)
    if bought is None:
        dealt = (model, loader, which, truth, judged.answers, extras)
        control = partial(shuffled_figures, *dealt)
        judged.shuffled = made.run("shuffled", "what dealt-out cells cost", control, {})
    judged.simple = simple_methods(extras, answered, loader, which, made)
    if extras.promises:
        promise(judged, loader, combined[EVERYTHING], bought, extras.promises)
    return judged


def answer_judged(
    model: Model,
    loader: Loader,
    which: np.ndarray,
    hidden: Sequence[Hidden],
    extras: Extras,
    *,
    quiet: bool,
) -> Answered:
    """The network's answers with each of these sets hidden, and what else is judged of the rows."""
    blend = extras.blend
    asked = {
        "hidden": hidden,
        "heads": blend.heads,
        "widths": {**blend.widths, **extras.widths},
        "viewed": None if extras.likeness is None else extras.likeness.pooled,
    }
    with Bar("evaluating", len(which), quiet=quiet) as bar:
        return answer_rows(model, loader, which, **asked, tick=bar.advance)


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
    model: Model, answered: Answered, score: Callable[..., Subsets], made: Sections
) -> Subsets:
    """What each set of inputs is worth, task by task."""
    found = Subsets({}, {})
    for task, options in model.job.tasks.items():
        own = {i: {task: a[task]} for i, a in answered.alone.items() if task in a}
        of_task = partial(score, {task: options}, alone=own)
        one = made.run("subsets", "what each column is worth", of_task, None, task=task)
        if one is not None:
            found.table.update(one.table)
            found.gain.update(one.gain)
    return found


def simple_methods(
    extras: Extras, answered: Answered, loader: Loader, which: np.ndarray, made: Sections
) -> dict[str, dict[str, MethodAnswers]]:
    """What the simple methods of each task answer, task by task."""
    found: dict[str, dict[str, MethodAnswers]] = {}
    for task, own in extras.methods.items():
        ask_own = partial(ask_methods, own, answered, loader, which)
        found[task] = made.run(PART, "simple methods", ask_own, {}, task=task)
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
