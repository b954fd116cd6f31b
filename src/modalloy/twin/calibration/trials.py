"""Runs of a twin at plant settings with hidden parameters that are tried, and slopes by these.

Letters: N rows, M runs, O outputs, K hidden parameters.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from modalloy.errors import TwinError
from modalloy.twin.calibration.prior import Prior
from modalloy.twin.pool import Pool
from modalloy.twin.runs import Expected, RunLimits, Task
from modalloy.twin.simulators.build import Simulator

STEP = 1e-3  # of a parameter's width, for slopes: above what solvers' own tolerances blur
# Outputs (M, O) of rows (M,) at hidden parameters (M, K) in their own units; NaN where a run fails.
Simulated = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Sloped(NamedTuple):
    """Outputs f_NO, and their slopes by each parameter's t; NaN where a run has failed."""

    f_NO: np.ndarray
    slope_NOK: np.ndarray


class Trials:
    """Rows of a plant, each run with hidden parameters of its own; counts its runs."""

    def __init__(self, simulated: Simulated, prior: Prior, rows: int) -> None:
        self.simulated, self.prior, self.rows = simulated, prior, rows
        self.runs = 0

    def outputs(self, t_NK: np.ndarray, row_N: np.ndarray | None = None) -> np.ndarray:
        """f_NO of rows (of all) at these parameters."""
        row_N = np.arange(self.rows) if row_N is None else row_N
        self.runs += len(row_N)
        return self.simulated(row_N, self.prior.values(t_NK))

    def everywhere(self, t_MK: np.ndarray, row_N: np.ndarray) -> np.ndarray:
        """f_MNO of the same rows at each of M places."""
        count = len(t_MK)
        f_XO = self.outputs(np.repeat(t_MK, len(row_N), axis=0), np.tile(row_N, count))
        return f_XO.reshape(count, len(row_N), -1)

    def sloped(self, t_NK: np.ndarray, *, central: bool = False) -> Sloped:
        """Outputs of all rows there and their slopes, in one batch.

        Slopes are differences over STEP towards one side that is inside the bounds, or with
        `central` over both sides, and over one where the run at the other fails.
        """
        row_N = np.arange(self.rows)
        up_NK, down_NK = np.minimum(t_NK + STEP, 1.0), np.maximum(t_NK - STEP, 0.0)
        room_NK = up_NK > t_NK + STEP / 2.0
        places, asked = [t_NK], [np.ones(self.rows, dtype=bool)]
        for end_NK, wanted_NK in ((up_NK, room_NK | central), (down_NK, ~room_NK | central)):
            for k in range(self.prior.size):
                places.append(np.where(np.arange(self.prior.size) == k, end_NK, t_NK))
                asked.append(wanted_NK[:, k])
        asked_XN = np.stack(asked)
        f_XNO = self._where(asked_XN, np.stack(places), np.broadcast_to(row_N, asked_XN.shape))
        up_KNO, down_KNO = f_XNO[1:].reshape(2, self.prior.size, *f_XNO.shape[1:])
        slope_KNO = slopes(f_XNO[0], up_KNO, down_KNO, (up_NK - t_NK).T, (t_NK - down_NK).T)
        return Sloped(f_XNO[0], np.moveaxis(slope_KNO, 0, 2))

    def _where(self, asked_XN: np.ndarray, t_XNK: np.ndarray, row_XN: np.ndarray) -> np.ndarray:
        """f_XNO where it is asked for, NaN elsewhere."""
        found = self.outputs(t_XNK[asked_XN], row_XN[asked_XN])
        f_XNO = np.full((*asked_XN.shape, found.shape[1]), np.nan)
        f_XNO[asked_XN] = found
        return f_XNO


def slopes(
    f_NO: np.ndarray,
    up_KNO: np.ndarray,
    down_KNO: np.ndarray,
    above_KN: np.ndarray,
    below_KN: np.ndarray,
) -> np.ndarray:
    """Slopes (K, N, O) from runs that lie so far above and below; NaN where there is none."""
    above_KN1, below_KN1 = above_KN[:, :, None], below_KN[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        both_KNO = (up_KNO - down_KNO) / (above_KN1 + below_KN1)
        above_KNO = (up_KNO - f_NO) / above_KN1
        below_KNO = (f_NO - down_KNO) / below_KN1
    one_KNO = np.where(np.isfinite(above_KNO), above_KNO, below_KNO)
    return np.where(np.isfinite(both_KNO), both_KNO, one_KNO)


@contextmanager
def pooled(
    simulator: Simulator,
    limits: RunLimits,
    designs: Sequence[Mapping[str, Any]],
    outputs: Sequence[str],
    hidden: Sequence[str],
    *,
    seed: int,
    workers: int | None = None,
) -> Iterator[Simulated]:
    """Rows run by a pool of worker processes. A row has the same seed in every run, so that what
    is random in it does not hide what a parameter does.

    TwinError where the simulator cannot be opened, or none of the first batch's runs succeeds.
    """
    draw = np.random.default_rng(seed)
    seed_N = draw.integers(2**31, size=len(designs)).tolist()
    expected = {name: Expected("number") for name in outputs}
    names = (*designs[0], *hidden)
    with Pool(simulator, expected, limits, variables=names, workers=workers) as pool:
        succeeded = False

        def simulated(row_M: np.ndarray, x_MK: np.ndarray) -> np.ndarray:
            nonlocal succeeded
            pairs = zip(row_M.tolist(), x_MK.tolist(), strict=True)
            tasks = [
                Task(m, {**designs[n], **dict(zip(hidden, x, strict=True))}, seed_N[n])
                for m, (n, x) in enumerate(pairs)
            ]
            y_MO, why = np.full((len(tasks), len(outputs)), np.nan), ""
            for outcome in pool.run(tasks):
                if outcome.status == "ok":
                    y_MO[outcome.run] = [outcome.outputs[name] for name in outputs]
                    succeeded = True
                else:
                    why = why or f"{outcome.status}: {outcome.reason}"
            if not succeeded:
                raise TwinError(f"simulator: none of {len(tasks)} runs has succeeded. {why}")
            return y_MO

        yield simulated
