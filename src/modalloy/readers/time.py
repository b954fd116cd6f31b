"""Cells that hold a date in, cycles and a trend out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.moments import Form, date_form, to_moment
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.number import all_missing, robust, squash
from modalloy.readers.reader import Read, Reader, same


@dataclass(frozen=True)
class TimeReader(Reader):
    """Sine and cosine of each cycle, days since the median training day, days since another date.

    Days are squashed as numbers are. Those since the median stop at the first and the last training
    day: a network's answer beyond them is an accident of its weights. Clock times are taken as they
    are written: a time zone is left aside, because the hour of the shift matters and not the one in
    Greenwich. center, scale and edges are days since the year 1; gap holds the center and scale of
    the days from `since` to this date. forms: how the training cells of each of `columns` are
    written, so that one row reads alone as it does among others.
    """

    kind: ClassVar[str] = "time"
    cycles: tuple[str, ...]
    center: float
    scale: float
    edges: tuple[float, float]
    since: str | None = None
    gap: tuple[float, float] = (0.0, 1.0)
    forms: tuple[Form, ...] = ("iso", "iso")

    @classmethod
    def fit(cls, name: str, options: config.Time, cells: Cells) -> Self:
        """Median and spread of training days; TableError where no cell is a date."""
        names = (name,) if options.since is None else (name, options.since)
        forms = tuple(date_form(cells[n]) for n in names)
        moments = [m for c in cells[name] if (m := to_moment(c, forms[0])) is not None]
        days = np.array([_days(m) for m in moments if isinstance(m, datetime)])
        if not moments:
            raise all_missing(name, cells)
        if not len(days):
            raise TableError(f"column '{name}' holds no date: {moments[0]}")
        edges = float(days.min()), float(days.max())
        gaps = _gaps(cells, names, forms) if options.since else np.zeros(1)
        known = gaps[np.isfinite(gaps)]
        if not len(known):
            raise TableError(
                f"columns '{name}' and '{options.since}' hold dates together in no training row; "
                f"take since: {options.since} away"
            )
        return cls(name, options.cycles, *robust(days), edges, options.since, robust(known), forms)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """The mean of the sites' middles and spreads by rows, from the first day to the last."""
        first = same(fitted, "cycles", "since", "forms")
        share = np.array(rows) / sum(rows)
        center = float(share @ [r.center for r in fitted])
        scale = float(share @ [r.scale + abs(r.center - center) for r in fitted])
        edges = min(r.edges[0] for r in fitted), max(r.edges[1] for r in fitted)
        gap = tuple(float(g) for g in share @ [r.gap for r in fitted])
        return replace(first, center=center, scale=scale, edges=edges, gap=(gap[0], gap[1]))

    @property
    def columns(self) -> tuple[str, ...]:
        """The dates, and those that days are counted from."""
        return (self.name,) if self.since is None else (self.name, self.since)

    @property
    def width(self) -> int:
        """Numbers that describe one moment."""
        return 2 * len(self.cycles) + (1 if self.since is None else 3)

    def read(self, cells: Cells) -> Read:
        """Values x (B, F) float32 with F = 2 * cycles + 1, and 2 more for the days since a date.

        Where that date is absent the two are zeros; else the squashed days and a one.
        """
        x_BF = np.zeros((len(cells), self.width), dtype=np.float32)
        status = []
        for row, cell in enumerate(cells[self.name]):
            moment = to_moment(cell, self.forms[0])
            if isinstance(moment, datetime):
                x_BF[row, : 2 * len(self.cycles) + 1] = self._describe(moment)
            status.append(
                "missing"
                if moment is None
                else "ok"
                if isinstance(moment, datetime)
                else f"unreadable: {moment}"
            )
        if self.since is not None:
            gaps = _gaps(cells, self.columns, self.forms)
            known = np.isfinite(gaps)
            x_BF[known, -2] = squash(gaps[known], *self.gap)
            x_BF[known, -1] = 1.0
        return Read({"x": x_BF}, np.array([s == "ok" for s in status], dtype=bool), status)

    def _describe(self, moment: datetime) -> list[float]:
        day = _days(moment) % 1.0
        year_days = 366 if _leap(moment.year) else 365
        share = {
            "day": day,
            "week": (moment.weekday() + day) / 7,
            "year": (moment.timetuple().tm_yday - 1 + day) / year_days,
        }
        turns = [2 * math.pi * share[c] for c in self.cycles]
        days = np.clip(_days(moment), *self.edges)
        trend = float(squash(days, self.center, self.scale))
        return [f(t) for t in turns for f in (math.sin, math.cos)] + [trend]


def _gaps(cells: Cells, names: tuple[str, ...], forms: tuple[Form, ...]) -> np.ndarray:
    """Days from the second date to the first, NaN where either is absent."""
    first, second = (
        [to_moment(c, form) for c in cells[name]] for name, form in zip(names, forms, strict=True)
    )
    pairs = zip(first, second, strict=True)
    return np.array(
        [
            _days(a) - _days(b) if isinstance(a, datetime) and isinstance(b, datetime) else np.nan
            for a, b in pairs
        ]
    )


def _days(moment: datetime) -> float:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
    return moment.toordinal() + seconds / 86_400


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
