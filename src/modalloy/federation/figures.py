"""How features are standardised: by the mean and deviation of all sites' rows, known before
learning and the same everywhere. A training finds them on its way; sites that did would each see
the common weights through other glasses.
"""

from collections.abc import Sequence

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.federation.travelling import Arrays
from modalloy.model.body import Body
from modalloy.model.layers.scale import Standardise
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

MOST_ROWS, AT_ONCE = 2048, 64  # training rows that tell, and of a batch
PARTS = ("seen", "mean_F", "variance_F")


def standardised(model: Model) -> list[str]:
    """Paths of the layers that standardise."""
    return [path for path, m in model.named_modules() if isinstance(m, Standardise)]


def figure_names(model: Model) -> list[str]:
    """Names of all figures that features are standardised by."""
    return [f"{path}.{part}" for path in standardised(model) for part in PARTS]


@torch.no_grad()
def fit_figures(model: Body, loader: Loader, rows: np.ndarray, *, seed: int) -> None:
    """Let these layers see training rows of this site, each once; nothing else changes."""
    layers = [m for m in model.modules() if isinstance(m, Standardise)]
    if not layers or not len(rows):
        return
    for layer in layers:
        layer.rows = MOST_ROWS
    some = np.random.default_rng(seed).permutation(rows)[:MOST_ROWS]
    model.eval()
    for layer in layers:
        layer.train()
    for chunk in np.array_split(some, -(-len(some) // AT_ONCE)):
        model.encode(Batch.of(loader.batch(np.sort(chunk)), model.device))
    model.eval()
    stand_still(model)


def stand_still(model: Body) -> None:
    """Let these layers keep the figures that they have, in training too."""
    for layer in model.modules():
        if isinstance(layer, Standardise):
            layer.rows = 0


def pooled_figures(found: Sequence[Arrays], paths: Sequence[str]) -> Arrays:
    """The figures of all sites' rows together; a layer that no site's rows reached has none."""
    pooled: Arrays = {}
    for path in paths:
        seen_S = np.array([float(own[f"{path}.seen"]) for own in found])
        if not seen_S.sum():
            continue
        share_S = seen_S / seen_S.sum()
        mean_SF = np.stack([own[f"{path}.mean_F"] for own in found]).astype(np.float64)
        variance_SF = np.stack([own[f"{path}.variance_F"] for own in found]).astype(np.float64)
        mean_F = share_S @ mean_SF
        variance_F = share_S @ (variance_SF + (mean_SF - mean_F) ** 2)
        parts = (np.float32(seen_S.sum()), mean_F, variance_F)
        pooled |= {
            f"{path}.{n}": np.asarray(x, np.float32) for n, x in zip(PARTS, parts, strict=True)
        }
    return pooled
