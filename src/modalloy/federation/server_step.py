"""How the server's model goes where the sites' changes say: as far, or by an optimiser of its own.

FedAdam and FedYogi of Reddi et al. 2021 (2003.00295), with their defaults for the moments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

BETA1, BETA2, FLOOR = 0.9, 0.99, 1e-3  # of the paper; the floor is its tau
Arrays = dict[str, np.ndarray]


@dataclass
class ServerStep:
    """A step of the server. lr: what changes are multiplied by; of `adam` and `yogi` hundredths.

    first, second: moments by weight, which a resumed federation needs again.
    """

    kind: Literal["plain", "adam", "yogi"]
    lr: float
    first: Arrays = field(default_factory=dict)
    second: Arrays = field(default_factory=dict)

    def __call__(
        self, weights: Mapping[str, np.ndarray], change: Mapping[str, np.ndarray]
    ) -> Arrays:
        """The new weights; those without a change stay."""
        found = dict(weights)
        for name, delta in change.items():
            found[name] = (weights[name] + self.step(name, delta)).astype(np.float32)
        return found

    def step(self, name: str, delta: np.ndarray) -> np.ndarray:
        """How far one weight goes."""
        if self.kind == "plain":
            return self.lr * delta
        first = self.first.get(name, np.zeros_like(delta))
        second = self.second.get(name, np.full_like(delta, FLOOR**2))
        first = BETA1 * first + (1.0 - BETA1) * delta
        square = np.square(delta)
        if self.kind == "adam":
            second = BETA2 * second + (1.0 - BETA2) * square
        else:
            second = second - (1.0 - BETA2) * square * np.sign(second - square)
        self.first[name], self.second[name] = first, second
        return 0.01 * self.lr * first / (np.sqrt(second) + FLOOR)
