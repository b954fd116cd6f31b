"""The verb that puts runs side by side: the same rows answered by each, and paired differences."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.predictor import Predictor
from modalloy.bundle.bundled import Bundle, load_any
from modalloy.comparing.compared_runs import ComparedRuns, Difference, Side, Task, pairs_of
from modalloy.comparing.page import compare_page
from modalloy.comparing.same_rows import Asked, common_tasks, refuse_other_rows
from modalloy.errors import RunError, TableError
from modalloy.job import config
from modalloy.judge.compared import compare_tallies
from modalloy.judge.figures import figures_of
from modalloy.judge.metrics.score import primary, tally
from modalloy.judge.report import Report
from modalloy.judge.slices import Groups, group_labels
from modalloy.judge.wording import FEW_GROUPS
from modalloy.machine.files import write_safely
from modalloy.readers.targets.target import names_of
from modalloy.report.page import check_page
from modalloy.report.rescore import answered_rows, own_rows
from modalloy.runs.learned_from import (
    ADAPTED_ROWS,
    CALIBRATED_ROWS,
    UNLABELLED_ROWS,
    prints_in,
)
from modalloy.runs.run import Run
from modalloy.table.fingerprints import learned_rows
from modalloy.table.open_table import open_table


def compare(
    runs: Sequence[Run | str | Path],
    *,
    table: Any = None,
    out: str | Path | None = None,
    sheet: str | None = None,
    device: str = "auto",
) -> ComparedRuns:
    """Figures of runs of the same tasks on the same rows, with an interval of each difference.

    Every run answers again; rows, or groups of them where the job names groups, are drawn anew,
    the same for both runs of a pair (paired bootstrap, Efron 1979). runs: two or more, first the
    one that others are compared with. table: whatever `open_table` opens, with answers; then all
    its rows that none of the runs has learned from are asked, and bundles will do. Without it they
    are the test rows that all runs have in common. out: the page (`.html`), with `.json` beside it.
    sheet: of an Excel table. device: as for `Predictor`.

    Raises RunError for fewer than two runs, one named twice, runs without a common task, and runs
    that were tested on other rows; TableError where no row of the table can be asked.
    """
    if out is not None:
        check_page(Path(out))
    if sheet is not None and table is None:
        raise TableError(f"sheet '{sheet}': name the Excel file that it is in.")
    named = named_runs(runs)
    tasks = common_tasks([(name, run.job) for name, run in named.items()])
    predictors = {name: Predictor(run, device=device) for name, run in named.items()}
    if table is None:
        asked = list(own_tests(predictors))
        refuse_other_rows(asked, list(tasks))
    else:
        asked = given_tests(predictors, table, sheet)
    found = side_by_side(asked, tasks, own=table is None)
    if out is not None:
        place = Path(out)
        write_safely(place, compare_page(found).encode("utf-8"))
        told = json.dumps(found.as_dict(), indent=1, allow_nan=False, ensure_ascii=False)
        write_safely(place.with_suffix(".json"), told.encode("utf-8"))
    return found


def named_runs(runs: Sequence[Run | str | Path]) -> dict[str, Run]:
    """The runs by the names of their folders, or whole paths where two are called alike."""
    given = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    loaded = [r if isinstance(r, Run) else load_any(r) for r in given]
    if len(loaded) < 2:
        raise RunError("compare: give two runs or more, to stand side by side.")
    short = [run.path.resolve().name for run in loaded]
    names = short if len(set(short)) == len(short) else [str(run.path) for run in loaded]
    if len({(run.path.resolve(), run.adapter) for run in loaded}) < len(loaded):
        raise RunError(f"compare: one run is named twice among {', '.join(names)}; name it once.")
    return dict(zip(names, loaded, strict=True))


def own_tests(predictors: Mapping[str, Predictor]) -> Iterator[Asked]:
    """Each run with its own test rows; RunError for a bundle, which has none, and a run without."""
    for name, predictor in predictors.items():
        if isinstance(predictor.run, Bundle):
            raise RunError(
                f"{predictor.run.path}: is a bundle, which has no test rows of its own; give a "
                "table with the answers: --table NEW."
            )
        loader, which, _ = own_rows(predictor)
        if not len(which):
            raise RunError(f"{predictor.run.path}: no test rows were kept; give --table NEW.")
        yield Asked.of(name, predictor, loader, which)


def given_tests(predictors: Mapping[str, Predictor], table: Any, sheet: str | None) -> list[Asked]:
    """Each run with all rows of a table that have an answer and that none has learned from."""
    opened = open_table(table, sheet=sheet)
    loaders, seen = {}, np.zeros(opened.rows, dtype=bool)
    answered = np.ones(opened.rows, dtype=bool)
    for name, predictor in predictors.items():
        loaders[name], which, _ = answered_rows(predictor, opened)
        answered &= np.isin(np.arange(opened.rows), which)
        seen |= learned_by(predictor.run, loaders[name].table, np.arange(opened.rows))
    which = np.flatnonzero(answered & ~seen)
    if not len(which):
        raise TableError(
            f"{opened.source}: no row can be asked: {int(seen.sum()):,} of {opened.rows:,} were "
            "learned from by one of the runs, and the others have no answer."
        )
    return [Asked.of(name, p, loaders[name], which) for name, p in predictors.items()]


def learned_by(run: Run, table: Any, rows: np.ndarray) -> np.ndarray:
    """Which of these rows a run was trained, stopped, adapted or calibrated on, (N,) bool."""
    prints = run.prints()
    beside = (prints_in(run, part) for part in (CALIBRATED_ROWS, ADAPTED_ROWS))
    own = np.concatenate([prints.train, prints.validation, prints.calibration, *beside])
    further = np.setdiff1d(prints_in(run, UNLABELLED_ROWS), own)
    return learned_rows(table, run.job, rows, np.concatenate([own, further]))


def side_by_side(
    asked: Sequence[Asked], tasks: Mapping[str, config.TaskOptions], *, own: bool
) -> ComparedRuns:
    """Let every run answer, and compare what they say. own: the rows are the runs' test rows."""
    answers = {a.name: a.predictor.say(a.loader, a.which).answers for a in asked}
    groups = widest_groups(asked)
    labels = None if groups is None else groups.labels
    found = {}
    for task, options in tasks.items():
        names = {a.name: names_of(a.loader.targets[task]) for a in asked}
        given = {n: (options, asked[0].truth[task], answers[n][task], names[n]) for n in names}
        tallies = {n: tally(*own_task) for n, own_task in given.items()}
        figures = {n: figures_of(*own_task, groups) for n, own_task in given.items()}
        differences = [
            Difference(a, b, compare_tallies(tallies[a], tallies[b], labels=labels))
            for a, b in pairs_of(list(names))
        ]
        unit = Report(about={task: asked_unit(options)}).unit(task)
        known = len(tallies[asked[0].name].rows)
        found[task] = Task(primary(options)[0], unit, known, figures, differences)
    where = asked[0].loader.table.source
    which = f"test rows of {where}" if own else f"rows of {where} that no run has learned from"
    drawn = f"intervals draw groups of '{groups.column}' anew" if groups else "intervals draw rows"
    sides = [side_of(a.name, a.predictor.run) for a in asked]
    return ComparedRuns(
        sides, len(asked[0].which), which, drawn, found, list(doubts(asked, tasks, groups))
    )


def asked_unit(options: config.TaskOptions) -> dict[str, Any]:
    """What a report needs to say a task's unit."""
    return {"unit": getattr(options, "unit", None), "scale": getattr(options, "scale", None)}


def widest_groups(asked: Sequence[Asked]) -> Groups | None:
    """The groups that intervals draw: of the runs' columns of groups the one with fewest groups,
    which promises least.
    """
    found = [g for a in asked if (g := group_labels(a.loader, a.which)) is not None]
    return min(found, key=lambda g: len(set(g.labels)), default=None)


def side_of(name: str, run: Run) -> Side:
    """What a run costs and reads."""
    seconds = run.notes.get("seconds", {}).get("training")
    if isinstance(run, Bundle):
        whole = [run.path] if run.path.is_file() else run.path.rglob("*")
    else:
        whole = [run.path / run.files.get(part, part) for part in run.sealed]
    size = sum(path.stat().st_size for path in whole if path.is_file())
    read = [column for column in run.readers if column not in run.hidden]
    return Side(name, read, seconds, size, run.parent.verb if run.parent else "train")


def doubts(
    asked: Sequence[Asked], tasks: Mapping[str, Any], groups: Groups | None
) -> Iterator[str]:
    """What is to be known before the figures are believed."""
    for one in asked:
        run = one.predictor.run
        leaks = [f for f in run.notes.get("findings", ()) if f.get("level") == "leak"]
        if leaks:
            yield (
                f"Do not trust the figures of {one.name}: it was trained although the answer leaks "
                f"({leaks[0].get('text', leaks[0].get('what'))})."
            )
        known = int(learned_by(run, one.loader.table, one.which).sum())
        if known:
            yield (
                f"{one.name} has learned from {known:,} of these {len(one.which):,} rows, or from "
                "rows with the same cells: its figures flatter it."
            )
        if left := [task for task in run.job.tasks if task not in tasks]:
            yield f"{one.name} also answers {', '.join(left)}, which not all runs do."
    if groups is not None and (count := len(set(groups.labels))) < FEW_GROUPS:
        yield (
            f"Intervals are of only {count} groups of '{groups.column}': the true uncertainty is "
            "larger than they say."
        )
