"""The whole way of `economize`: a run in, a run out that buys for each row what it needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.predictor import Predictor
from modalloy.checks.finding import some
from modalloy.economy.before_after import Tables, arm_lines, before_after, point_of
from modalloy.economy.certificate import Asked, refuse_few, said
from modalloy.economy.costs import answer_ms, costs_of, measured_ms
from modalloy.economy.frontier import (
    ARMS,
    FOLDS,
    Certified,
    Point,
    certify,
    learn_points,
    sequence,
)
from modalloy.economy.lessons import MOST, ask_subsets, fit_features, judges_of, lessons_of
from modalloy.economy.page import write_page
from modalloy.economy.rows import FEWEST_TO_LEARN, Rows, folds, given_table, own_table
from modalloy.economy.wrong import Judge
from modalloy.errors import RunError, TableError
from modalloy.job import config
from modalloy.job.inputs import heard
from modalloy.judge.compared import Compared
from modalloy.learn.run_lock import claim
from modalloy.machine.progress import Bar
from modalloy.observing.kept import with_answers
from modalloy.policy.plan import PART, Plan
from modalloy.policy.seen import Features
from modalloy.runs.run import Run
from modalloy.runs.saving import derive_run
from modalloy.table.table import Table

PAGE = "economize.html"
NOTE = "economized"  # in a run's notes
TIMED = 256  # rows whose answers are timed


def economize(
    run: Run,
    table: Table | None,
    out: Path | None = None,
    *,
    alpha: float | None = None,
    sure: float | None = None,
    costs: Mapping[str, float] | None = None,
    quiet: bool = False,
) -> Run:
    """A run like this one that buys, row by row, only what the answer needs.

    out: its folder, `RUN-economized` otherwise. table: labelled rows; the run's own table for None.
    What is left out stands in the job, under `economize`. `notes["economized"]` holds the table
    before and after, every arm, and the certificate.

    Raises RunError for a run with a single input, one that reads what is heard in recordings, and
    where the folder is used; JobError for costs
    that lack a column and tasks without a single answer a row; TableError where rows are too few
    for the certificate, with how many are needed.
    """
    place = out or run.path.resolve().with_name(f"{run.path.resolve().name}-economized")
    refuse_heard(run)
    job = asked_job(run.job, alpha, sure, costs)
    asked = Asked(job.economize.alpha, job.economize.sure)
    asked.check()
    predictor = Predictor(run)
    inputs = predictor.engine.inputs
    if len(inputs) < 2:
        raise RunError(
            f"{run.path}: its model reads one input alone ({some(inputs)}), so there is nothing to "
            "leave out; number, category and time columns together count as one."
        )
    judges_of(predictor)  # refuses tasks that it cannot judge before rows are read
    given = job.economize.costs
    known = costs_of(inputs, list(run.readers), given) if given else None
    rows = own_table(predictor) if table is None else given_table(predictor, table)
    refuse_rows(rows, asked)
    with claim(place, resume=False):
        made = learn_plan(predictor, rows, known, asked, job.seed, quiet=quiet)
        timed = timings(predictor, made.plan, rows)
        compared = before_after(predictor, rows, made.tables, made.plan, made.found, timed)
        arms = arm_lines(made.points, made.tables, asked, made.plan)
        write_page(place / PAGE, run.job, compared, arms, made.plan, made.tables.shown)
        notes = {**run.notes, NOTE: note_of(compared, made, arms)}
        # What was kept of answers to compare with is of answers that buy every column.
        parts = {PART: made.plan.to_bytes(), **with_answers(run, {})}
        return derive_run(
            run, place, "economize", job=job, notes=notes, stages=run.stages, parts=parts
        )


class Learned(NamedTuple):
    """A plan and what it was chosen from."""

    plan: Plan
    found: Certified
    points: list[Point]
    tables: Tables


def learn_plan(
    predictor: Predictor,
    rows: Rows,
    known: Mapping[str, float] | None,
    asked: Asked,
    seed: int,
    *,
    quiet: bool,
) -> Learned:
    """Every arm learned, and the cheapest point that is certified. known: what the user says of
    costs; else they are measured."""
    cost = measured_ms(predictor, rows.loader.table, rows.learn) if known is None else known
    names, always = decided_on(predictor.engine.inputs, cost)
    tables, features = look(predictor, rows, names, cost, judges_of(predictor), quiet=quiet)
    fold_N = folds(rows.labels_of(rows.learn), len(rows.learn), FOLDS)
    with Bar("learning to buy", len(ARMS) * (FOLDS + 1), quiet=quiet) as bar:
        points = learn_points(tables.learn, fold_N, seed=seed, arms=ARMS, tick=bar.advance)
    found = certify(sequence(tables.learn, points), tables.certify, asked)
    promise = said(asked, int(found.outcome.worse_N.sum()), len(tables.certify))
    plan = Plan(
        tuple(names),
        tuple(always),
        cost,
        "ms" if known is None else "",
        features,
        found.chosen.rule,
        found.chosen.arm,
        predictor.run.sealed["model.safetensors"],
        promise | {"source": rows.source},
    )
    return Learned(plan, found, points, tables)


def refuse_heard(run: Run) -> None:
    """RunError where a text is heard: every recording is heard before a policy sees its row."""
    for name, audio in heard(run.job).items():
        if name not in run.hidden:
            raise RunError(
                f"{run.path}: column '{name}' is heard in the recordings of '{audio}' before any "
                "column is bought, so leaving it out would save nothing; train on a table that "
                "holds the texts, or without that column."
            )


def refuse_rows(rows: Rows, asked: Asked) -> None:
    """TableError where rows are too few to certify anything, or to learn from."""
    source = rows.loader.table.source
    refuse_few(len(rows.certify), asked, source)
    if len(rows.learn) < FEWEST_TO_LEARN:
        raise TableError(
            f"{source}: {len(rows.learn)} rows with an answer are left to learn a policy from, and "
            f"at least {FEWEST_TO_LEARN} are needed."
        )


def note_of(compared: Compared, made: Learned, arms: list[dict[str, Any]]) -> dict[str, Any]:
    """What the run's notes keep."""
    plan = made.plan
    return {
        **compared.as_dict(),
        "certificate": dict(plan.certificate),
        "inputs": dict(plan.costs),
        "always": list(plan.always),
        "arm": plan.arm,
        "arms": arms,
        "point": point_of(plan, made.tables.shown),
    }


def asked_job(
    job: config.Job, alpha: float | None, sure: float | None, costs: Mapping[str, float] | None
) -> config.Job:
    """The job of the new run, with what was asked for in place of what it said."""
    given: dict[str, Any] = {"alpha": alpha, "sure": sure, "costs": costs and dict(costs)}
    changes = {name: value for name, value in given.items() if value is not None}
    return job.model_copy(update={"economize": job.economize.model_copy(update=changes)})


def decided_on(inputs: list[str], cost: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Inputs that are decided on, and those that every row buys: the cheapest ones past `MOST`."""
    dearest = sorted(inputs, key=lambda name: -cost[name])[:MOST]
    return [n for n in inputs if n in dearest], [n for n in inputs if n not in dearest]


def look(
    predictor: Predictor,
    rows: Rows,
    names: list[str],
    cost: Mapping[str, float],
    judges: Mapping[str, Judge],
    *,
    quiet: bool,
) -> tuple[Tables, Features]:
    """What every set of inputs answers, and how rules see it."""
    parts = (rows.learn, rows.certify, rows.shown)
    with Bar("asking every set of columns", sum(map(len, parts)), quiet=quiet) as bar:
        every = [
            ask_subsets(predictor, rows.loader, which, names, tick=bar.advance) for which in parts
        ]
    features = fit_features(judges, every[0])
    cost_M = np.array([cost[name] for name in names])
    learn, certify_by, shown = (lessons_of(own, judges, features, cost_M) for own in every)
    return Tables(learn, certify_by, shown, every[2]), features


def timings(predictor: Predictor, plan: Plan, rows: Rows) -> tuple[float, float]:
    """Milliseconds a row with every column, and by the plan, both timed in turn."""
    every, buying = (Predictor.__new__(Predictor) for _ in range(2))
    every.__dict__ |= {**vars(predictor), "plan": None}
    buying.__dict__ |= {**vars(predictor), "plan": plan}
    draw = np.random.default_rng(0)
    some_rows = np.sort(draw.permutation(rows.shown)[:TIMED])
    before, after = answer_ms([every, buying], rows.loader.table, some_rows)
    return before, after


def say_changes(notes: Mapping[str, Any]) -> str:
    """The table before and after, for a terminal."""
    kept = {k: v for k, v in notes[NOTE].items() if k in Compared.__dataclass_fields__}
    return Compared.from_dict(kept).text()
