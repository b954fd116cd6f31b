"""`evaluate`: the whole report of a model on test rows, and its page."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answered, Answers
from modalloy.answer.blended import ask, blended
from modalloy.answer.buying import Bought, bought_statuses
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.promise import Promise, by_of, keep_promises
from modalloy.answer.row_groups import groups_of
from modalloy.answer.stage import Stage, adjust
from modalloy.answer.table_caveats import Usual, sentence, statuses, table_caveats
from modalloy.blend.mixture import NOTHING, Blend
from modalloy.checks.finding import Finding, finding
from modalloy.classical.method import FittedMethod
from modalloy.job.job_file import job_text
from modalloy.judge.baselines.baselines import PART, RECIPE, Baselines, baselines
from modalloy.judge.baselines.embeddings import Embeddings
from modalloy.judge.before import look_again, still_holds
from modalloy.judge.environment import environment
from modalloy.judge.facts import rows_by_use, say_split
from modalloy.judge.figures import truth_of
from modalloy.judge.judge import report_of
from modalloy.judge.report import Report
from modalloy.judge.sections import Sections
from modalloy.judge.slices import columns_of, group_labels, input_shares
from modalloy.judge.subsets import Subsets, hidden_in, score_subsets, shown_subsets
from modalloy.machine.progress import Bar
from modalloy.model.model import Model, essential_inputs
from modalloy.readers.targets.target import names_of
from modalloy.report.calibrated import say_adjusted, say_promised
from modalloy.report.judged import Judged, draw_figures
from modalloy.report.page import write_page
from modalloy.report.plots import training_figures
from modalloy.report.said_of_rows import say_decided, say_unlike_rows
from modalloy.table.split import Parts, joined
from modalloy.unlike.likeness import Likeness


@dataclass
class Extras:
    """What the training knows and the test rows do not."""

    parts: Parts | None = None
    embeddings: Embeddings | None = None
    findings: Sequence[dict[str, Any]] = ()  # as `check` says them
    curves: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    known: Report | None = None  # an earlier report, whose baselines still hold
    refit: bool = False  # the model learned from the validation rows too, in the end
    before: dict[str, dict[str, Any]] = field(default_factory=dict)  # figures by task, with `label`
    caveats: Sequence[Finding] = ()  # on the columns of the table
    usual: Usual | None = None  # what was counted of training cells; of another table alone
    begun: bool = False  # `embeddings` and `before` come from the training itself
    failed: Sequence[Mapping[str, Any]] = ()  # what it could not have; see `sections.py`
    blend: Blend = NOTHING  # what the network's answers are combined with
    methods: Mapping[str, Sequence[FittedMethod]] = field(default_factory=dict)  # fitted by then
    widths: Mapping[str, int] = field(default_factory=dict)  # of pooled vectors that these see
    stages: Mapping[str, Stage] = field(default_factory=dict)  # what answers go through afterwards
    likeness: Likeness | None = None  # what is known of the training rows
    made_of: dict[str, dict[str, Any]] = field(default_factory=dict)  # see `Report.made_of`
    promises: Mapping[str, Promise] = field(default_factory=dict)  # what its answers promise
    source: str = ""  # rows that stages and promises were fitted on; see `learn/calibrate.py`
    buys: Callable[[Loader, np.ndarray], Bought] | None = None  # where a policy says what is read


def evaluate_rows(
    model: Model, loader: Loader, which: np.ndarray, extras: Extras, page: Path, *, quiet: bool
) -> Report:
    """Score, compare with simple methods and with every subset of inputs, and write the report.

    page: where the HTML goes; `report.json` gets the same name with another ending. Without a test
    row the report says so and holds what is known without one. A part that cannot be computed is
    named in the report, which holds all others; only a report that cannot be written raises.
    """
    made = Sections(extras.failed)
    judged = None
    if len(which):
        answer = partial(judge_rows, model, loader, which, extras, made, quiet=quiet)
        judged = made.run("answers", "answers to the test rows and all figures", answer, None)
    else:
        nobody = "no test rows were kept: nobody knows how well this model answers"
        found = finding("warning", "split", nobody).as_dict()
        extras = replace(extras, findings=[*extras.findings, found])
    if judged is not None:
        report = whole_report(model, loader, judged, extras, made, quiet=quiet)
    else:
        report = report_without_figures(model, loader, which, extras)
    curves = partial(training_figures, extras.curves, model.job.tasks)
    figures = made.run("figures", "curves of the training", curves, [])
    if judged is not None:
        figures = [*figures, *draw_figures(model.job, loader, judged, made)]
    write_page(report, figures, page, made=made)
    report = replace(report, failed=made.failed)
    report.save(page.with_suffix(".json"))
    return report


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
    with Bar("evaluating", len(which), quiet=quiet) as bar:
        asked = {
            "hidden": list(hidden),
            "heads": blend.heads,
            "widths": {**blend.widths, **extras.widths},
            "viewed": extras.likeness is not None,
        }
        answered = answer_rows(model, loader, which, **asked, tick=bar.advance)
    combined = blended(blend, answered, loader, which)
    seen = {h: adjust(answers, stages) for h, answers in combined.items()}
    truth = truth_of(loader, which)
    groups = made.run("groups", "groups of rows", partial(group_labels, loader, which), None)
    scoring = time.perf_counter()
    names = {n: names_of(t) for n, t in loader.targets.items()}
    labels = groups.labels if groups else None
    found = Subsets({}, {})
    if len(subsets) > 1 or answered.alone:
        score = partial(
            score_subsets,
            inputs=inputs,
            answers_of=seen.__getitem__,
            truth=truth,
            names=names,
            always=always,
            groups=labels,
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
    for task, own in extras.methods.items():
        ask_own = partial(ask_methods, own, answered, loader, which)
        judged.simple[task] = made.run(PART, "simple methods", ask_own, {}, task=task)
    promises = extras.promises
    if promises:
        said = statuses(loader, which)
        if bought is not None:
            said = bought_statuses(said, bought, loader, "missing")
        judged.kinds = groups_of(loader, which, said, by_of(promises))
        both = (combined[EVERYTHING], judged.answers)
        judged.answers = keep_promises(model.job.tasks, promises, *both, judged.kinds)
    return judged


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


def ask_methods(
    methods: Sequence[FittedMethod], answered: Answered, loader: Loader, which: np.ndarray
) -> Answers:
    """What fitted methods answer to these rows, by name."""
    whole = Answered({EVERYTHING: answered.seen[EVERYTHING]}, pooled=answered.pooled)
    said = ask(methods, whole, loader, which)
    return {m.name: a[EVERYTHING] for m, a in zip(methods, said, strict=True)}


def whole_report(
    model: Model, loader: Loader, judged: Judged, extras: Extras, made: Sections, *, quiet: bool
) -> Report:
    """Everything in numbers and words: the answers judged, beside all that the run knows."""
    which, truth, answers = judged.which, judged.truth, judged.answers
    start = time.perf_counter()
    caveats = [*extras.caveats]
    if extras.usual is not None:
        counted = partial(table_caveats, loader, which, truth, extras.usual)
        caveats += made.run("caveats", "how the cells differ from those of training", counted, [])
    extras = with_before(model, loader, extras, made, quiet=quiet)
    simple = compare(model, loader, extras, judged, made)
    baselines_s = {"baselines": time.perf_counter() - start}
    fitted = (model.job, loader.targets, judged)
    said = partial(say_adjusted, *fitted, extras.stages, extras.source)
    adjusted = made.run("adjusted", "what adjusting how sure it is has changed", said, {})
    said = partial(say_promised, *fitted, extras.promises, extras.source)
    calibrated = made.run("calibrated", "what of its promises came true", said, {})
    priced = partial(say_decided, model.job, loader.targets, judged)
    decided = made.run("decided", "what its decisions cost", priced, {})
    compared = partial(say_unlike_rows, extras.likeness, judged)
    unlike = made.run("unlike", "which rows are unlike those of training", compared, {})
    sliced = partial(columns_of, loader, which, "category")
    grouped = partial(columns_of, loader, which, "group")
    known = replace(
        report_without_figures(model, loader, which, extras),
        baselines=simple.table,
        recipe=RECIPE,
        seconds={**extras.seconds, **judged.seconds, **baselines_s},
        naive=simple.naive,
        columns=simple.columns,
        before=extras.before,
        findings=[*extras.findings, *(c.as_dict() for c in caveats)],
        caveats=[sentence(c) for c in caveats],
        adjusted=adjusted,
        calibrated=calibrated,
        decided=decided,
        unlike=unlike,
    )
    report = report_of(
        model.job,
        answers,
        truth,
        names={n: names_of(t) for n, t in loader.targets.items()},
        groups=judged.groups,
        sliced=made.run("slices", "the values of each category", sliced, {}),
        grouped=made.run("groups", "the groups of rows", grouped, {}),
        subsets=judged.subsets,
        inputs=model.inputs,
        known=known,
        run=made.run,
    )
    shares = partial(input_shares, loader, which)
    return replace(report, inputs=made.run("inputs", "shares of missing cells", shares, {}))


def report_without_figures(
    model: Model, loader: Loader, which: np.ndarray, extras: Extras
) -> Report:
    """What is known of a model without an answer to a test row."""
    split = say_split(model.job.split) if extras.parts else "all rows of the given table"
    if not len(which):
        split = "no test rows were kept: nobody knows how well this model answers"
    return Report(
        rows=rows_by_use(extras.parts, which, extras.refit),
        seconds=extras.seconds,
        environment=environment(model),
        title=title_of(str(loader.table.source)),
        split=split,
        made_of=extras.made_of,
        curves=extras.curves,
        findings=list(extras.findings),
        job=job_text(model.job),
    )


def with_before(
    model: Model, loader: Loader, extras: Extras, made: Sections, *, quiet: bool
) -> Extras:
    """What is known from before the training: found anew where no report of this run holds it."""
    if extras.parts is None or extras.begun or still_holds(extras.known):
        return extras
    found = look_again(model, loader, learned_from(extras.parts, extras), quiet=quiet)
    made.failed += found.failed
    return replace(extras, embeddings=found.embeddings, before=extras.before or found.figures)


def learned_from(parts: Parts, extras: Extras) -> Parts:
    """The parts as simple methods may use them: those that the model learned from in the end."""
    return joined(parts) if extras.refit else parts


def compare(
    model: Model,
    loader: Loader,
    extras: Extras,
    judged: Judged,
    made: Sections,
) -> Baselines:
    """Simple methods on the same rows; taken from an earlier report where the model is the same."""
    known = extras.known
    if known is not None and still_holds(known):
        return Baselines(known.baselines, known.naive, known.columns)
    if extras.parts is None:
        return Baselines({}, {}, {})
    fit = partial(
        baselines,
        model.job,
        loader.readers,
        loader.cells,
        learned_from(extras.parts, extras),
        loader.targets,
        frozen=extras.embeddings,
        answers=judged.answers,
        groups=judged.groups.labels if judged.groups else None,
        fitted=judged.simple,
        run=made.run,
    )
    return made.run(PART, "all simple methods", fit, Baselines({}, {}, {}))


def title_of(source: str) -> str:
    """The table's name; its folder's where the file is called `table` or `data`, as many are."""
    path = Path(source)
    name = path.parent.name if path.stem.lower() in ("table", "data") else path.stem
    return name or "table"
