"""What a trained run alone can say of designs: between which values it has learned, and which
numbers it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modalloy.designing.past_run import PastRun
from modalloy.errors import DesignError
from modalloy.readers.category import CategoryReader
from modalloy.twin.outputs import NumberOutput
from modalloy.twin.twin import NoSimulator, Twin
from modalloy.twin.variables import Categorical, Continuous, Free, Integer

LARGEST = 2**31  # whole numbers beyond which a column is measured, not counted


@dataclass(frozen=True)
class RunSpace:
    """twin: that nothing can run, its variables the run's columns and its outputs the run's tasks.
    units: of columns and tasks, None where the job says none. held: columns that have only ever had
    one value, with it."""

    twin: Twin
    units: Mapping[str, str | None]
    held: Mapping[str, Any]


def space_of_run(past: PastRun) -> RunSpace:
    """Every number column that a run reads as a variable between the least and the greatest value
    that it has learned from, every category column with the names that it knows.

    DesignError where it reads neither, or answers no number.
    """
    run, name = past.predictor.run, past.name
    known = {n: variable_of(past, n) for n in past.read}
    variables = {n: v for n, v in known.items() if isinstance(v, Free)}
    held = {n: v for n, v in known.items() if v is not None and n not in variables}
    tasks = numbers_of(past)
    if not variables:
        raise DesignError(
            f"{name}: reads no column of numbers or categories that varies, so there is nothing "
            f"to vary; it reads {', '.join(f'{n} ({kind})' for n, kind in past.read.items())}."
        )
    if both := sorted({*known} & {*tasks}):
        raise DesignError(
            f"{name}: '{both[0]}' is a column that it reads and a task that it answers; give the "
            "task another name in its job and train again."
        )
    units = {n: unit_of(run.job.columns[n]) for n in variables}
    units |= {n: unit_of(run.job.tasks[n]) for n in tasks}
    outputs = {n: NumberOutput(unit=units[n] or "1") for n in tasks}
    twin = Twin(name=name, variables=variables, outputs=outputs, simulator=NoSimulator())
    numbers = {n for n, v in variables.items() if not isinstance(v, Categorical)}
    return RunSpace(twin, {n: u for n, u in units.items() if n in tasks or n in numbers}, held)


def numbers_of(past: PastRun) -> list[str]:
    """Its tasks of numbers; DesignError where it has none."""
    kinds = {n: options.type for n, options in past.predictor.run.job.tasks.items()}
    found = [n for n, kind in kinds.items() if kind == "regress"]
    if not found:
        told = ", ".join(f"{n} ({kind})" for n, kind in kinds.items())
        raise DesignError(
            f"{past.name}: answers no number that designs could be judged by, only {told}; train "
            "it with a task of type regress."
        )
    return found


def unit_of(options: Any) -> str | None:
    """The unit that a job says of a column or a task; None where it says none."""
    return getattr(options, "unit", None)


def variable_of(past: PastRun, column: str) -> Free | float | str | None:
    """A column as a variable; its value where it has only one, None where it is no variable."""
    run = past.predictor.run
    reader = run.readers[column]
    if isinstance(reader, CategoryReader):
        names = reader.names
        return Categorical(choices=names) if len(names) > 1 else next(iter(names), None)
    if reader.kind != "number":
        return None
    x_N = past.values(column, past.learned, numbers=True)
    x_N = x_N[np.isfinite(x_N)]
    if not len(x_N):
        return None
    low, high = float(x_N.min()), float(x_N.max())
    if low == high:
        return low
    unit = unit_of(run.job.columns[column])
    if (x_N == np.floor(x_N)).all() and max(abs(low), abs(high)) < LARGEST:
        return Integer(low=int(low), high=int(high), unit=unit)
    log = getattr(run.job.columns[column], "scale", "linear") == "log" and low > 0
    return Continuous(low=low, high=high, unit=unit, log=log)
