"""Surrogates of different outputs of the same designs as one that has no slopes."""

from dataclasses import dataclass

import numpy as np

from modalloy.designing.surrogates.surrogate import Predicted, Surrogate


@dataclass(frozen=True)
class Joined:
    """The outputs of each part, one part behind the other."""

    parts: tuple[Surrogate, ...]

    @property
    def log_O(self) -> np.ndarray:
        """Which outputs are modelled by their logarithm."""
        return np.concatenate([part.log_O for part in self.parts])

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """What all of them say of designs."""
        return side_by_side([part.predict(u_ND) for part in self.parts])


def side_by_side(said: list[Predicted]) -> Predicted:
    """Predictions of different outputs of the same designs together."""
    mean, deviation, log = zip(*said, strict=True)
    return Predicted(
        np.concatenate(mean, axis=1), np.concatenate(deviation, axis=1), np.concatenate(log)
    )
