"""Boosted trees as plain arrays: fitted by scikit-learn, answered by numpy alone.

Answers equal those of scikit-learn's histogram boosting (Ke et al. 2017, LightGBM) to the last bit.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, Self, assert_never

import numpy as np

Link = Literal["identity", "logit", "softmax"]
AT_ONCE = 1 << 18  # walks down a tree that are taken side by side
LARGEST = math.log(sys.float_info.max)  # beyond it `exp` is infinite


@dataclass(frozen=True)
class Trees:
    """T rounds of K trees: one a class where there are more than two, else a single one.

    The N nodes of all trees stand one after the other. A leaf has itself on its left; `split_N` is
    the row of `bits_S8` where a split asks for categories, else -1. known_V: the categories that
    training rows have, in order, each beside its feature in `owner_V`; all others are missing.
    """

    link: Link
    baseline_K: np.ndarray
    root_TK: np.ndarray
    feature_N: np.ndarray
    threshold_N: np.ndarray
    missing_left_N: np.ndarray
    left_N: np.ndarray
    right_N: np.ndarray
    value_N: np.ndarray
    split_N: np.ndarray
    bits_S8: np.ndarray
    known_V: np.ndarray
    owner_V: np.ndarray

    @classmethod
    def of(cls, model: Any, features: np.ndarray) -> Self:
        """The trees of a fitted HistGradientBoostingClassifier or -Regressor.

        features: which of the features of `predict` the model has seen, in its order.
        """
        trees = [tree for of_round in model._predictors for tree in of_round]
        sizes = np.array([len(tree.nodes) for tree in trees])
        starts = np.cumsum(sizes) - sizes
        nodes = np.concatenate([tree.nodes for tree in trees])
        start_N = np.repeat(starts, sizes)
        leaf_N = nodes["is_leaf"].astype(bool)
        bits = [tree.raw_left_cat_bitsets.reshape(-1, 8) for tree in trees]
        splits = np.array([len(b) for b in bits])
        split_N = nodes["bitset_idx"] + np.repeat(np.cumsum(splits) - splits, sizes)
        seen, known = features, []
        if model.is_categorical_ is not None:  # scikit-learn puts categories in front
            codes = model.is_categorical_
            seen = np.concatenate([features[codes], features[~codes]])
            known = model._preprocessor.named_transformers_["encoder"].categories_
        known = [np.asarray(values)[np.isfinite(values)] for values in known]
        classes = len(getattr(model, "classes_", ()))
        return cls(
            link="identity" if not classes else "logit" if classes == 2 else "softmax",
            baseline_K=model._baseline_prediction[0].astype(np.float64),
            root_TK=starts.reshape(len(model._predictors), -1).astype(np.int64),
            feature_N=np.where(leaf_N, 0, seen[nodes["feature_idx"]]).astype(np.int64),
            threshold_N=nodes["num_threshold"].copy(),
            missing_left_N=nodes["missing_go_to_left"].astype(bool),
            left_N=np.where(leaf_N, np.arange(len(nodes)), nodes["left"] + start_N).astype(
                np.int32
            ),
            right_N=(nodes["right"] + start_N).astype(np.int64),
            value_N=nodes["value"].copy(),
            split_N=np.where(nodes["is_categorical"] & ~leaf_N, split_N, -1).astype(np.int64),
            bits_S8=np.concatenate(bits).astype(np.uint32),
            known_V=np.concatenate([np.zeros(0), *known]),
            owner_V=np.repeat(seen[: len(known)], [len(k) for k in known]).astype(np.int64),
        )

    def predict(self, x_BF: np.ndarray) -> np.ndarray:
        """Numbers (B,), or probabilities (B, 2) or (B, K); x_BF has NaN where there is no value.

        Sums over K are taken from the first class on, as scikit-learn takes them of two rows or
        more: of a single row it may differ from its own batch by a bit.
        """
        x_BF = self._encoded(np.asarray(x_BF, dtype=np.float64))
        rows = max(1, AT_ONCE // max(1, self.root_TK.size))
        parts = [x_BF[i : i + rows] for i in range(0, len(x_BF), rows)]
        raw_KB = np.concatenate([np.zeros((len(self.baseline_K), 0)), *map(self._raw, parts)], 1)
        match self.link:
            case "identity":
                return raw_KB[0]
            case "logit":
                p_B = expit(raw_KB[0])
                return np.stack([1 - p_B, p_B], axis=1)
            case "softmax":
                e_KB = np.exp(raw_KB - raw_KB.max(0))
                return (e_KB / np.add.accumulate(e_KB, axis=0)[-1]).T
            case _:
                assert_never(self.link)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What `from_state` needs: JSON, and arrays by name."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "link"}
        return {"link": self.link}, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The trees whose `state` this is."""
        fields: dict[str, Any] = {**meta, **arrays}
        return cls(**fields)

    def _encoded(self, x_BF: np.ndarray) -> np.ndarray:
        """Categories as their places among the known ones, NaN for others."""
        x_BF = x_BF.copy() if len(self.owner_V) else x_BF
        for feature in np.unique(self.owner_V):
            known, x_B = self.known_V[self.owner_V == feature], x_BF[:, feature]
            at_B = np.searchsorted(known, x_B).clip(0, len(known) - 1)
            x_BF[:, feature] = np.where(known[at_B] == x_B, at_B, np.nan)
        return x_BF

    def _raw(self, x_BF: np.ndarray) -> np.ndarray:
        """Sums of leaves over all rounds, one after the other, (K, B)."""
        value_TKB = self.value_N[self._leaves(x_BF)].reshape(*self.root_TK.shape, len(x_BF))
        first_1KB = np.repeat(self.baseline_K[None, :, None], len(x_BF), axis=2)
        return np.add.accumulate(np.concatenate([first_1KB, value_TKB]))[-1]

    def _leaves(self, x_BF: np.ndarray) -> np.ndarray:
        """The leaf of every row in every tree, (T K B,), all walks one level at a time."""
        rows, trees = len(x_BF), self.root_TK.size
        x_FB, missing = x_BF.T.ravel(), bool(np.isnan(x_BF).any())
        found = np.repeat(self.root_TK.ravel(), rows)
        walk = np.flatnonzero(~self._leaf_N.take(found))
        node, row = found.take(walk), np.tile(np.arange(rows), trees).take(walk)
        while len(walk):
            x = x_FB.take(self.feature_N.take(node) * rows + row)
            right = x > self.threshold_N.take(node)
            if missing:  # NaN is above nothing
                right |= np.isnan(x) & ~self.missing_left_N.take(node)
            if len(self.bits_S8):
                asks = np.flatnonzero(self.split_N.take(node) >= 0)
                right[asks] = ~self._category_left(node[asks], x[asks])
            node = np.where(right, self.right_N.take(node), self.left_N.take(node))
            leaf = self._leaf_N.take(node)
            found[walk[leaf]] = node[leaf]
            walk, node, row = walk[~leaf], node[~leaf], row[~leaf]
        return found

    def _category_left(self, node: np.ndarray, code: np.ndarray) -> np.ndarray:
        """Whether these codes go to the left at these nodes, an unknown one as a missing one."""
        unknown = np.isnan(code)
        place = np.where(unknown, 0, code).astype(np.int64)
        word = self.bits_S8[self.split_N[node], place // 32]
        chosen = (word >> (place % 32).astype(np.uint32) & 1).astype(bool)
        return np.where(unknown, self.missing_left_N[node], chosen)

    @cached_property
    def _leaf_N(self) -> np.ndarray:
        return self.left_N == np.arange(len(self.left_N))


def expit(x_B: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) by the C library's `exp`, which scipy takes; numpy's differs by a bit."""
    whole = (1 / (1 + math.exp(-x)) if x >= -LARGEST else 0.0 for x in x_B.tolist())
    return np.fromiter(whole, np.float64, len(x_B))
