"""What `simulate` tells beside its rows: units, and the columns that are no input."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modalloy.infer.guessed import Guess, InferredTask
from modalloy.table.table import Table

WHY = {
    "record": "tells how the run of a simulator went",
    "hidden": "a hidden parameter of a simulator, which no plant sees",
}
MEASURED = ("number", "category")  # outputs that nobody knows before the target

About = Mapping[str, Mapping[str, Any]]


def told_beside(table: Table) -> About:
    """What `rows.json` tells of each column of `rows.parquet`; nothing for any other table."""
    path = Path(table.source).with_suffix(".json")
    if Path(table.source).suffix != ".parquet" or not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}  # a file of somebody else
    columns = said.get("columns") if isinstance(said, dict) and "fingerprint" in said else None
    known = columns if isinstance(columns, dict) else {}
    return {name: about for name, about in known.items() if isinstance(about, dict)}


def with_told(
    guesses: Mapping[str, Guess], told: About, targets: Collection[str]
) -> dict[str, Guess]:
    """Columns that a plant would not have are left out; numbers have their units."""
    out = dict(guesses)
    for column, about in told.items():
        if column not in guesses or column in targets:
            continue
        own, what = guesses[column], about.get("is")
        if what in WHY:
            out[column] = Guess("ignore", WHY[what])
        elif what == "output" and about.get("type") in MEASURED:
            out[column] = Guess("ignore", f"told by the same run as {', '.join(targets)}")
        elif own.type == "number" and about.get("unit"):
            out[column] = replace(own, options={**own.options, "unit": about["unit"]})
    return out


def with_told_unit(goal: InferredTask, target: str, told: About) -> InferredTask:
    """A task whose answer is a number has the unit of its target."""
    unit = told.get(target, {}).get("unit")
    if goal.type != "regress" or not unit or "unit" in goal.options:
        return goal
    return goal._replace(options={**goal.options, "unit": unit})
