"""Cells with a number in, the same standardised to learn from out; and the way back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.numbers import to_number, to_numbers
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.number import all_missing, from_log, to_log
from modalloy.readers.outliers import outlying
from modalloy.readers.reader import moments, same
from modalloy.readers.targets.target import Signal, TargetReader

LARGEST = 1e6  # standardised numbers are cut here, so that their squares stay finite


@dataclass(frozen=True)
class NumberTarget(TargetReader):
    """A number minus its training mean, over its deviation.

    log: on the scale sign(y) * log(1 + |y|), in which `truth` and `to_unit` answer as well.
    limit: standardised numbers are cut here for learning.
    """

    kind: ClassVar[str] = "regress"
    center: float
    scale: float
    log: bool
    limit: float = LARGEST

    @classmethod
    def blank(cls, name: str, options: config.Regress) -> Self:
        """In its own unit."""
        return cls(name, options.target, 0.0, 1.0, options.scale == "log")

    @classmethod
    def fit(cls, name: str, options: config.Regress, cells: Cells) -> Self:
        """Mean and deviation; TableError for text, for no number and for always the same one.

        Numbers far beyond all others have no part in them, and are learned as the farthest of
        those: one wrong cell would leave the others without a difference.
        """
        made = cls.seen(name, options, cells)
        if not made.scale:
            y = made._scaled(cells)
            beyond = y[np.isfinite(y) & (y != made.center)]
            but = f" but {len(beyond)} (such as {beyond[0]:g})" if len(beyond) else ""
            raise TableError(
                f"column '{options.target}' is {made.center:g} in all training rows{but}; task "
                f"{name} has nothing to learn"
            )
        return made

    @classmethod
    def seen(cls, name: str, options: config.Regress, cells: Cells) -> Self:
        """As `fit`, of rows that may all have the same number: then the scale is 0."""
        blank = cls.blank(name, options)
        y = blank._scaled(cells)
        y = y[np.isfinite(y)]
        if not len(y):
            raise all_missing(options.target, cells)
        refuse_beyond(name, options, cells)
        beyond = outlying(y)
        usual = y[~beyond]
        with np.errstate(over="ignore", invalid="ignore"):
            center, scale = float(usual.mean()), float(usual.std())
        if not (np.isfinite(center) and np.isfinite(scale)):
            raise TableError(
                f"column '{options.target}' holds numbers up to {np.abs(y).max():.1e}, too large "
                "to learn; set scale: log"
            )
        if usual.min() == usual.max():
            return cls(name, options.target, float(usual[0]), 0.0, blank.log)
        scale = scale or float(np.ptp(usual))
        farthest = float(np.abs((usual - center) / scale).max())
        limit = farthest if beyond.any() else LARGEST
        return cls(name, options.target, center, scale, blank.log, limit)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """The mean and deviation of all sites' numbers; TableError where all are the same."""
        first = same(fitted, "column", "log")
        center, scale = moments([(r.center, r.scale) for r in fitted], rows)
        if not scale:
            raise TableError(
                f"column '{first.column}' is {center:g} in all training rows of all sites; task "
                f"{first.name} has nothing to learn"
            )
        limit = max(r.limit for r in fitted)
        return replace(first, center=float(center), scale=float(scale), limit=limit)

    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Values y (B,) float32, standardised."""
        y = self._scaled(cells)
        known = np.isfinite(y)
        with np.errstate(over="ignore"):
            z = (np.where(known, y, self.center) - self.center) / self.scale
        return {"y": np.clip(z, -self.limit, self.limit).astype(np.float32), "known": known}

    def truth(self, cells: Cells) -> list[float | None]:
        """Numbers in the column's unit, or their logarithms with `log`."""
        return [float(y) if np.isfinite(y) else None for y in self._scaled(cells)]

    def told(
        self, name: str, options: config.Regress, answer: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """The number in the column's own unit, each quantile, and the ends of the interval that it
        promises.
        """
        found: dict[str, Any] = {name: self.to_natural(answer["value"])}
        for q, quantile in enumerate(options.quantiles):
            found[f"{name}.q[{quantile}]"] = self.to_natural(answer["quantiles"][:, q])
        for end in ("low", "high"):
            if end in answer:
                found[f"{name}.{end}"] = self.to_natural(answer[end])
        return found

    @staticmethod
    def signal(answers: np.ndarray) -> Signal:
        """The numbers."""
        return Signal(answers.astype(np.float64)[:, None])

    def to_unit(self, y: np.ndarray) -> np.ndarray:
        """Undo the standardisation of answers of any shape; they then compare with `truth`."""
        return np.asarray(y, dtype=np.float64) * self.scale + self.center

    def to_natural(self, value: np.ndarray) -> np.ndarray:
        """Undo the logarithm too: from what `to_unit` gives to the column's own unit."""
        return from_log(value) if self.log else np.asarray(value)

    def _scaled(self, cells: Cells) -> np.ndarray:
        raw = cells[self.column]
        texts = [c for c in raw if to_number(c, cells.decimal) is None]
        if texts:
            raise TableError(
                f"column '{self.column}' holds {texts[0]!r:.60}, which is no number; task "
                f"{self.name} regresses it: empty such cells or classify instead"
            )
        y = to_numbers(raw, cells.decimal)
        return to_log(y) if self.log else y


def within(options: config.Regress, y: np.ndarray) -> np.ndarray:
    """Numbers on the scale of `truth`, of any shape, cut at the lowest and the highest possible.

    No right answer lies outside, so no answer is farther from it than before.
    """
    low, high = bounds(options)
    return np.clip(y, *(to_log(np.array([low, high])) if options.scale == "log" else (low, high)))


def bounds(options: config.Regress) -> tuple[float, float]:
    """The lowest and the highest possible answer in the column's own unit; infinite for none."""
    low, high = options.lowest, options.highest
    if options.distribution != "none":
        low = max(low or 0.0, 0.0)
    return -np.inf if low is None else low, np.inf if high is None else high


def refuse_beyond(name: str, options: config.Regress, cells: Cells) -> None:
    """TableError where a right answer lies outside the bounds."""
    low, high = bounds(options)
    y = to_numbers(cells[options.target], cells.decimal)
    beyond = np.isfinite(y) & ((y < low) | (y > high))
    if beyond.any():
        side = f"below lowest {low:g}" if y[beyond][0] < low else f"above highest {high:g}"
        raise TableError(
            f"column '{options.target}' holds {y[beyond][0]:g}, which is {side} of task {name} "
            f"({beyond.sum()} rows lie outside): correct such cells, or take the bound away"
        )
