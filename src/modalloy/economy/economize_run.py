"""The whole way of `economize`: a run in, a run out that buys for each row what it needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answers
from modalloy.answer.predictor import Predictor
from modalloy.answer.stage import adjust
from modalloy.checks.finding import some
from modalloy.economy.certificate import Asked, refuse_few, said
from modalloy.economy.costs import answer_ms, costs_of, measured_ms
from modalloy.economy.frontier import (
    ARMS,
    FOLDS,
    Certified,
    certify,
    learn_points,
    of_arm,
    sequence,
)
from modalloy.economy.lessons import (
    MOST,
    Lessons,
    Outcome,
    ask_subsets,
    fit_features,
    follow,
    judges_of,
    lessons_of,
)
from modalloy.economy.lessons import (
    Asked as Answered,
)
from modalloy.economy.page import write_page
from modalloy.economy.rows import FEWEST_TO_LEARN, Rows, folds, given_table, own_table
from modalloy.errors import RunError, TableError
from modalloy.job import config
from modalloy.judge.compared import Compared, Pair, compare
from modalloy.judge.slices import Groups
from modalloy.learn.run_lock import claim
from modalloy.machine.progress import Bar
from modalloy.policy.plan import PART, Plan
from modalloy.readers.targets.target import names_of
from modalloy.runs.run import Run
from modalloy.runs.saving import derive_run
from modalloy.table.table import Table

PAGE = "economize.html"
NOTE = "economized"  # in a run's notes
TIMED = 256  # rows whose answers are timed


class Tables(NamedTuple):
    """What every set of inputs answers to the rows of each use."""

    learn: Lessons
    certify: Lessons
    shown: Lessons
    answers: Answered  # of the shown rows


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

    Raises RunError for a run with a single input and where the folder is used; JobError for costs
    that lack a column and tasks without a single answer a row; TableError where rows are too few
    for the certificate, with how many are needed.
    """
    place = out or run.path.resolve().with_name(f"{run.path.resolve().name}-economized")
    job = asked_job(run.job, alpha, sure, costs)
    asked = Asked(job.economize.alpha, job.economize.sure)
    asked.check()
    predictor = Predictor(run)
    inputs = predictor.model.inputs
    if len(inputs) < 2:
        raise RunError(
            f"{run.path}: its model reads one input alone ({some(inputs)}), so there is nothing to "
            "leave out; number, category and time columns together count as one."
        )
    judges = judges_of(predictor)
    given = job.economize.costs
    known = costs_of(inputs, list(run.readers), given) if given else None
    rows = own_table(predictor) if table is None else given_table(predictor, table)
    source = rows.loader.table
    refuse_few(len(rows.certify), asked, source.source)
    if len(rows.learn) < FEWEST_TO_LEARN:
        raise TableError(
            f"{source.source}: {len(rows.learn)} rows with an answer are left to learn a policy "
            f"from, and at least {FEWEST_TO_LEARN} are needed."
        )
    with claim(place, resume=False):
        cost = measured_ms(predictor, source, rows.learn) if known is None else known
        names, always = decided_on(inputs, cost)
        tables, features = look(predictor, rows, names, cost, judges, quiet=quiet)
        fold_N = folds(rows.labels_of(rows.learn), len(rows.learn), FOLDS)
        with Bar("learning to buy", len(ARMS) * (FOLDS + 1), quiet=quiet) as bar:
            points = learn_points(tables.learn, fold_N, seed=job.seed, arms=ARMS, tick=bar.advance)
        found = certify(sequence(tables.learn, points), tables.certify, asked)
        promise = said(asked, int(found.outcome.worse_N.sum()), len(tables.certify))
        promise |= {"source": rows.source}
        plan = Plan(
            tuple(names),
            tuple(always),
            cost,
            "ms" if known is None else "",
            features,
            found.chosen.rule,
            found.chosen.arm,
            run.sealed["model.safetensors"],
            promise,
        )
        timed = timings(predictor, plan, rows)
        compared = before_after(predictor, rows, tables, plan, found, timed)
        arms = arm_lines(points, tables, asked, plan)
        note = {**compared.as_dict(), "certificate": promise, "arm": plan.arm, "arms": arms}
        note |= {"costs": compared.as_dict()["costs"], "inputs": dict(cost), "always": always}
        write_page(place / PAGE, run.job, compared, arms, plan, tables.shown, rows.which)
        notes = {**run.notes, NOTE: note}
        parts = {PART: plan.to_bytes()}
        return derive_run(
            run, place, "economize", job=job, notes=notes, stages=run.stages, parts=parts
        )


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
    judges: Mapping[str, Any],
    *,
    quiet: bool,
) -> tuple[Tables, Any]:
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


def before_after(
    predictor: Predictor,
    rows: Rows,
    tables: Tables,
    plan: Plan,
    found: Certified,
    timed: tuple[float, float],
) -> Compared:
    """The table of what buying less has changed."""
    run, shown = predictor.run, tables.shown
    ended = follow(found.chosen.rule, shown)
    before = adjust(answers_with(tables.answers, np.full(len(shown), -1)), run.stages)
    after = adjust(answers_with(tables.answers, ended.set_N), run.stages)
    labels = rows.labels_of(rows.shown)
    groups = None if labels is None else Groups("rows that belong together", labels)
    tasks = {
        task: compare(
            options,
            tables.answers.truth[task],
            before[task],
            after[task],
            names_of(run.targets[task]),
            groups=groups,
        )
        for task, options in run.job.tasks.items()
    }
    units = {t: str(getattr(o, "unit", "") or "") for t, o in run.job.tasks.items()}
    every = shown.there_NM @ np.array([plan.costs[n] for n in plan.inputs])
    unit = f" ({plan.unit} of reading and encoding)" if plan.unit else ""
    bought_NM = shown.bought_SM[ended.set_N]
    costs = {
        f"Cost a row{unit}": Pair(*absolute(plan, every, bought_NM)),
        "Columns bought a row": Pair(
            float(shown.there_NM.sum(1).mean()) + len(plan.always),
            float(bought_NM.sum(1).mean()) + len(plan.always),
        ),
        "Milliseconds a row, measured": Pair(*timed),
    }
    lines = [*sentences(plan, found, tables, ended), rows.source, *rows.said]
    if rows.labels is not None:
        lines.append(
            "rows come in groups, and the certificate counts each row as though it stood alone"
        )
    which = rows.which
    return Compared("economize", len(shown), which, tasks, units, costs, tuple(lines))


def absolute(plan: Plan, every_N: np.ndarray, bought_NM: np.ndarray) -> tuple[float, float]:
    """The mean cost of a row with every column and with these, in the plan's unit."""
    base = sum(plan.costs[n] for n in plan.always)
    cost_M = np.array([plan.costs[n] for n in plan.inputs])
    return base + float(every_N.mean()), base + float((bought_NM @ cost_M).mean())


def answers_with(asked: Answered, set_N: np.ndarray) -> Answers:
    """Each row's answers with the inputs of its set."""
    rows = np.arange(len(set_N))
    return {
        task: {k: np.stack([a[task][k] for a in asked.answers])[set_N, rows] for k in first}
        for task, first in asked.answers[-1].items()
    }


def sentences(plan: Plan, found: Certified, tables: Tables, ended: Outcome) -> list[str]:
    """What is promised, and what came true on the shown rows."""
    promise, shown = plan.certificate, tables.shown
    share = 100.0 * float(ended.worse_N.mean())
    words = f"at most {100 * promise['alpha']:g} % more wrong decisions"
    if found.count == 1:
        first = ""
        if len(found.points) > 1:
            worse = int(found.found[1].worse_N.sum())
            first = (
                f": the first that was tried ({found.points[1].arm}) made {worse} of "
                f"{promise['rows']} decisions worse, and {promise['allowed']} were allowed"
            )
        return [
            f"no cheaper way could be certified to make {words}{first}; the run buys every column. "
            "More rows or a larger --alpha may certify one"
        ]
    certified = (
        f"with {100 * promise['sure']:g} % probability {words} than with every column: "
        f"{promise['worse']} of {promise['rows']} rows of the certificate became wrong "
        f"({promise['allowed']} allowed), and {share:.1f} % of {len(shown)} shown here"
    )
    lines = [f"bought by: {plan.arm}", certified]
    if plan.always:
        lines.append(
            f"{some(plan.always)} cost least and are always bought: past {MOST} inputs only the "
            "dearest are decided on"
        )
    return lines


def arm_lines(points: Any, tables: Tables, asked: Asked, plan: Plan) -> list[dict[str, Any]]:
    """Every arm as though it stood alone: its points on the shown rows, and the one certified."""
    lines = []
    for arm in ARMS:
        own = sequence(tables.learn, of_arm(points, arm.NAME))
        alone = certify(own, tables.certify, asked)
        ends = [follow(point.rule, tables.shown) for point in own]
        at = alone.count - 1
        worse = int(alone.outcome.worse_N.sum())
        lines.append(
            {
                "arm": arm.NAME,
                "chosen": plan.arm == arm.NAME,
                "cost": [share_of_all(e, tables.shown) for e in ends],
                "worse": [float(e.worse_N.mean()) for e in ends],
                "certified": at,
                "bought": float(tables.shown.bought_SM[ends[at].set_N].sum(1).mean()),
                "certificate": {"worse": worse, "rows": len(tables.certify)},
            }
        )
    return lines


def share_of_all(ended: Outcome, lessons: Lessons) -> float:
    """Mean cost as a share of that of buying every column that is there."""
    whole = float((lessons.there_NM @ lessons.cost_M).mean())
    return float(ended.cost_N.mean()) / whole if whole else 0.0


def say_changes(notes: Mapping[str, Any]) -> str:
    """The table before and after, for a terminal."""
    kept = {k: v for k, v in notes[NOTE].items() if k in Compared.__dataclass_fields__}
    return Compared.from_dict(kept).text()
