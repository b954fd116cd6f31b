"""A set prepared, a small model trained, and figures of `watch` on rows that it never saw."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.line import Line
from bench.robustness.measure import saved
from bench.shared_sets import cheap_job
from bench.watch.drifts import Rows, Set
from modalloy.answer.predictor import Predictor
from modalloy.job.job_file import load_job
from modalloy.observing.reference import Reference, refer_to
from modalloy.observing.seen import Seen
from modalloy.readers.category import CategoryReader
from modalloy.report.charts import wilson
from modalloy.table.open_table import open_table
from modalloy.watching.compared import look_at
from modalloy.watching.comparisons import alarms_in, comparisons_of
from modalloy.watching.known import pooled_of
from modalloy.watching.watch_run import watch_run

PAGE, COMMAND = "verbs/watch.md", "python -m bench.watch"
WINDOW = 500  # rows
TRAINED, HALF = 500, 550  # rows that train, and of each half of the others
FOUND, WRONG, NEAR = 0.95, 0.05, 2.0  # goals: shares, and points
SLICE = 300  # rows of a window in time order


def timed(make: Callable[[], list[Line]]) -> list[Line]:
    """Lines with what they took, and the command that prints them."""
    start = time.perf_counter()
    lines = make()
    seconds = time.perf_counter() - start
    return [line._replace(seconds=seconds, command=COMMAND) for line in lines]


def measured(
    one: Set, data: Path, folder: Path, parts: list[str], rounds: int, windows: int
) -> list[Line]:
    """Lines of one set."""
    rows, job = prepared(one, data, folder)
    predictor = Predictor(saved(job, folder / f"{one.name}-run"))
    pool = rows[rows["split"] == "test"].reset_index(drop=True)
    clean = seen_of(predictor, pool)
    lines = []
    if "clean" in parts:
        lines.append(false_alarms(one, predictor, clean, windows))
    if "drifts" in parts:
        for name, change in one.drifts.items():
            given = pool.iloc[HALF:].reset_index(drop=True)
            odd = seen_of(predictor, change(given.copy(), np.random.default_rng(7)))
            lines.append(found_share(one, name, predictor, clean, odd, rounds))
    return lines


def prepared(one: Set, data: Path, folder: Path) -> tuple[Rows, Any]:
    """Some rows of a set with whole paths, most of them for tests, and the job over them."""
    given = cheap_job(one.name, data)
    source = Path(given["table"])
    rows = pd.read_csv(source) if source.suffix == ".csv" else pd.read_parquet(source)
    first = next(iter(given["tasks"].values()))["target"]
    rows = rows[rows[first].notna()]
    rows = rows.sample(min(len(rows), TRAINED + 2 * HALF), random_state=0).reset_index(drop=True)
    for name, column in given["columns"].items():
        if column["type"] == "image":
            rows[name] = [str(source.parent / p) for p in rows[name]]
    train = max(len(rows) - 2 * HALF, 50)
    rows["split"] = ["val" if i % 5 == 4 else "train" for i in range(train)] + ["test"] * (
        len(rows) - train
    )
    path = folder / f"{one.name}.parquet"
    rows.to_parquet(path, index=False)
    given |= {"table": str(path), "split": {"column": "split"}, "allow_outside": True}
    given["blend"], given["unlike"] = {"use": "never"}, {}
    given["train"] = {**given["train"], "epochs": 3, "refit": False, "folds": 0}
    given["tasks"] = dict(list(given["tasks"].items())[:1])
    return rows, load_job(given)


def seen_of(predictor: Predictor, rows: Rows) -> Seen:
    """What is watched of rows, without their labels."""
    targets = [c for t in predictor.run.targets.values() for c in t.columns]
    opened = open_table(rows.drop(columns=targets))
    loader = predictor.open(opened, answers=True).loader
    return look_at(predictor, loader, np.arange(len(rows))).seen


def reference_of(predictor: Predictor, known: Seen, draw: np.random.Generator) -> Reference:
    """What a run would keep of these rows, had they been held back from it."""
    readers = predictor.run.readers.values()
    sizes = {r.name: len(r.names) + 1 for r in readers if isinstance(r, CategoryReader)}
    given = {"sizes": sizes, "frozen": frozenset(pooled_of(predictor)), "draw": draw}
    return refer_to(known.some(np.arange(0)), known, known.said, **given)


def false_alarms(one: Set, predictor: Predictor, clean: Seen, windows: int) -> Line:
    """The share of windows with any alarm where nothing drifted."""
    draw, wrong = np.random.default_rng(0), 0
    for seed in range(windows):
        order = draw.permutation(clean.rows)
        size = min(WINDOW, clean.rows // 2)
        reference = reference_of(predictor, clean.some(order[size:]), draw)
        tests = comparisons_of(reference, clean.some(order[:size]), coverage={}, seed=seed)
        wrong += bool(alarms_in(tests))
    share = wrong / windows
    low, high = (float(e[0]) for e in wilson(np.array([share]), np.array([windows])))
    goal = f"<= {WRONG} of {windows} windows"
    given = {"interval": (low, high), "goal": goal, "reached": share <= WRONG}
    return Line(f"{one.name}, nothing drifted", "false alarms", share, **given)


def found_share(
    one: Set, name: str, predictor: Predictor, clean: Seen, odd: Seen, rounds: int
) -> Line:
    """The share of drifted windows in which the column is named."""
    draw, found = np.random.default_rng(1), 0
    for seed in range(rounds):
        reference = reference_of(predictor, clean.some(draw.permutation(HALF)), draw)
        window = odd.some(np.sort(draw.permutation(odd.rows)[:WINDOW]))
        alarms = alarms_in(comparisons_of(reference, window, coverage={}, seed=seed))
        found += any(a.where == one.column or a.where.startswith(f"{one.column}[") for a in alarms)
    share = found / rounds
    low, high = (float(e[0]) for e in wilson(np.array([share]), np.array([rounds])))
    given = {"interval": (low, high), "goal": f">= {FOUND}", "reached": share >= FOUND}
    return Line(f"{one.name}, {name}", "drift found", share, **given)


def estimated(name: str, data: Path, folder: Path) -> Iterator[Line]:
    """Estimates beside the truth in time order: of windows, whose own accuracy is known to some
    points only, and of all later rows at once. Each task's mean distance, in points of accuracy, or
    in hundredths of the true mean error."""
    given = cheap_job(name, data)
    given["train"] = {**given["train"], "folds": 0}
    for task in given["tasks"].values():
        if task["type"] == "regress":
            task["quantiles"] = [0.1, 0.9]
    rows = pd.read_csv(given["table"])
    predictor = Predictor(saved(load_job(given), folder / f"{name}-run"))
    late = rows[rows["split"] == "test"]
    windows = [late.iloc[i : i + SLICE] for i in range(0, len(late) - SLICE // 2, SLICE)]
    for which, some in ((f"windows of {SLICE}", windows), ("all later rows", [late])):
        apart: dict[str, list[tuple[float, bool]]] = {}
        for window in some:
            for task, off, told in distances(predictor, window):
                apart.setdefault(task, []).append((off, told))
        for task, offs in apart.items():
            yield apart_line(f"{name}, {task}, {which}", kinds(predictor, task), offs)


def distances(predictor: Predictor, window: Rows) -> Iterator[tuple[str, float, bool]]:
    """How far each task's estimate is from the truth, and whether it was told or held back."""
    for e in watch_run(predictor, open_table(window.reset_index(drop=True))).estimates:
        way = "difference of confidences" if e.figure == "accuracy" else "errors of like widths"
        value = e.ways.get(way) if e.value is None else e.value
        if value is not None and e.true is not None:
            off = abs(value - e.true) / (1.0 if e.figure == "accuracy" else e.true)
            yield e.task, 100.0 * off, e.value is not None


def apart_line(case: str, figure: str, offs: list[tuple[float, bool]]) -> Line:
    """The mean distance of what was told, with that of what was held back beside it."""
    every = np.array([off for off, _ in offs])
    told = np.array([off for off, was_told in offs if was_told])
    said = f"{len(told)} of {len(offs)} told; all, told or not: {every.mean():.2f}"
    value = float(told.mean()) if len(told) else None
    reached = None if value is None else value <= NEAR
    unit = "points" if figure == "accuracy" else "% of the true error"
    given = {"anchor": said, "goal": f"<= {NEAR:g}", "reached": reached}
    return Line(case, f"estimate off by, {unit}", value, **given)


def kinds(predictor: Predictor, task: str) -> str:
    """The figure of a task."""
    return "mae" if predictor.run.job.tasks[task].type == "regress" else "accuracy"
