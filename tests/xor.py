"""A table whose class no column tells alone, and a method that reads it: for tests of blending."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modalloy.answer.answers import Answer
from modalloy.classical.blocks import FeatureBlock, read_blocks
from modalloy.classical.method import FittedMethod
from modalloy.readers.reader import Reader

COLUMNS = ("left", "right")


def write_xor(folder: Path, *, rows: int = 240, seed: int = 0) -> Path:
    """`xor.parquet`: numbers `left`, `right` and `noise`; `same` where two have one sign, `score`
    that is 50 higher there; `part` is train, val or test. A few cells are missing.
    """
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({n: draw.normal(0, 1, rows) for n in (*COLUMNS, "noise")})
    same = (frame.left > 0) == (frame.right > 0)
    frame["same"] = np.where(same, "yes", "no")
    frame["score"] = np.where(same, 100.0, 50.0) + draw.normal(0, 1, rows)
    frame["part"] = np.array(["train", "train", "val", "test"])[np.arange(rows) % 4]
    frame.loc[frame.index % 29 == 7, "left"] = None
    frame.to_parquet(folder / "xor.parquet", index=False)
    return folder / "xor.parquet"


def xor_job(table: Path, **changes: Any) -> dict[str, Any]:
    """A job over it whose network has hardly learned."""
    job: dict[str, Any] = {
        "table": str(table),
        "split": {"column": "part"},
        "columns": {n: {"type": "number", "bins": 4} for n in (*COLUMNS, "noise")},
        "fuse": {"type": "concat", "width": 16, "layers": 1},
        "tasks": {
            "same": {"type": "classify", "target": "same"},
            "score": {"type": "regress", "target": "score", "quantiles": [0.1, 0.9]},
        },
        "train": {"epochs": 1, "batch": 32, "precision": "float32"},
        "calibrate": {"use": "never"},
        "unlike": {"use": "never"},
    }
    return job | changes


@dataclass(frozen=True)
class Signs:
    """Knows whether two numbers have one sign; keeps what it answers for each case as an array.

    zero_2: where zero lies among the features of the two. said_AC: probabilities of the classes
    where the signs differ, are the same, or are not known; of a number one column.
    """

    zero_2: np.ndarray
    said_AC: np.ndarray

    def case(self, blocks: Mapping[str, FeatureBlock]) -> np.ndarray:
        """Which case each row is, (B,)."""
        left_B, right_B = (np.asarray(blocks[c].values)[:, 0] for c in COLUMNS)
        same_B = (left_B > self.zero_2[0]) == (right_B > self.zero_2[1])
        return np.where(np.isfinite(left_B) & np.isfinite(right_B), same_B, 2).astype(int)

    def answer(self, blocks: Mapping[str, FeatureBlock], rows: int) -> Answer:
        """By the signs alone."""
        said_BC = self.said_AC[self.case(blocks)]
        assert len(said_BC) == rows
        return {"probability": said_BC} if said_BC.shape[1] > 1 else {"value": said_BC[:, 0]}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """As JSON and arrays."""
        return {}, {"zero": self.zero_2, "said": self.said_AC}


def signs(readers: Mapping[str, Any], said_AC: np.ndarray, name: str = "signs") -> FittedMethod:
    """The method with these answers."""
    own = {n: readers[n] for n in COLUMNS}
    zero_2 = np.array([-r.center / r.scale for r in own.values()])
    model: Any = Signs(zero_2, said_AC)
    return FittedMethod(name, own, (), model)


def signs_from_state(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], readers: Mapping[str, Reader]
) -> FittedMethod:
    """The method that was kept."""
    return signs(readers, arrays["said"], meta["name"])


def fit_signs(
    options: Any, target: Any, readers: Any, cells_of: Any, rows: Any, **_: Any
) -> list[FittedMethod]:
    """What training rows of each case say in the mean."""
    first = signs(readers, np.eye(3))
    truth = target.truth(cells_of(target.columns, rows))
    model: Any = first.model
    case_N = model.case(read_blocks(first.readers, cells_of(list(COLUMNS), rows)))
    if options.type == "regress":
        y_NC = np.array(truth, dtype=float)[:, None]
    else:
        y_NC = np.array([[float(t == n) for n in target.names] for t in truth])
    every = [y_NC[case_N == c] if (case_N == c).any() else y_NC for c in range(3)]
    return [signs(readers, np.stack([y.mean(0) for y in every]).clip(0.01))]
