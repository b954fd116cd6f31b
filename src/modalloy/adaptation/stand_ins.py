"""What stands in the place of a channel that has gone wrong: as training rows have it, by the other
channels of the same moment.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.readers.series import SeriesReader

ROWS = 300  # training rows that are looked at
SAMPLES = 20_000  # of each channel
RIDGE = 1e-2  # of the squared deviations


def hide_channels(
    reader: SeriesReader, hidden: Sequence[int], old: Loader | None, rows: np.ndarray
) -> SeriesReader:
    """The reader without these channels, in whose place stands what ridge regression on the others
    says, fitted on training rows; their centre where no old rows can be looked at.

    old: reads them as training did.
    """
    every = tuple(sorted({*reader.hidden, *hidden}))
    seen = [c for c in range(reader.channels) if c not in every]
    if old is None or not seen:
        return replace(reader, hidden=every, stand_ins=())
    x_SC = training_samples(old, reader.name, rows)
    said_KW = [stand_in(x_SC, c, seen) for c in every]
    return replace(reader, hidden=every, stand_ins=tuple(np.concatenate(said_KW).tolist()))


def training_samples(old: Loader, name: str, rows: np.ndarray) -> np.ndarray:
    """Standardised samples of all channels at the same moments, (S, C)."""
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(ROWS, len(rows))).astype(int))]
    reader = old.readers[name]
    read = reader.read(old.cells(reader.columns, some))
    x_BCL, mask_BL = read.values["x"], read.values["mask"]
    x_SC = np.concatenate([x_CL[:, m_L].T for x_CL, m_L in zip(x_BCL, mask_BL, strict=True)])
    return x_SC[:: max(1, len(x_SC) // SAMPLES)].astype(np.float64)


def stand_in(x_SC: np.ndarray, channel: int, seen: Sequence[int]) -> np.ndarray:
    """A constant, then a factor for each channel, (C + 1,): 0 for those that are not seen."""
    found = np.zeros(x_SC.shape[1] + 1)
    if not len(x_SC):
        return found
    mean_C = x_SC.mean(0)
    a_SV = (x_SC - mean_C)[:, list(seen)]
    penalty_VV = RIDGE * len(x_SC) * np.eye(len(seen))
    weight_V = np.linalg.solve(a_SV.T @ a_SV + penalty_VV, a_SV.T @ (x_SC - mean_C)[:, channel])
    found[1 + np.array(seen)] = weight_V
    found[0] = mean_C[channel] - weight_V @ mean_C[list(seen)]
    return found
