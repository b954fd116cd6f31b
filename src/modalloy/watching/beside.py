"""Two runs that answer the same rows by other columns: whether they disagree as they never did.

A run that knows what is set alone, and one that sees the part, need no label to show that the plant
has changed: their answers part company. The differences, row by row, go through cumulative sums.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.drift.cusum import Excursion, Usual, largest_excursion, usual_of
from modalloy.errors import ModalloyError, RunError
from modalloy.judge.figures import truth_of
from modalloy.readers.targets.regress import NumberTarget
from modalloy.report.rescore import own_rows
from modalloy.runs.learned_from import all_learned
from modalloy.runs.run import Run
from modalloy.table.fingerprints import learned_rows
from modalloy.table.table import Table

FEWEST = 50  # rows that neither run has learned from, below which their differences say too little


class Beside(NamedTuple):
    """How far two runs are apart on a number of each row.

    task: which both answer. other: the other run's name. unit: of the numbers. apart_B: this run's
    answers less the other's. usual: of rows of which nothing has changed. found: where they
    disagree as they never did there. errs: mean errors of this run and of the other from then on,
    and on how many labelled rows; None without labels.
    """

    task: str
    other: str
    unit: str
    apart_B: np.ndarray
    usual: Usual
    found: Excursion | None
    errs: tuple[float, float, int] | None

    @property
    def more(self) -> float:
        """By how much answers differ more than usual, from the change on; or in all rows."""
        began = 0 if self.found is None else self.found.began
        return float(np.nanmean(self.apart_B[began:])) - self.usual.mean

    @property
    def chance(self) -> float:
        """Of so high a sum in as many clean rows."""
        return 1.0 if self.found is None else self.usual.chance(self.found.peak)


def compare_beside(
    predictor: Predictor,
    other: Predictor,
    loader: Loader,
    which: np.ndarray,
    said: Mapping[str, np.ndarray],
    usual: Table | None = None,
) -> list[Beside]:
    """Each number that both runs answer, on these rows of an open table, in this order.

    said: this run's answers to them. usual: rows of which nothing has changed, where they are not
    the ones that the run held back. RunError where no number is answered by both, or there are too
    few usual rows that neither has learned from.
    """
    tasks = shared(predictor, other)
    theirs = numbers(other, opened(other, loader.table), which, tasks)
    known = usual_apart(predictor, other, tasks, usual)
    draw = np.random.default_rng(predictor.run.job.seed)
    truths, found = truth_of(loader, which), []
    for task in tasks:
        target, name = number_of(predictor.run, task), other.run.path.name
        assert target is not None, "both answer a number"
        own_B = target.to_natural(said[task])
        apart_B = own_B - theirs[task]
        laws = usual_of(known[task], length=len(which), draw=draw)
        if laws is None:
            raise RunError(
                f"{name}: is in '{task}' equally far from {predictor.run.path.name} on every row, "
                "so that both see the same; compare with a run of other columns."
            )
        sums = largest_excursion(laws.standardised(apart_B), laws.limit)
        true_B = np.array([np.nan if t is None else float(t) for t in truths[task]])
        true_B = target.to_natural(true_B)
        errs = None if sums is None else errors(true_B, own_B, theirs[task], sums.began)
        found.append(Beside(task, name, unit_of(predictor.run, task), apart_B, laws, sums, errs))
    return found


def shared(predictor: Predictor, other: Predictor) -> list[str]:
    """Tasks of both that answer one number of the same column in the same unit; RunError where
    there is none."""
    one, two = predictor.run, other.run
    own = {task: number_of(one, task) for task in one.targets}
    theirs = {task: number_of(two, task) for task in two.targets}
    both = [t for t, o in own.items() if o and (p := theirs.get(t)) and o.column == p.column]
    for task in both:
        units = [unit_of(run, task) for run in (one, two)]
        if units[0] != units[1]:
            raise RunError(
                f"{two.path}: answers '{task}' in {units[1] or 'no unit'}, and {one.path.name} in "
                f"{units[0] or 'no unit'}, which cannot be compared."
            )
    if not both:
        raise RunError(
            f"{two.path}: answers no number that {one.path.name} answers too: it answers "
            f"{', '.join(two.targets)}, the other {', '.join(one.targets)}. Compare with a run of "
            "the same target by other columns."
        )
    return both


def number_of(run: Run, task: str) -> NumberTarget | None:
    """How a run reads the number that a task answers; None where it answers something else."""
    target = run.targets[task]
    return target if isinstance(target, NumberTarget) else None


def unit_of(run: Run, task: str) -> str:
    """Of a task's numbers, "" where it has none."""
    return getattr(run.job.tasks[task], "unit", None) or ""


def usual_apart(
    predictor: Predictor, other: Predictor, tasks: list[str], usual: Table | None
) -> dict[str, np.ndarray]:
    """Differences on rows that neither run has learned from, by task."""
    loader, rows = held_rows(predictor, other) if usual is None else given_rows(predictor, usual)
    known = learned_rows(loader.table, other.run.job, rows, all_learned(other.run))
    rows = rows[~known]
    if len(rows) < FEWEST:
        raise RunError(
            f"{loader.table.source}: {len(rows)} rows were learned from neither by "
            f"{predictor.run.path.name} nor by {other.run.path.name}, and {FEWEST} are needed to "
            "know how far they usually are apart; name a table of such rows with --usual."
        )
    own = numbers(predictor, loader, rows, tasks)
    theirs = numbers(other, opened(other, loader.table), rows, tasks)
    return {task: own[task] - theirs[task] for task in tasks}


def held_rows(predictor: Predictor, other: Predictor) -> tuple[Loader, np.ndarray]:
    """Rows of the run's own table that it has not learned from: those held back for tests, and what
    it validated and calibrated by. RunError where that says nothing of the runs as they are now."""
    run = predictor.run
    for one in (run, other.run):
        if "adapted" in one.notes:
            raise RunError(
                f"{one.path}: was adapted after its training, so that rows held back then do not "
                "say how far both runs usually are apart; name a table of rows of which nothing "
                "has changed since with --usual."
            )
    try:
        loader, test, extras = own_rows(predictor)
    except ModalloyError as error:
        why = str(error).removeprefix(f"{run.path}: ").rstrip(".")
        raise RunError(
            f"{run.path}: how far it usually is from another run cannot be looked up: {why}. Name "
            "a table of rows of which nothing had changed with --usual."
        ) from error
    assert extras.parts is not None, "own rows come in parts"
    refit = bool(run.notes.get("refit"))
    validated = extras.parts.validation[: 0 if refit else None]
    return loader, np.sort(np.concatenate([test, extras.parts.calibration, validated]))


def given_rows(predictor: Predictor, usual: Table) -> tuple[Loader, np.ndarray]:
    """All rows of a table but those that the run has learned from."""
    loader = opened(predictor, usual)
    rows = np.arange(loader.table.rows)
    run = predictor.run
    return loader, rows[~learned_rows(loader.table, run.job, rows, all_learned(run))]


def opened(predictor: Predictor, table: Table) -> Loader:
    """The rows of a table as a run reads them."""
    return predictor.open(table).loader


def numbers(
    predictor: Predictor, loader: Loader, rows: np.ndarray, tasks: list[str]
) -> dict[str, np.ndarray]:
    """What a run answers to rows, in the tasks' units."""
    answers, found = predictor.say(loader, rows).answers, {}
    for task in tasks:
        target = number_of(predictor.run, task)
        assert target is not None, "both answer a number"
        found[task] = np.asarray(target.to_natural(answers[task]["value"]), dtype=np.float64)
    return found


def errors(
    true_B: np.ndarray, own_B: np.ndarray, other_B: np.ndarray, began: int
) -> tuple[float, float, int] | None:
    """Mean errors of both on labelled rows from a position on; None without any."""
    known = np.flatnonzero(np.isfinite(true_B))
    known = known[known >= began]
    if not len(known):
        return None
    apart = (np.abs(x_B[known] - true_B[known]).mean() for x_B in (own_B, other_B))
    return (*map(float, apart), len(known))  # type: ignore[return-value]
