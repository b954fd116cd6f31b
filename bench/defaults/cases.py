"""Every case of the board, by kind."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.defaults import media_tables, tables
from bench.defaults.case import Anchor, Case, LeftOutError, Places
from bench.defaults.series_sets import MINIROCKET, series_set
from bench.figure import Figure
from bench.scoreboard.goals import GOALS, Goal
from bench.shared_sets import BENCH, job_files
from modalloy.job.config import Job
from modalloy.job.job_file import load_job

HAND_SET = "the hand-set job"
ASKED_SHARED = {
    "elpv": "which pictures and columns count, and that the grade of the defect gives it away",
    "esc10": "few sounds: a frozen encoder, not a tuned one",
    "av_digits": "a speaker never heard, where the picture has to help the sound",
    "cwru": "bearings never heard, where only the form of a vibration carries over",
    "cmapss_fd001": "fifteen sensors as one series, and that its last samples count most",
    "tep": "52 readings that only together, and over time, tell the fault",
    "conll2003": "words and their tags, and how long to tune",
    "maintie": "860 short texts, enough for tuning a text encoder at a high rate",
    "banking77": "77 classes in short texts",
    "financial_phrasebank": "three classes in sentences, the encoder tuned gently",
    "excavators": "misspelt notes and names, under drift over eleven years",
    "shipments": "a mixture of twenty columns, dates that must not tell, a cost with a heavy tail",
    "ikea_products": "pictures and texts of 1,500 products, where the text must not drown the rest",
    "bike_frames": "37 columns and ten targets at once",
    "easy_vqa": "a question and a picture that only together hold the answer",
    "mosi": "texts beside vectors that mislead",
    "deeppcb": "small boxes on large pictures, with a template",
}
ASKED_MADE = {
    "twelve_rows": "12 rows: enough steps, and a check on what is kept that is not one row",
    "sixty_rows": "60 rows: strong regularisation, as good as a straight line",
    "interactions": "what no single column tells: products and steps",
    "many_names": "200 names, many of them rare: their own mean, drawn towards all",
    "prices": "a heavy tail: the logarithm is learned",
    "rare_class": "2 % of the rows: a figure that sees them, and a threshold that finds them",
    "times": "hour, weekday and days since another date; the newest rows are tested",
    "fifty_thousand": "many rows in the minutes given, and categories that act on numbers",
    "breast_cancer": "569 rows of 30 numbers that a straight line solves",
    "wine": "178 rows of 13 numbers: hardly any rows to stop by",
    "digits": "64 whole numbers that are no classes",
    "diabetes": "442 rows with much noise: do not learn it",
    "texts": "notes of a few words: a frozen text encoder will do",
    "pictures": "300 pictures: small faults anywhere, turned any way",
    "sounds": "240 recordings: how tones lie to each other, whatever their height",
    "series": "160 series in a column called `values`: where something happens matters",
    "vectors": "64 numbers without an order: a vector, not a series",
    "mixture": "every third cell is empty, and columns act together",
}
MADE = {  # target and metric
    "twelve_rows": ("passed", "accuracy"),
    "sixty_rows": ("strength_mpa", "rmse"),
    "interactions": ("fault", "accuracy"),
    "many_names": ("delivery_days", "rmse"),
    "prices": ("price", "r2"),
    "rare_class": ("state", "macro_f1"),
    "times": ("power_kw", "rmse"),
    "fifty_thousand": ("wear_um", "rmse"),
    "breast_cancer": ("target", "accuracy"),
    "wine": ("target", "accuracy"),
    "digits": ("target", "accuracy"),
    "diabetes": ("target", "rmse"),
    "texts": ("kind", "accuracy"),
    "pictures": ("state", "accuracy"),
    "sounds": ("state", "accuracy"),
    "series": ("stroke", "accuracy"),
    "vectors": ("family", "accuracy"),
    "mixture": ("repair_hours", "rmse"),
}
LOAD, BEARING, CELL = "a load never run", "bearings never heard", "a type of cell never seen"
HOLDOUTS = {  # set, target, the values of a column that are tested alone, and what is asked
    "cwru_load": ("cwru", "condition", "motor_load_hp", "3", LOAD),
    "cwru_bearing": ("cwru", "condition", "fault_diameter_in", "0.014", BEARING),
    "elpv_mono": ("elpv", "defective", "module_type", "monocrystalline", CELL),
    "elpv_poly": ("elpv", "defective", "module_type", "polycrystalline", CELL),
}


def all_cases(data: Path) -> dict[str, Case]:
    """Every case by name: shared sets, hold-outs, series sets, made tables."""
    given = giveaways(data)
    found = [
        *(shared(name, given) for name in GOALS),
        *(holdout(name, given) for name in HOLDOUTS),
        *(of_series(name) for name in MINIROCKET),
        *(made(name) for name in MADE),
    ]
    return {case.name: case for case in found}


def shared(name: str, given: Mapping[str, Mapping[str, list[str]]]) -> Case:
    """A shared set: targets, figures and split of the job that was set by hand."""
    jobs = [load_job(path) for path in job_files(name)]
    goals = GOALS[name]
    asked = {goal.task for goal in goals}
    tasks = {t: o for t, o in jobs[0].tasks.items() if goals[0].median or t in asked}
    targets = tuple(option.target for option in tasks.values())
    splits = tuple(held_out(job) for job in jobs if job.split.hold_out)
    read = [(goal, as_init_names(goal, jobs[0])) for goal in goals]
    return Case(
        name,
        "shared",
        ASKED_SHARED[name],
        partial(shared_table, name),
        targets,
        tuple(figure for _, figure in read),
        splits,
        given_away(given, name, targets, splits),
        {figure.key: hand_set(name, goal, jobs[0]) for goal, figure in read},
    )


def holdout(name: str, given: Mapping[str, Mapping[str, list[str]]]) -> Case:
    """A shared set of which one group of rows is never learned from."""
    of, target, column, value, asks = HOLDOUTS[name]
    split: dict[str, Any] = {"by": column, "hold_out": [value]}
    return Case(
        name,
        "holdout",
        asks,
        partial(shared_table, of),
        (target,),
        (Figure(target, "accuracy"),),
        (split,),
        given_away(given, of, (target,), (split,)),
    )


def of_series(name: str) -> Case:
    """A series set that `aeon` ships, beside MiniRocket."""
    return Case(
        name,
        "series",
        "few series: features that are not learned",
        partial(made_series, name),
        ("kind",),
        (Figure("kind", "accuracy"),),
        anchors={"kind/accuracy": Anchor(MINIROCKET[name], "MiniRocket with a ridge")},
    )


def made(name: str) -> Case:
    """A table that is made here."""
    target, metric = MADE[name]
    figure = Figure(target, metric, lower_is_better=metric == "rmse")
    table = partial(made_table, name)
    return Case(name, "generated", ASKED_MADE[name], table, (target,), (figure,))


# --- tables ---------------------------------------------------------------------------------------


def shared_table(name: str, places: Places) -> Path:
    """The table of a shared set."""
    found = sorted((places.data / name).glob("table.*"))
    if not found:
        raise LeftOutError(f"{name}: no table in {places.data / name}; give the data with --data")
    return found[0]


def made_table(name: str, places: Places) -> Path:
    """A made table, written into a folder of its own unless it stands there."""
    room = media_tables if hasattr(media_tables, name) else tables
    return written(places.made / name, getattr(room, name))


def made_series(name: str, places: Places) -> Path:
    """A series set, written into a folder of its own unless it stands there."""
    return written(places.made / name, partial(series_set, name))


def written(folder: Path, write: Callable[[Path], Path]) -> Path:
    """The table in a folder, written there if need be."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        return write(folder)
    return next(iter(sorted(folder.glob("table.*"))))


# --- what the hand-set jobs and the catalogue say -------------------------------------------------


def as_init_names(goal: Goal, job: Job) -> Figure:
    """A goal's figure, its task called as `init` calls it: by the target."""
    task = goal.task if goal.median else job.tasks[goal.task].target
    return Figure(task, goal.metric, lower_is_better=goal.lower_is_better, median=goal.median)


def hand_set(name: str, goal: Goal, job: Job) -> Anchor:
    """What the hand-set job reached, and the scale of its target."""
    lines = json.loads((BENCH / "results" / "scoreboard.json").read_text())
    wanted = (name, goal.task, goal.metric)
    (value,) = [x["value"] for x in lines if (x["set"], x["task"], x["metric"]) == wanted]
    scale = None if goal.median else getattr(job.tasks[goal.task], "scale", None)
    return Anchor(value, HAND_SET, scale)


def held_out(job: Job) -> dict[str, Any]:
    """The split of a hand-set job that holds something out, without the rows to stop by."""
    split = job.split.model_dump(include={"column", "by", "hold_out"}, exclude_none=True)
    return split | {"hold_out": list(split["hold_out"])}


def giveaways(data: Path) -> dict[str, dict[str, list[str]]]:
    """set -> target -> columns that its own catalogue says give the target away."""
    path = data / "catalog.json"
    sets = json.loads(path.read_text()) if path.is_file() else {}
    return {name: found.get("leaks", {}) for name, found in sets.items()}


def given_away(
    given: Mapping[str, Mapping[str, list[str]]],
    name: str,
    targets: tuple[str, ...],
    splits: tuple[Mapping[str, Any], ...],
) -> tuple[str, ...]:
    """What gives any of the targets away, but for what the job itself needs."""
    needed = {*targets, *(split["by"] for split in splits)}
    told = [column for target in targets for column in given.get(name, {}).get(target, ())]
    return tuple(column for column in dict.fromkeys(told) if column not in needed)
