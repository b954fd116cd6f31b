"""Rows of runs as a table, `rows.parquet`, and beside it `rows.json`: units and what made them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from modalloy.errors import TwinError
from modalloy.machine.files import write_safely
from modalloy.table.twin_columns import KEY
from modalloy.twin.outputs import NumberOutput
from modalloy.twin.rules import OWN, UNSEEN
from modalloy.twin.runs import MEDIA, Outcome, Task
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Categorical, Continuous, Integer, Linked, Ordinal, Variable

if TYPE_CHECKING:
    import pyarrow as pa

ENDING = ".parquet"


def rows_of(
    twin: Twin, tasks: Sequence[Task], outcomes: Sequence[Outcome], media: str, *, unseen: bool
) -> list[dict[str, Any]]:
    """A row a run; outputs of a run that is not `ok` are None.

    media: where files lie, from the folder of the rows. unseen: hidden parameters too.
    """
    files = [name for name, output in twin.outputs.items() if output.type in MEDIA]
    rows = []
    for task, outcome in zip(tasks, outcomes, strict=True):
        told = {name: outcome.outputs.get(name) for name in twin.outputs}
        told |= {n: f"{media}/{told[n]}" for n in files if told[n] is not None}
        hidden = {f"{UNSEEN}{name}": task.values[name] for name in twin.hidden} if unseen else {}
        rows.append(
            {
                "run": task.run,
                **{name: task.values[name] for name in twin.variables},
                **hidden,
                **told,
                "status": outcome.status,
                "reason": outcome.reason or None,
                "seed": outcome.seed,
                "seconds": outcome.seconds,
            }
        )
    return rows


def write_rows(
    twin: Twin, rows: Sequence[Mapping[str, Any]], path: Path, made: Mapping[str, Any]
) -> None:
    """Write both files, each whole or not at all. made: what the rows come from.

    The Parquet file's own metadata says it too, and what each column is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = schema_of(twin, list(rows[0]))
    said = {**made, "columns": {name: about(twin, name) for name in schema.names}}
    schema = schema.with_metadata({KEY: json.dumps(said).encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink)
    write_safely(beside(path), json.dumps(said, indent=1).encode())
    write_safely(path, sink.getvalue().to_pybytes())


def beside(path: Path) -> Path:
    """Where units and the origin of rows are told."""
    return path.with_suffix(".json")


def about(twin: Twin, column: str) -> dict[str, Any]:
    """What a column is: a variable, a hidden parameter, an output or a record of the run."""
    hidden = twin.hidden.get(column.removeprefix(UNSEEN)) if column.startswith(UNSEEN) else None
    if column in OWN:
        return {"is": "record"}
    if hidden is not None:
        return {"is": "hidden", "unit": hidden.unit}
    if column in twin.variables:
        unit = getattr(twin.variables[column], "unit", None)
        return {"is": "variable", "type": twin.variables[column].type, "unit": unit}
    output = twin.outputs[column]
    unit = output.unit if isinstance(output, NumberOutput) else None
    return {"is": "output", "type": output.type, "unit": unit}


def schema_of(twin: Twin, columns: Sequence[str]) -> "pa.Schema":
    """The Arrow types of columns."""
    import pyarrow as pa

    own = {"run": pa.int64(), "status": pa.string(), "reason": pa.string(), "seed": pa.int64()}

    def kind(name: str) -> pa.DataType:
        if name in twin.variables:
            return _type(twin.variables[name])
        if name in twin.outputs and twin.outputs[name].type != "number":
            return pa.string()
        return own.get(name, pa.float64())

    return pa.schema([(name, kind(name)) for name in columns])


def _type(variable: Variable) -> "pa.DataType":
    """The Arrow type of a variable's values."""
    import pyarrow as pa

    match variable:
        case Continuous() | Linked():
            return pa.float64()
        case Integer():
            return pa.int64()
        case Ordinal(levels=levels):
            return pa.string() if isinstance(levels[0], str) else pa.float64()
        case Categorical():
            return pa.string()
        case _:
            assert_never(variable)


def check_place(path: Path) -> None:
    """TwinError where rows cannot be written to a path."""
    if path.suffix != ENDING:
        raise TwinError(f"{path}: rows are written as Parquet; name a file such as rows{ENDING}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TwinError(f"{path.parent}: cannot be made ({error.strerror}).") from error
