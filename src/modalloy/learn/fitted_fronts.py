"""Fits what encoders take from training rows before any learning, such as random convolutions."""

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.answer.padding import pad_together
from modalloy.model.body import Body
from modalloy.model.tokens import tensors

MOST_ROWS = 1024  # of the training rows, drawn at random


@torch.no_grad()
def fit_fronts(model: Body, loader: Loader, rows: np.ndarray, *, seed: int) -> None:
    """Fit such encoders on training rows that have their input; without one they stay as they are.

    Every process of a training draws the same rows and comes to the same figures. What is fitted
    lies in the weights, so that a run needs no table to be loaded. What an earlier training kept of
    its own fronts is of no use to these.
    """
    names = [name for name, encoder in model.encoders.items() if encoder.fits]
    if not names:
        return
    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(rows, min(len(rows), MOST_ROWS), replace=False))
    for name in names:
        loader.features.pop(name, None)
        found = [a for a in loader.arrays(name, some) if a["present"].all()]
        if found:
            values = tensors(pad_together(found))
            values.pop("present")
            generator = torch.Generator().manual_seed(seed)
            there = {n: v.to(model.device) for n, v in values.items()}
            model.encoders[name].fit(there, generator)
