"""The whole fit of hidden parameters to plant rows, whatever runs the twin."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modalloy.twin.calibration.plant_rows import PlantRows
from modalloy.twin.calibration.posterior import Posterior, posterior_of
from modalloy.twin.calibration.prior import Prior
from modalloy.twin.calibration.refined import Measured, Refined, refine
from modalloy.twin.calibration.starts import deviations, find_start
from modalloy.twin.calibration.trials import Simulated, Trials

FEWEST_PARTS = 5  # fewer say nothing of how parts differ


class Manner(NamedTuple):
    """noise: deviation of outputs whose noise is known, in their units. spread: whether hidden
    parameters may differ from part to part. confidence: of intervals. starts: fits that the best is
    kept of. rows: that are used at most. seed: of what is drawn.
    """

    noise: Mapping[str, float] = {}
    spread: bool = True
    confidence: float = 0.9
    starts: int = 3
    rows: int = 400
    seed: int = 0


USUAL = Manner()


class HiddenFit(NamedTuple):
    """measured, refined: outputs in units of unit_O. others_XK: fits elsewhere, as t."""

    posterior: Posterior
    measured: Measured
    refined: Refined
    unit_O: np.ndarray
    others_XK: np.ndarray
    runs: int


def fit_hidden(
    simulated: Simulated, prior: Prior, plant: PlantRows, manner: Manner = USUAL
) -> HiddenFit:
    """Maximum a posteriori values of hidden parameters, their spread between parts, and how sure
    both are.

    Several starts on some of the rows (`starts.py`), then all rows with parts that may differ
    (`refined.py`), then Laplace's approximation (`posterior.py`).
    """
    unit_O = deviations(plant.y_NO)

    def in_units(row_M: np.ndarray, x_MK: np.ndarray) -> np.ndarray:
        return simulated(row_M, x_MK) / unit_O

    trials = Trials(in_units, prior, len(plant.y_NO))
    place = {name: o for o, name in enumerate(plant.outputs)}
    noise = {place[name]: value / unit_O[place[name]] for name, value in manner.noise.items()}
    spread = manner.spread and plant.parts >= FEWEST_PARTS
    measured = Measured(plant.y_NO / unit_O, plant.part_N, noise, spread)
    draw = np.random.default_rng(manner.seed)
    start = find_start(trials, measured.y_NO, starts=manner.starts, draw=draw)
    refined = refine(trials, measured, start.t_K)
    posterior = posterior_of(refined, prior, measured, confidence=manner.confidence)
    return HiddenFit(posterior, measured, refined, unit_O, start.others_XK, trials.runs)
