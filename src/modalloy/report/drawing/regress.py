"""Numbers on the page: answers over the truth, and errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.judge.wording import brief
from modalloy.readers.number import from_log
from modalloy.report import charts
from modalloy.report.drawing.drawing import Drawing
from modalloy.report.figure import Figure, thin

POINTS = 3000


class NumberDrawing(Drawing):
    """Drawings for `regress`."""

    def figures(
        self,
        options: config.Regress,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        cells: Cells | None,
    ) -> list[Figure]:
        """Answers over the truth, and the errors."""
        del names, cells
        return figures_of_numbers(options, truth, answer)

    def losses(
        self,
        options: config.Regress,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> np.ndarray:
        """The absolute error on the scale that the task learns."""
        del options, names
        true_B = np.array([np.nan if t is None else float(t) for t in truth])
        return np.nan_to_num(
            np.abs(np.asarray(answer["value"], dtype=np.float64) - true_B), nan=0.0
        )

    def say(
        self,
        options: config.Regress,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        row: int,
    ) -> tuple[str, str]:
        """Both in the column's own unit."""
        del names
        both = np.array([float(truth), float(answer["value"][row])])
        true, value = from_log(both) if options.scale == "log" else both
        unit = options.unit or ""
        return f"{brief(true)} {unit}".rstrip(), f"{brief(value)} {unit}".rstrip()


def figures_of_numbers(
    options: config.Regress, truth: Sequence[Any], answer: Mapping[str, np.ndarray]
) -> list[Figure]:
    """Answers over the truth, and the errors, both in the target's own unit."""
    unit, log = options.unit or "", options.scale == "log"
    true = np.array([np.nan if t is None else float(t) for t in truth])
    value = np.asarray(answer["value"], dtype=float)
    if log:
        true, value = from_log(true), from_log(value)
    rows = np.flatnonzero(np.isfinite(true) & np.isfinite(value))
    if not len(rows):
        return []
    drawn = rows[thin(len(rows), POINTS)]
    note = f"{len(drawn)} of {len(rows)} rows are drawn." if len(drawn) < len(rows) else ""
    wrong = (value - true)[rows]
    far = f"{brief(float(np.quantile(np.abs(wrong), 0.9)))} {unit}".rstrip()
    tenth = f"Nine of ten answers are at most {far} off."
    if log:  # amounts over several magnitudes: a few errors would squeeze all others into one bar
        low, high = np.quantile(wrong, [0.01, 0.99])
        wrong = wrong[(wrong >= low) & (wrong <= high)]
        tenth += " The hundredth farthest off on either side is not drawn."
    scatter = charts.true_against_answer(true[drawn], value[drawn], unit, log=log)
    return [
        Figure("Answer against truth", "chart", scatter, note),
        Figure("Errors", "chart", charts.errors(wrong, unit), tenth),
    ]
