"""`evaluate`: the whole report of a model on test rows, and its page."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from modalloy.answer.engine import Engine
from modalloy.answer.loader import Loader
from modalloy.answer.table_caveats import sentence, table_caveats
from modalloy.answer.torch_engine import TorchEngine
from modalloy.checks.finding import finding
from modalloy.job.job_file import job_text
from modalloy.judge.baselines.baselines import PART, RECIPE, Baselines, baselines
from modalloy.judge.before import look_again, still_holds
from modalloy.judge.environment import environment
from modalloy.judge.facts import rows_by_use, say_split
from modalloy.judge.judge import report_of
from modalloy.judge.report import Report
from modalloy.judge.sections import Sections
from modalloy.judge.slices import columns_of, input_shares
from modalloy.readers.targets.target import names_of
from modalloy.report.calibrated import say_adjusted, say_promised
from modalloy.report.extras import Extras
from modalloy.report.judged import Judged, draw_figures
from modalloy.report.judging import judge_rows
from modalloy.report.page import write_page
from modalloy.report.plots import training_figures
from modalloy.report.said_of_rows import say_decided, say_unlike_rows
from modalloy.table.split import Parts, joined


def evaluate_rows(
    engine: Engine, loader: Loader, which: np.ndarray, extras: Extras, page: Path, *, quiet: bool
) -> Report:
    """Score, compare with simple methods and with every subset of inputs, and write the report.

    page: where the HTML goes; `report.json` gets the same name with another ending. Without a test
    row the report says so and holds what is known without one. A part that cannot be computed is
    named in the report, which holds all others; only a report that cannot be written raises.
    """
    made = Sections(extras.failed)
    judged = None
    if len(which):
        answer = partial(judge_rows, engine, loader, which, extras, made, quiet=quiet)
        judged = made.run("answers", "answers to the test rows and all figures", answer, None)
    else:
        nobody = "no test rows were kept: nobody knows how well this model answers"
        found = finding("warning", "split", nobody).as_dict()
        extras = replace(extras, findings=[*extras.findings, found])
    if judged is not None:
        report = whole_report(engine, loader, judged, extras, made, quiet=quiet)
    else:
        report = report_without_figures(engine, loader, which, extras)
    curves = partial(training_figures, extras.curves, engine.job.tasks)
    figures = made.run("figures", "curves of the training", curves, [])
    if judged is not None:
        figures = [*figures, *draw_figures(engine.job, loader, judged, made)]
    write_page(report, figures, page, made=made)
    report = replace(report, failed=made.failed)
    report.save(page.with_suffix(".json"))
    return report


def whole_report(
    engine: Engine, loader: Loader, judged: Judged, extras: Extras, made: Sections, *, quiet: bool
) -> Report:
    """Everything in numbers and words: the answers judged, beside all that the run knows."""
    which, truth, answers = judged.which, judged.truth, judged.answers
    start = time.perf_counter()
    caveats = [*extras.caveats]
    if extras.usual is not None:
        counted = partial(table_caveats, loader, which, truth, extras.usual)
        caveats += made.run("caveats", "how the cells differ from those of training", counted, [])
    extras = with_before(engine, loader, extras, made, quiet=quiet)
    simple = compare(engine, loader, extras, judged, made)
    baselines_s = {"baselines": time.perf_counter() - start}
    fitted = (engine.job, loader.targets, judged)
    said = partial(say_adjusted, *fitted, extras.stages, extras.source)
    adjusted = made.run("adjusted", "what adjusting how sure it is has changed", said, {})
    said = partial(say_promised, *fitted, extras.promises, extras.source)
    calibrated = made.run("calibrated", "what of its promises came true", said, {})
    priced = partial(say_decided, engine.job, loader, judged)
    decided = made.run("decided", "what its decisions cost", priced, {})
    compared = partial(say_unlike_rows, extras.likeness, judged)
    unlike = made.run("unlike", "which rows are unlike those of training", compared, {})
    sliced = partial(columns_of, loader, which, "category")
    grouped = partial(columns_of, loader, which, "group")
    known = replace(
        report_without_figures(engine, loader, which, extras),
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
        shuffled=judged.shuffled,
    )
    report = report_of(
        engine.job,
        answers,
        truth,
        names={n: names_of(t) for n, t in loader.targets.items()},
        groups=judged.groups,
        sliced=made.run("slices", "the values of each category", sliced, {}),
        grouped=made.run("groups", "the groups of rows", grouped, {}),
        subsets=judged.subsets,
        inputs=engine.inputs,
        known=known,
        run=made.run,
    )
    shares = partial(input_shares, loader, which)
    return replace(report, inputs=made.run("inputs", "shares of missing cells", shares, {}))


def report_without_figures(
    engine: Engine, loader: Loader, which: np.ndarray, extras: Extras
) -> Report:
    """What is known of a model without an answer to a test row."""
    split = say_split(engine.job.split) if extras.parts else "all rows of the given table"
    if not len(which):
        split = "no test rows were kept: nobody knows how well this model answers"
    return Report(
        rows=rows_by_use(extras.parts, which, extras.refit),
        seconds=extras.seconds,
        environment=environment(engine),
        title=title_of(str(loader.table.source)),
        split=split,
        made_of=extras.made_of,
        curves=extras.curves,
        findings=list(extras.findings),
        job=job_text(engine.job),
    )


def with_before(
    engine: Engine, loader: Loader, extras: Extras, made: Sections, *, quiet: bool
) -> Extras:
    """What is known from before the training: found anew where no report of this run holds it."""
    if extras.parts is None or extras.begun or still_holds(extras.known):
        return extras
    assert isinstance(engine, TorchEngine), "only a run is scored on its own rows"
    learned = learned_from(extras.parts, extras)
    found = look_again(engine.model, loader, learned, quiet=quiet)
    made.failed += found.failed
    return replace(extras, embeddings=found.embeddings, before=extras.before or found.figures)


def learned_from(parts: Parts, extras: Extras) -> Parts:
    """The parts as simple methods may use them: those that the model learned from in the end."""
    return joined(parts) if extras.refit else parts


def compare(
    engine: Engine,
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
        engine.job,
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
