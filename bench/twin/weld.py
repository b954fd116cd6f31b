"""A weld from command to decision: a lens becomes dirty, a picture shows it, settings learn on.

Each seed is a plant. Two runs of what `init` prints learn depth from 1,500 parts of a clean lens:
by settings alone, and by the picture. Then absorptivity falls from .60 to .40: `watch --beside`
says since when, `adapt --window --old outdated` learns on from 200 measured parts, and `design`
seeks the fastest setting before, during and after, on a twin calibrated to the last measured parts.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import modalloy as ma
from bench.line import Line
from modalloy.job.job_file import load_job
from modalloy.runs.run import Run
from modalloy.twin.weld.plant import Part, stream
from modalloy.twin.weld.simulator import beam_of, weld

COMMAND = "python -m bench.twin weld"
PARTS, CLEAN, DIRTY = 1500, 0.60, 0.40
ONSET = 500
SETTINGS = ("power", "speed", "preheat", "spot", "grade")
WINDOW_MM = (0.85, 1.15)
ASKED: dict[str, Any] = {
    "maximise": ["speed"],
    "such_that": [f"{WINDOW_MM[0]} mm <= depth <= {WINDOW_MM[1]} mm"],
    "set": {"grade": "stainless"},
    "confidence": 0.95,
    "budget": 300,
}
SURE = 0.95  # of the parts of a setting
MEASURED, VERIFIED = 200, 300  # parts that were measured lately; parts that verify a setting
MOMENTS = {"before": CLEAN, "during": 0.50, "after": DIRTY}
INSIDE = "accepted settings {}: share of parts in the window"
FASTEST = "the fastest of them {}: share of parts in the window"
SPEED = "the fastest of them {}: speed, mm/s"
FALLS = {200: 1000, 2000: 2500}  # parts over which absorptivity falls -> parts in all


def weld_lines(seeds: Sequence[int], folder: Path) -> list[Line]:
    """Errors under drift, alarms, and what settings are worth before, during and after."""
    start = time.perf_counter()
    found = [of_seed(seed, folder / f"weld-{seed}") for seed in seeds]
    seconds = (time.perf_counter() - start) / len(seeds)
    case = f"weld, {PARTS:,} parts, {len(seeds)} seeds"

    def line(metric: str, anchor: str = "", most: float | None = None) -> Line:
        values = [one[metric] for one in found]
        value, ends = float(np.mean(values)), (min(values), max(values))
        goal = "" if most is None else f"<= {most:g}"
        reached = None if most is None else value <= most
        return Line(case, metric, value, ends, anchor, goal, reached, seconds, COMMAND)

    def kept(moment: str) -> Line:
        values = [one[INSIDE.format(moment)] for one in found]
        value, ends = float(np.mean(values)), (min(values), max(values))
        given = (INSIDE.format(moment), value, ends, "", f">= {SURE:g}")
        return Line(case, *given, value >= SURE, seconds, COMMAND)

    return [
        line("RMSE of depth by the picture, clean lens, mm"),
        line("RMSE of depth by the picture, dirty lens, mm", ".038", 0.04),
        line("RMSE of depth by settings, clean lens, mm", ".106"),
        line("RMSE of depth by settings, dirty lens, mm", ".323"),
        line("RMSE of depth by settings, learned on from 200 parts, mm", ".302 appended", 0.12),
        line("parts until an alarm, fall over 200", "37 at best", 50),
        line("parts until an alarm, fall over 2,000", "more than 123 at best"),
        line("false alarms in 1,000 clean parts", "", 1),
        *(kept(moment) for moment in MOMENTS),
        *(line(one.format(moment)) for moment in MOMENTS for one in (FASTEST, SPEED)),
    ]


def of_seed(seed: int, folder: Path) -> dict[str, float]:
    """Every figure of one plant."""
    folder.mkdir(parents=True)
    old = stream(PARTS, seed=10 * seed, onset=PARTS)
    dirty = {"onset": 0, "first": DIRTY, "last": DIRTY}
    table = made(folder / "old.parquet", old, seed)
    picture, by_settings = (trained(table, folder, name, seed) for name in ("thermal", "settings"))
    clean = made(folder / "clean.parquet", stream(1000, seed=10 * seed + 1, onset=1000), seed)
    after = made(folder / "after.parquet", stream(500, seed=10 * seed + 2, **dirty), seed)
    last = made(folder / "last.parquet", stream(MEASURED, seed=10 * seed + 3, **dirty), seed)
    given: dict[str, Any] = {"method": "full", "window": str(MEASURED), "time": "part"}
    moved = ma.adapt(by_settings, last, out=folder / "moved", **given, old="outdated", quiet=True)
    found = {
        "RMSE of depth by the picture, clean lens, mm": rmse(picture, clean),
        "RMSE of depth by the picture, dirty lens, mm": rmse(picture, after),
        "RMSE of depth by settings, clean lens, mm": rmse(by_settings, clean),
        "RMSE of depth by settings, dirty lens, mm": rmse(by_settings, after),
        "RMSE of depth by settings, learned on from 200 parts, mm": rmse(moved, after),
        "false alarms in 1,000 clean parts": float(alarm(by_settings, picture, clean) is not None),
    }
    for fall, parts in FALLS.items():
        falling = stream(parts, seed=10 * seed + 4, onset=ONSET, fall_parts=fall)
        rows = made(folder / f"fall-{fall}.parquet", falling, seed)
        noticed = alarm(by_settings, picture, rows)
        late = parts if noticed is None else noticed
        found[f"parts until an alarm, fall over {fall:,}"] = float(late - ONSET)
    for moment, level in MOMENTS.items():
        found |= chosen(moment, level, seed, folder)
    return found


def made(path: Path, parts: Sequence[Part], seed: int) -> Path:
    """Parts as rows with what was told of each, numbered as they came."""
    designs = [part.values for part in parts]
    ma.simulate("weld", out=path, designs=designs, seed=seed, quiet=True)
    frame = pd.read_parquet(path)
    frame.insert(0, "part", np.arange(len(frame)))
    frame.to_parquet(path, index=False)
    return path


def trained(table: Path, folder: Path, name: str, seed: int) -> Run:
    """What `init` prints, of the settings alone or of the picture; of this one with the depth on a
    logarithmic scale, as shallow welds then count for as much as deep ones."""
    job = load_job(ma.init(table, target="depth"))
    columns = SETTINGS if name == "settings" else (name,)
    kept = {column: options for column, options in job.columns.items() if column in columns}
    scale = "linear" if name == "settings" else "log"
    tasks = {
        task: options.model_copy(update={"scale": scale}) for task, options in job.tasks.items()
    }
    # Pictures of like welds are alike, which may pass for copies on both sides of the split.
    told = {"columns": kept, "tasks": tasks, "seed": seed, "allow_leak": True}
    job = job.model_copy(update=told)
    return ma.train(job, out=folder / name, quiet=True)


def rmse(run: Run, table: Path) -> float:
    """The error of depth, in mm."""
    said, true = ma.predict(run, table, quiet=True)["depth"], pd.read_parquet(table)["depth"]
    return float(np.sqrt(np.mean((said.to_numpy() - true.to_numpy()) ** 2)))


def alarm(run: Run, other: Run, table: Path) -> int | None:
    """The part at which two runs were noticed to disagree; None where they never do."""
    page = table.with_suffix(".html")
    found = ma.watch(run, table, beside=other, rows=10**6, time="part", out=page)
    return next((d.noticed.row for d in found.drifts if d.noticed is not None), None)


def chosen(moment: str, level: float, seed: int, folder: Path) -> dict[str, float]:
    """Settings that a study of the calibrated twin accepts, verified on the plant: each by the same
    parts, with other hidden values than any that was measured."""
    lately = stream(MEASURED, seed=10 * seed + 5, onset=0, first=level, last=level)
    rows = pd.DataFrame([{name: part.values[name] for name in SETTINGS} for part in lately])
    rows["depth"] = depths(lately)
    twin = folder / f"{moment}.yaml"
    ma.calibrate_twin("weld", rows, out=twin)
    asked = ASKED | {"twin": str(twin), "seed": seed}
    found = ma.design(asked, out=folder / f"study-{moment}", quiet=True).facts["accepted"]
    inside = []
    for one in found:
        given = {"onset": 0, "first": level, "last": level, "settings": one["values"]}
        depth_N = depths(stream(VERIFIED, seed=10 * seed + 6, **given))
        inside.append(float(((depth_N >= WINDOW_MM[0]) & (depth_N <= WINDOW_MM[1])).mean()))
    return {
        INSIDE.format(moment): float(np.mean(inside)),
        FASTEST.format(moment): inside[0],
        SPEED.format(moment): float(found[0]["values"]["speed"]),
    }


def depths(parts: Sequence[Part]) -> np.ndarray:
    """Depths of parts, in mm."""
    return np.array([weld(beam_of(part.values), seed=part.seed).depth_mm for part in parts])
