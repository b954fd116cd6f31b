"""Rows of experiments in place of runs of a simulator: what was tried, as though it were run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from modalloy.designing.study import Study
from modalloy.errors import DesignError
from modalloy.machine.files import write_safely
from modalloy.table.open_table import open_table
from modalloy.table.table import Table
from modalloy.twin.runs import Outcome

PROPOSALS = "proposals.csv"


class Experiments(NamedTuple):
    """u_ND: designs that were tried. outcomes: what came of each. passed: rows of the table that
    lack a variable, or an output that is asked about. source: the table.
    """

    u_ND: np.ndarray
    outcomes: list[Outcome]
    passed: int
    source: str

    def run(self, first: int, designs: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """What came of the rows first, first + 1, ..."""
        return self.outcomes[first : first + len(designs)]

    def digest(self) -> str:
        """SHA-256 of what was tried and what came of it, by which rows that changed are told."""
        told = [self.u_ND.tolist(), [outcome.outputs for outcome in self.outcomes]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def read_experiments(study: Study, table: Any) -> Experiments:
    """The rows of a table that has a column for each variable and each output that matters.

    Rows without a value of a variable, or of such an output, are passed over and counted.
    DesignError for a column that is not there; TwinError for a value that the twin's variables do
    not allow.
    """
    opened = open_table(table)
    space, outputs = study.space, [n for n in study.outputs if n not in study.known]
    if lacking := [n for n in (*space.free, *outputs) if n not in opened.columns]:
        raise DesignError(f"{opened.source}: has no column {', '.join(lacking)}.")
    cells = {name: opened.cells(name) for name in space.free}
    y_NO = numbers(opened, outputs)
    full = [
        i
        for i in range(opened.rows)
        if np.isfinite(y_NO[i]).all() and all(own[i] is not None for own in cells.values())
    ]
    if not full:
        raise DesignError(f"{opened.source}: no row has all variables and outputs that are asked.")
    u_ND = space.encode([{name: own[i] for name, own in cells.items()} for i in full])
    outcomes = [
        Outcome(k, "ok", "", dict(zip(outputs, y_NO[i].tolist(), strict=True)), 0.0, 0, 1)
        for k, i in enumerate(full)
    ]
    return Experiments(u_ND, outcomes, opened.rows - len(full), opened.source)


def numbers(table: Table, names: Sequence[str]) -> np.ndarray:
    """y_NO of some columns, NaN where a cell is empty."""
    if not names:
        return np.zeros((table.rows, 0))
    return np.stack([table.numbers(name) for name in names], axis=1)


def write_proposals(folder: Path, facts: Mapping[str, Any]) -> Path:
    """A row a design that is to be tried next: its variables, what is foretold, and whether it is
    certified or extrapolates."""
    rows = []
    for design, said, sure, beyond in zip(
        facts["designs"], facts["predicted"], facts["certified"], facts["extrapolates"], strict=True
    ):
        told = {}
        for name, (low, middle, high) in said.items():
            if name not in design:
                told |= {f"{name}.low": low, f"{name}.foretold": middle, f"{name}.high": high}
        rows.append({**design, **told, "certified": sure, "extrapolates": beyond})
    path = folder / PROPOSALS
    write_safely(path, pd.DataFrame(rows).to_csv(index=False).encode("utf-8"))
    return path
