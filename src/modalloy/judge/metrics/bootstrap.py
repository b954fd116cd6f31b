"""Confidence intervals by drawing rows, or groups of rows, anew.

Percentile bootstrap (Efron 1979). Where rows come in groups (boards, machines, speakers), whole
groups are drawn, because rows of one group err together and single rows would promise too much.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from modalloy.judge.metrics.tally import Tally

Interval = tuple[float, float]
CELLS_AT_ONCE = 2_000_000  # weights held in memory at a time


def intervals(
    tally: Tally,
    *,
    groups: Sequence[Any] | None = None,
    resamples: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """An interval for every figure of a tally.

    groups: one label for each row that was handed to the tally, known or not. Figures that are
    undefined in every resample, and all figures where fewer than two rows or groups exist, are left
    out.
    """
    drawn = _draw_figures([tally], groups, resamples, seed)
    return _spans(drawn[0], level) if drawn else {}


def paired_intervals(
    a: Tally,
    b: Tally,
    *,
    groups: Sequence[Any] | None = None,
    resamples: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Intervals of the figures of `a` minus those of `b`, two models' answers on the same rows.

    Both are scored on the same resamples, so that what is hard for both does not widen the
    interval.
    """
    assert np.array_equal(a.rows, b.rows), "paired intervals need the same rows"
    drawn = _draw_figures([a, b], groups, resamples, seed)
    if not drawn:
        return {}
    return _spans({k: drawn[0][k] - drawn[1][k] for k in drawn[0].keys() & drawn[1].keys()}, level)


def draw_weights(
    n: int, groups: Sequence[Any] | None, resamples: int, seed: int
) -> Iterator[np.ndarray]:
    """How often each of n rows is drawn, as (n, R) arrays of a bounded size; none when n < 2.

    Resamples do not depend on how they are cut into arrays.
    """
    unit_N = np.arange(n)
    if groups is not None:
        unit_N = np.unique(np.array([str(g) for g in groups]), return_inverse=True)[1]
    units = int(unit_N.max(initial=-1)) + 1
    if units < 2:
        return
    rng = np.random.default_rng(seed)
    size = max(1, CELLS_AT_ONCE // n)
    for start in range(0, resamples, size):
        drawn = rng.integers(0, units, (min(size, resamples - start), units))
        counts = np.stack([np.bincount(d, minlength=units) for d in drawn], 1)
        yield counts.astype(np.float64)[unit_N]


def _draw_figures(
    tallies: Sequence[Tally], groups: Sequence[Any] | None, resamples: int, seed: int
) -> list[dict[str, np.ndarray]]:
    rows = tallies[0].rows
    some = None if groups is None else [groups[i] for i in rows]
    parts: list[list[dict[str, np.ndarray]]] = [[] for _ in tallies]
    for weight_NR in draw_weights(len(rows), some, resamples, seed):
        for part, tally in zip(parts, tallies, strict=True):
            part.append(tally.figures(weight_NR))
    if not parts[0]:
        return []
    return [{k: np.concatenate([f[k] for f in part]) for k in part[0]} for part in parts]


def _spans(drawn: dict[str, np.ndarray], level: float) -> dict[str, Interval]:
    found = {name: _span(values, level) for name, values in drawn.items()}
    return {name: span for name, span in found.items() if span is not None}


def _span(values: np.ndarray, level: float) -> Interval | None:
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
