"""A small twin with two hidden parameters, as plain functions: for tests of calibration."""

from typing import NamedTuple

import numpy as np

from modalloy.twin.calibration.plant_rows import PlantRows
from modalloy.twin.calibration.trials import Simulated
from modalloy.twin.twin import Twin
from modalloy.twin.twin_file import load_twin

TRUTH = np.array([1.3, 0.8])
NOISE = np.array([0.05, 0.03])
TWIN = {
    "name": "jet",
    "variables": {
        "x": {"type": "continuous", "low": 0.2, "high": 3},
        "z": {"type": "continuous", "low": 0, "high": 1},
    },
    "hidden": {
        "a": {"type": "continuous", "low": 0.5, "high": 3, "unit": "mm"},
        "k": {"type": "continuous", "low": 0.1, "high": 2},
    },
    "outputs": {"u": {"type": "number", "unit": "mm"}, "v": {"type": "number", "unit": "1"}},
    "simulator": {"type": "python", "use": "math:hypot"},
}


class Jet(NamedTuple):
    """Rows of a plant that runs as its twin does, with noise and parts that differ by `spread`."""

    twin: Twin
    plant: PlantRows
    simulated: Simulated


def jet(seed: int, *, rows: int = 60, spread: tuple[float, float] = (0.0, 0.0)) -> Jet:
    """A plant at settings by chance, each row a part of its own."""
    draw = np.random.default_rng(seed)
    u_ND = draw.random((rows, 2))
    x_N = 0.2 + 2.8 * u_ND[:, 0]

    def simulated(row_M: np.ndarray, h_MK: np.ndarray) -> np.ndarray:
        x_M, (a_M, k_M) = x_N[row_M], h_MK.T
        return np.stack([a_M * np.exp(-k_M * x_M), a_M * x_M / (k_M + x_M)], axis=1)

    h_NK = TRUTH + draw.normal(size=(rows, 2)) * spread
    y_NO = simulated(np.arange(rows), h_NK) + draw.normal(size=(rows, 2)) * NOISE
    number_N = np.arange(rows)
    designs = [{"x": x, "z": z} for x, z in zip(x_N.tolist(), u_ND[:, 1].tolist(), strict=True)]
    plant = PlantRows("jets.csv", designs, u_ND, y_NO, ("u", "v"), number_N, number_N, ())
    return Jet(load_twin(TWIN), plant, simulated)
