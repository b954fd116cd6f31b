"""Rows of the runs of a search, read for its page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.errors import DesignError
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Linked

ROWS = "rows.parquet"


class RunRow(NamedTuple):
    """One run. values: of its variables. outputs: what it told; reason: why it told nothing."""

    values: Mapping[str, Any]
    outputs: Mapping[str, Any]
    status: str
    reason: str


def run_rows(folder: Path, twin: Twin) -> dict[int, RunRow] | None:
    """Every run of `rows.parquet` in a folder, by its number; None where there is no such file.

    DesignError where it cannot be read or is of another twin.
    """
    path = folder / ROWS
    if not path.is_file():
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
        there = rows[0] if rows else {}
        # A linked variable follows from the others, so its column may have been left out.
        variables = [
            n for n, v in twin.variables.items() if n in there or not isinstance(v, Linked)
        ]
        return {
            row["run"]: RunRow(
                {name: row[name] for name in variables},
                {name: row[name] for name in twin.outputs if row[name] is not None},
                row["status"],
                row["reason"] or "",
            )
            for row in rows
        }
    except (pa.ArrowException, OSError) as error:
        raise DesignError(f"{path}: cannot be read ({error}); write it again.") from error
    except KeyError as error:
        raise DesignError(f"{path}: has no column {error}; it is of another twin.") from error
