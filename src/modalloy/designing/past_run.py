"""A trained run with the rows of its table: those that it has learned from, and those that tell how
wrong it is about others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.cells.values import spelled
from modalloy.designing.surrogates.of_run import natural
from modalloy.errors import DesignError
from modalloy.job.job_file import FRAME
from modalloy.judge.figures import truth_of
from modalloy.learn.recalibrate import unlearned
from modalloy.readers.category import CategoryReader
from modalloy.report.rescore import own_rows
from modalloy.runs.run import load_run
from modalloy.twin.space import Space
from modalloy.twin.variables import Categorical, Continuous, Free, Integer, Ordinal

SLACK = 1e-9  # of a variable's range: a value that was worked out may lie a rounding outside


@dataclass(frozen=True)
class PastRun:
    """learned: rows of its table that taught it or chose among its trainings. telling: rows that
    tell its errors. Test rows are neither. source: what `telling` are, in words."""

    predictor: Predictor
    loader: Loader
    learned: np.ndarray
    telling: np.ndarray
    source: str

    @property
    def name(self) -> str:
        """What people call it: its folder."""
        return self.predictor.run.path.resolve().name

    @property
    def read(self) -> dict[str, str]:
        """Every column that it reads, with its kind."""
        run = self.predictor.run
        return {n: reader.kind for n, reader in run.readers.items() if n not in run.hidden}

    def values(self, column: str, rows: np.ndarray, *, numbers: bool) -> np.ndarray:
        """Cells of a column: numbers, NaN where there is nothing, or the names that the run knows
        them by, None where there is nothing."""
        table = self.loader.table
        if numbers:
            return table.numbers(column, rows)
        reader, cells = self.predictor.run.readers[column], table.cells(column, rows)
        if isinstance(reader, CategoryReader):
            cells = [reader.naming.find(cell, table.decimal) for cell in cells]
        return np.array([spelled(cell) for cell in cells], dtype=object)

    def truth(self, tasks: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
        """y_NO of tasks of numbers as the table has them, NaN where nobody knows."""
        if not len(rows):
            return np.zeros((0, len(tasks)))
        known, found = truth_of(self.loader, rows), []
        for task in tasks:
            y_N = np.array([np.nan if y is None else float(y) for y in known[task]])
            found.append(natural(self.predictor.run.targets[task], y_N))
        return np.stack(found, axis=1)

    def designs(
        self, space: Space, rows: np.ndarray, units: dict[str, tuple[float, float]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """u_ND of those rows that lie in a space and have a cell for each variable, and which.

        units: of some variables, what their column's numbers are multiplied by and what is added.
        """
        u_ND = np.zeros((len(rows), space.size))
        for name, variable in space.free.items():
            numbers = not is_named(variable)
            x_N = self.values(name, rows, numbers=numbers)
            if numbers and name in units:
                x_N = units[name][0] * x_N + units[name][1]
            u_ND[:, space.groups[name]] = shares(variable, x_N)
        whole_N = np.isfinite(u_ND).all(1)
        return u_ND[whole_N], rows[whole_N]


def open_past_run(path: str | Path, *, needed: int) -> PastRun:
    """A run that `train` wrote, or another verb made from one.

    needed: rows that tell its errors, from which on calibration rows suffice alone. DesignError
    where it learned from a frame, RunError where it is none or its table has changed.
    """
    run = load_run(path)
    if run.job.table == FRAME:
        raise DesignError(
            f"{path}: was trained on a frame in memory, so no row is at hand that tells its "
            "errors; write the frame to a file and train from that."
        )
    predictor = Predictor(run)
    loader, _, extras = own_rows(predictor)
    assert extras.parts is not None, "own rows have parts"
    parts, table = extras.parts, loader.table
    stopped_by = parts.validation[:0] if run.notes.get("refit") else parts.validation
    alone, _ = unlearned(run, table, parts.calibration)
    if len(alone) >= needed:
        telling, source = alone, "calibration rows"
    else:
        telling, _ = unlearned(run, table, np.concatenate([parts.calibration, stopped_by]))
        each = ("calibration" if len(alone) else "", "validation" if len(stopped_by) else "")
        source = f"{' and '.join(part for part in each if part)} rows".strip()
    rest = np.concatenate([parts.train, parts.validation, parts.calibration])
    return PastRun(predictor, loader, np.setdiff1d(rest, telling), np.sort(telling), source)


def is_named(variable: Free) -> bool:
    """Whether a variable has names as values."""
    words = getattr(variable, "choices", None) or getattr(variable, "levels", (0.0,))
    return isinstance(words[0], str)


def shares(variable: Free, x_N: np.ndarray) -> np.ndarray:
    """Values as the columns of a variable hold them, (N, C); NaN where it cannot have one."""
    match variable:
        case Continuous(low=low, high=high):
            with np.errstate(divide="ignore", invalid="ignore"):
                log = np.log(np.maximum(x_N, 0.0) / low) / np.log(high / low) if variable.log else 0
            u_N = log if variable.log else (x_N - low) / (high - low)
            return within(np.asarray(u_N, dtype=np.float64))[:, None]
        case Integer(low=low, high=high):
            whole_N = (x_N == np.floor(x_N)) & (x_N >= low) & (x_N <= high)
            return np.where(whole_N, (x_N - low + 0.5) / (high - low + 1), np.nan)[:, None]
        case Ordinal():
            return placed(list(variable.levels), x_N)[:, None]
        case Categorical():
            u_N = placed(list(variable.choices), x_N)
            at_N = np.nan_to_num(u_N * len(variable.choices) - 0.5).round().astype(int)
            one_NC = np.eye(len(variable.choices))[at_N]
            return np.where(np.isfinite(u_N)[:, None], one_NC, np.nan)


def placed(levels: list[Any], x_N: np.ndarray) -> np.ndarray:
    """The middle of each value's stretch among levels, NaN where it is none of them."""
    at = {level: (i + 0.5) / len(levels) for i, level in enumerate(levels)}
    return np.array([at.get(x, np.nan) for x in x_N.tolist()], dtype=np.float64)


def within(u_N: np.ndarray) -> np.ndarray:
    """Shares inside [0, 1], NaN for those that lie outside."""
    return np.where((u_N >= -SLACK) & (u_N <= 1 + SLACK), np.clip(u_N, 0.0, 1.0), np.nan)
