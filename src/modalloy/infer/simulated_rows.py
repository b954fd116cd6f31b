"""Columns of a twin's rows: those that are no input, the units of others, and what varies."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from modalloy.checks.column_profile import Look
from modalloy.infer.guessed import TABULAR, Guess, InferredTask
from modalloy.table.twin_columns import About

WHY = {
    "record": "tells how the run of a simulator went",
    "hidden": "a hidden parameter of a simulator, which no plant sees",
}
MEASURED = ("number", "category")  # outputs that nobody knows before the target
AMOUNTS = ("continuous", "integer", "linked")  # kinds of variables that are numbers


def with_told(
    guesses: Mapping[str, Guess], told: About, targets: Collection[str], looks: Mapping[str, Look]
) -> dict[str, Guess]:
    """Columns that a plant would not have are left out; numbers have their units; a variable that
    differs from run to run is an input, whatever its name or its values look like."""
    out = dict(guesses)
    for column, about in told.items():
        if column not in guesses or column in targets:
            continue
        own, what = guesses[column], about.get("is")
        if what == "variable" and looks[column].distinct > 1 and own.type not in TABULAR:
            number = about.get("type") in AMOUNTS or looks[column].kind == "number"
            own = Guess("number" if number else "category", "set in each run of a twin")
            out[column] = own
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
