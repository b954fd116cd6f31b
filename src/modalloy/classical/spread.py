"""Features as a linear model can use them, each input given the same say.

Each code becomes a feature of its own; an absent number becomes the mean of the training rows,
beside a feature that says so; each group of inputs has variance 1 over its features together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from modalloy.classical.features import Features, Kind, mean_and_scale, standard
from modalloy.classical.kept import State, each_of, joined, listed, part_of

FARTHEST = 8.0  # deviations from the mean that a number counts at most


@dataclass(frozen=True)
class SpreadBlock:
    """What becomes of one block (B, F): numbers, codes or directions.

    mean_F, scale_F: of numbers. codes_S, owner_S: a feature each, and the column of the codes.
    absent_A: features whose absence is said by a feature of its own.
    """

    kind: Kind
    mean_F: np.ndarray
    scale_F: np.ndarray
    codes_S: np.ndarray
    owner_S: np.ndarray
    absent_A: np.ndarray

    @classmethod
    def fit(cls, kind: Kind, x_NF: np.ndarray) -> Self:
        """By training rows; features that are absent in the same rows say so once."""
        known_NF = np.isfinite(x_NF)
        mean_F, scale_F = mean_and_scale(x_NF) if kind == "numbers" else (np.zeros(0),) * 2
        seen = [np.unique(x_N[k]) for x_N, k in zip(x_NF.T, known_NF.T, strict=True)]
        seen = seen if kind == "codes" else []
        absent_A = np.zeros(0, np.int64)
        if kind != "directions" and x_NF.shape[1]:
            absent_A = np.unique(known_NF, axis=1, return_index=True)[1]
        owner_S = np.repeat(np.arange(len(seen)), [len(s) for s in seen])
        return cls(kind, mean_F, scale_F, np.concatenate([np.zeros(0), *seen]), owner_S, absent_A)

    def apply(self, x_BF: np.ndarray) -> np.ndarray:
        """Features of a linear model, (B, G)."""
        if self.kind == "directions":  # they stay as they are: leading ones are larger for a reason
            return x_BF
        absent_BA = (~np.isfinite(x_BF[:, self.absent_A])).astype(float)
        if self.kind == "codes":
            own = (x_BF[:, self.owner_S] == self.codes_S).astype(float)
        else:  # one odd number must not bend the line for all others
            own = standard(x_BF, self.mean_F, self.scale_F).clip(-FARTHEST, FARTHEST)
        return np.concatenate([own, absent_BA], axis=1)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        arrays = dict(vars(self))
        return {"kind": arrays.pop("kind")}, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The block whose `state` this is."""
        fields: dict[str, Any] = {**meta, **arrays}
        return cls(**fields)


@dataclass(frozen=True)
class Spread:
    """All blocks of `features` side by side behind a feature that is 0, centred and scaled."""

    features: Features
    blocks: tuple[SpreadBlock, ...]
    order: tuple[str, ...]
    mean_G: np.ndarray
    scale_G: np.ndarray

    @classmethod
    def fit(cls, features: Features, found: Mapping[str, np.ndarray], table: Sequence[str]) -> Self:
        """By training rows.

        found: what `features` makes of each block. table: blocks that share one say; all others
        have their own.
        """
        alone = [(name,) for name in found if name not in table]
        groups = [tuple(name for name in found if name in table), *alone]
        order = tuple(name for group in groups for name in group)
        blocks = tuple(SpreadBlock.fit(features.of[n].kind, found[n]) for n in order)
        fitted = dict(zip(order, blocks, strict=True))
        mean, scale = [np.zeros(1)], [np.ones(1)]
        for group in groups:
            parts = [fitted[name].apply(found[name]) for name in group]
            if parts:
                x_NG = np.concatenate(parts, axis=1)
                total = float(x_NG.var(0).sum())
                mean.append(x_NG.mean(0))
                scale.append(np.full(x_NG.shape[1], total**0.5 if total > 0 else 1.0))
        return cls(features, blocks, order, np.concatenate(mean), np.concatenate(scale))

    def apply(self, blocks: Mapping[str, Any], rows: int) -> np.ndarray:
        """Features (B, G) of so many rows."""
        found = self.features.apply(blocks)
        pairs = zip(self.order, self.blocks, strict=True)
        parts = [np.zeros((rows, 1)), *(block.apply(found[name]) for name, block in pairs)]
        return (np.concatenate(parts, axis=1) - self.mean_G) / self.scale_G

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        blocks = listed([block.state() for block in self.blocks])
        meta, arrays = joined({"features": self.features.state(), "blocks": blocks})
        own = {"mean_G": self.mean_G, "scale_G": self.scale_G}
        return {**meta, "order": list(self.order)}, {**arrays, **own}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The features whose `state` this is."""
        features = Features.from_state(*part_of(meta, arrays, "features"))
        blocks = each_of(*part_of(meta, arrays, "blocks"))
        fitted = tuple(SpreadBlock.from_state(*state) for state in blocks)
        return cls(features, fitted, tuple(meta["order"]), arrays["mean_G"], arrays["scale_G"])
