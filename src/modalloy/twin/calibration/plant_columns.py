"""Which plant column is what of a twin, and every fault in how columns are named."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from modalloy.errors import TwinError
from modalloy.job.options import did_you_mean
from modalloy.table.table import Table
from modalloy.twin.outputs import NumberOutput
from modalloy.twin.rules import OWN
from modalloy.twin.space import Space
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Free


class PlantColumns(NamedTuple):
    """How plant columns and a twin's names go together.

    columns: plant column -> the twin's name, where they differ. settings: variables that had one
    value in all rows. part: the column that says which part a row is of; each its own without it.
    """

    columns: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}
    part: str | None = None


AS_NAMED = PlantColumns()


def numbers_of(twin: Twin) -> list[str]:
    """Names of the outputs that are numbers."""
    return [name for name, output in twin.outputs.items() if isinstance(output, NumberOutput)]


def sources(twin: Twin, table: Table, names: PlantColumns) -> dict[str, str]:
    """Twin name -> plant column, for every variable that is no setting and every output there is.

    TwinError with a sentence for each thing that is lacking.
    """
    free, numbers = Space(twin.variables).free, numbers_of(twin)
    known = (*free, *numbers)
    faults = list(wrong_names(table, names, known, free))
    column_of = {name: name for name in known if name in table.columns}
    column_of |= {name: column for column, name in names.columns.items()}
    unused = [c for c in table.columns if c not in column_of.values() and c not in OWN]
    for name in free:
        if name not in column_of and name not in names.settings:
            near = did_you_mean(name, unused)
            faults.append(
                f"no column '{name}', which the twin sets.{near} Say --columns PLANT={name} where "
                f"it has another name, --set {name}=VALUE where it was the same in all rows."
            )
    if not any(name in column_of for name in numbers):
        told = ", ".join(numbers) or "none at all"
        faults.append(
            f"no output in common: the twin's numbers are {told}, and the columns left are "
            f"{', '.join(unused[:8]) or 'none'}. Say --columns PLANT=OUTPUT."
        )
    if faults:
        raise TwinError("\n".join(f"{table.source}: {fault}" for fault in faults))
    return {n: c for n, c in column_of.items() if n not in names.settings}


def wrong_names(
    table: Table, names: PlantColumns, known: Sequence[str], free: Mapping[str, Free]
) -> Iterable[str]:
    """What is wrong with how columns are named."""
    for column, name in names.columns.items():
        if column not in table.columns:
            near = did_you_mean(column, table.columns)
            yield f"--columns {column}={name}: there is no column '{column}'.{near}"
        if name not in known:
            near = did_you_mean(name, known)
            yield f"--columns {column}={name}: '{name}' is no variable and no number.{near}"
    twice = [n for n in dict.fromkeys(names.columns.values()) if list_of(names, n)[1:]]
    for name in twice:
        yield f"--columns: {' and '.join(list_of(names, name))} are both '{name}'; keep one."
    for name in names.settings:
        if name not in free:
            yield f"--set {name}: is no variable that is free.{did_you_mean(name, free)}"
    if names.part is not None and names.part not in table.columns:
        near = did_you_mean(names.part, table.columns)
        yield f"--part {names.part}: there is no column '{names.part}'.{near}"


def list_of(names: PlantColumns, name: str) -> list[str]:
    """Plant columns that are said to be one thing of the twin."""
    return [column for column, other in names.columns.items() if other == name]
