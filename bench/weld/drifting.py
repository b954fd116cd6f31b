"""How well depth is told before and after the lens becomes dirty, from settings and from pictures.

Rows are parts of the plant: of training and of test before (absorptivity .60), and of test after
(.40). Depth is learned by scikit-learn's gradient boosting from settings alone, and by ridge
regression on its logarithm from plain features of the picture: areas above eleven levels, lengths
and widths above three, sums of rows and columns.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.line import Line
from modalloy.twin.weld.plant import Part, described, stream
from modalloy.twin.weld.simulator import beam_of, verdict, weld

LEVELS = (4, 8, 16, 32, 64, 96, 128, 160, 192, 224, 250)
LENGTHS = (16, 64, 200)
DIRTY = 0.40
ANCHORS = {  # of an earlier trial with a simulator of its own
    ("plan of settings", "depth, deviation, mm"): "0.32",
    ("settings only", "RMSE before, mm"): "0.106",
    ("settings only", "RMSE after, mm"): "0.323",
    ("settings only", "RMSE after, 200 rows appended, mm"): "0.302",
    ("picture only", "RMSE before, mm"): "0.024",
    ("picture only", "RMSE after, mm"): "0.038",
}


class Rows(NamedTuple):
    """Some parts, simulated. settings_NV: a column a choice of grade, speed by its logarithm."""

    settings_NV: np.ndarray
    picture_NF: np.ndarray
    depth_N: np.ndarray
    excess_N: np.ndarray


def drifting(rows: int, seeds: int) -> Iterator[Line]:
    """Errors of depth before and after the drift, means over seeds, and the spread of depth."""
    found: dict[tuple[str, str], list[float]] = {}
    for seed in range(seeds):
        old = rows_of(stream(rows, seed=10 * seed, onset=rows))
        before = rows_of(stream(500, seed=10 * seed + 1, onset=500))
        after = rows_of(stream(500, seed=10 * seed + 2, onset=0, first=DIRTY, last=DIRTY))
        drifted = rows_of(stream(200, seed=10 * seed + 3, onset=0, first=DIRTY, last=DIRTY))
        more = Rows(*(np.concatenate(pair) for pair in zip(old, drifted, strict=True)))
        good = [verdict(depth) == "good" for depth in old.depth_N]
        for case, metric, value in (
            ("plan of settings", "depth, mean, mm", old.depth_N.mean()),
            ("plan of settings", "depth, deviation, mm", old.depth_N.std()),
            ("plan of settings", "share in the window", np.mean(good)),
            ("plan of settings", "share with a keyhole", np.mean(old.excess_N > 0)),
            *errors("settings only", boosted, old, before, after),
            ("settings only", "RMSE after, 200 rows appended, mm", rmse(boosted, more, after)),
            *errors("picture only", from_picture, old, before, after),
            *errors("picture and settings", from_both, old, before, after),
        ):
            found.setdefault((case, metric), []).append(float(value))
    for (case, metric), values in found.items():
        anchor = ANCHORS.get((case, metric), "")
        yield Line(case, metric, sum(values) / seeds, (min(values), max(values)), anchor)


Fit = Callable[[Rows], Callable[[Rows], np.ndarray]]


def errors(
    case: str, fit: Fit, old: Rows, before: Rows, after: Rows
) -> list[tuple[str, str, float]]:
    """RMSE before and after the drift."""
    named = (("RMSE before, mm", before), ("RMSE after, mm", after))
    return [(case, name, rmse(fit, old, rows)) for name, rows in named]


def rmse(fit: Fit, old: Rows, new: Rows) -> float:
    """The error of depth on rows that were not learned from."""
    return float(np.sqrt(np.mean((fit(old)(new) - new.depth_N) ** 2)))


def boosted(old: Rows) -> Callable[[Rows], np.ndarray]:
    """Gradient boosting on settings."""
    model = GradientBoostingRegressor(n_estimators=300, random_state=0)
    model.fit(old.settings_NV, old.depth_N)
    return lambda rows: model.predict(rows.settings_NV)


def from_picture(old: Rows) -> Callable[[Rows], np.ndarray]:
    """Ridge regression on features of the picture."""
    return ridge(old, lambda rows: rows.picture_NF)


def from_both(old: Rows) -> Callable[[Rows], np.ndarray]:
    """The same on features of the picture and settings together."""
    return ridge(old, lambda rows: np.hstack([rows.picture_NF, rows.settings_NV]))


def ridge(old: Rows, of: Callable[[Rows], np.ndarray]) -> Callable[[Rows], np.ndarray]:
    """Ridge regression of the logarithm of depth."""
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 3, 15)))
    model.fit(of(old), np.log(old.depth_N))
    return lambda rows: np.exp(model.predict(of(rows)))


def rows_of(parts: list[Part]) -> Rows:
    """Parts simulated, and their features."""
    made = [weld(beam_of(part.values), seed=part.seed) for part in parts]
    grades = described()["variables"]["grade"]["choices"]
    settings_NV = np.array([settings(part, grades) for part in parts])
    picture_NPP = np.stack([one.picture_PP for one in made])
    depth_N = np.array([one.depth_mm for one in made])
    excess_N = np.array([one.keyhole.excess for one in made])
    return Rows(settings_NV, features(picture_NPP), depth_N, excess_N)


def settings(part: Part, grades: list[str]) -> list[float]:
    """What is set, as numbers."""
    values = part.values
    chosen = [float(values["grade"] == grade) for grade in grades]
    numbers = [float(values[name]) for name in ("power", "preheat", "spot")]
    return [*numbers, math.log(float(values["speed"])), *chosen]


def features(picture_NPP: np.ndarray) -> np.ndarray:
    """Areas, lengths, widths and sums."""
    x_NPP = picture_NPP.astype(np.float64)
    columns = [np.log1p((x_NPP > level).sum(axis=(1, 2))) for level in LEVELS]
    for level in LENGTHS:
        over_NPP = x_NPP > level
        columns += [over_NPP.any(axis=2).sum(axis=1), over_NPP.any(axis=1).sum(axis=1)]
    sums = [np.log1p(x_NPP.sum(axis=axis)) for axis in (1, 2)]
    return np.hstack([np.column_stack(columns), *sums])
