"""Pooled vectors of encoders that no training changes, as classical methods beside a network see
them: of the finished model, or of fronts that were fitted without some rows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.network import BATCH, batches
from modalloy.answer.torch_engine import pooled_vectors
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

# Rows, in ascending order -> their pooled vectors by input, (B, F) each.
VectorsOf = Callable[[np.ndarray], dict[str, np.ndarray]]


class Vectors(NamedTuple):
    """Pooled vectors of some rows, which ascend, by input: (R, F) each."""

    rows: np.ndarray
    by_input: Mapping[str, np.ndarray]

    def of(self, some: np.ndarray) -> dict[str, np.ndarray]:
        """Those of some of the rows."""
        at = np.searchsorted(self.rows, some)
        return {name: x_RF[at] for name, x_RF in self.by_input.items()}


class Frozen(NamedTuple):
    """Pooled vectors of some training rows side by side; no test row has any."""

    train: np.ndarray
    test: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]
    inputs: tuple[str, ...]


def steady_inputs(model: Model) -> list[str]:
    """Inputs whose pretrained encoder no training changes, whatever rows it sees."""
    return [name for name in frozen_inputs(model) if not model.encoders[name].fits]


def fitted_inputs(model: Model) -> list[str]:
    """Inputs whose frozen front was fitted to training rows.

    Fitted to held-back rows as well, it would show these as it shows no other row.
    """
    return [name for name in frozen_inputs(model) if model.encoders[name].fits]


def frozen_inputs(model: Model) -> list[str]:
    """Inputs whose encoder, or whose front of it, stays as it was before the first step."""
    encoders = model.encoders.items()
    return [name for name, e in encoders if e.frozen and e.trunk is not None]


def fitted_vectors(model: Model, loader: Loader, rows: np.ndarray) -> Vectors:
    """What the fronts of this model, fitted to its own training rows, say of these rows: of none
    where nothing will be blended.
    """
    inputs = fitted_inputs(model) if model.job.blend.use != "never" else []
    rows = np.sort(rows)
    return Vectors(rows, pooled_rows(model, loader, inputs, rows))


def vectors_without(model: Model, loader: Loader, fitted: Vectors | None) -> VectorsOf:
    """What frozen encoders say of rows; fronts that a model fits, as they were without some rows.

    fitted: their vectors then; None where the model itself has not seen these rows.
    """
    if fitted is None:
        return lambda rows: pooled_rows(model, loader, frozen_inputs(model), rows)

    def of(rows: np.ndarray) -> dict[str, np.ndarray]:
        found = pooled_rows(model, loader, steady_inputs(model), rows) | fitted.of(rows)
        return {name: found[name] for name in frozen_inputs(model)}

    return of


def frozen_of(vectors_of: VectorsOf, rows: np.ndarray) -> Frozen | None:
    """Pooled vectors of these rows, in ascending order; None without a frozen encoder."""
    vectors = vectors_of(rows)
    if not vectors:
        return None
    x_NF = np.concatenate(list(vectors.values()), axis=1)

    def of(some: np.ndarray) -> np.ndarray:
        return x_NF[np.searchsorted(rows, some)]

    return Frozen(rows, rows[:0], of, tuple(vectors))


def pooled_rows(
    model: Model, loader: Loader, inputs: Sequence[str], rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Pooled vectors of these rows by input, (B, F) each."""
    if not inputs:
        return {}
    model.eval()
    found: dict[str, list[np.ndarray]] = {name: [] for name in inputs}
    for given in batches(loader, rows, BATCH, inputs):
        data = Batch.of(given, model.device)
        for name in inputs:
            found[name].append(pooled_vectors(model, name, data))
    return {name: np.concatenate(parts) for name, parts in found.items()}
