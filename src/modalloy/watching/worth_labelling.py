"""Which logged rows are worth a label: rows that the model is unsure of and that are not alike."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from modalloy.deployment.log_query import Which
from modalloy.deployment.row_log import RowLog

if TYPE_CHECKING:
    import pandas as pd

CANDIDATES = 2000  # newest rows without a label that are looked at
EMBEDDED = 500  # of these, those of the least sure answers, that encoders see
LEAST = 0.05  # that a row counts for, however sure its answer is

Embedded = Callable[["pd.DataFrame"], Mapping[str, np.ndarray]]


def worth_labelling(log: RowLog, count: int, embedded: Embedded) -> list[str]:
    """Names of rows without a label, the one worth most first.

    Each next row has the largest product of how unsure its answer is and how far it lies from those
    picked before it (farthest first, Sener & Savarese 2018, 1708.00489, weighed by uncertainty as
    in Ash et al. 2020, 1906.03671): by what the encoders make of it, every input counting the same,
    so that of pictures or texts that are nearly the same only one is asked for while others wait.
    embedded: vectors of logged rows, (B, D) by input.
    """
    answers = log.answers(Which(labelled=False, newest=CANDIDATES))
    if not len(answers):
        return []
    unsure_B = np.maximum(uncertainty(answers, [*log.tasks]), LEAST)
    least = np.argsort(-unsure_B, kind="stable")[: max(EMBEDDED, 2 * count)]
    frame = log.frame(Which(ids=answers["row_id"].iloc[least].tolist()))
    ids = frame[frame.attrs["logged"]["row_id"]].tolist()
    weight = dict(zip(answers["row_id"], unsure_B, strict=True))
    x_BF = np.hstack([scaled(x_BD) for x_BD in embedded(frame).values()])
    return [ids[i] for i in farthest_first(x_BF, np.array([weight[i] for i in ids]), count)]


def uncertainty(answers: "pd.DataFrame", tasks: list[str]) -> np.ndarray:
    """How unsure each row's answers are, (B,) from 0 to 1; the most unsure task counts.

    It is one minus the probability of a class, the rank of an interval's width, and how unlike
    training the row is.
    """
    found = [np.zeros(len(answers))]
    for task in tasks:
        if f"{task}.probability" in answers:
            found.append(1.0 - numbers(answers[f"{task}.probability"]))
        if f"{task}.confidence" in answers:
            found.append(1.0 - numbers(answers[f"{task}.confidence"]))
        if f"{task}.low" in answers:
            width = numbers(answers[f"{task}.high"]) - numbers(answers[f"{task}.low"])
            found.append(ranks(width))
    if "unlike.score" in answers:
        found.append(np.clip(numbers(answers["unlike.score"]) - 1.0, 0.0, 1.0))
    return np.nanmax(np.nan_to_num(np.stack(found)), axis=0)


def scaled(x_BD: np.ndarray) -> np.ndarray:
    """Vectors around their mean, whose mean squared length is 1; zeros where all are the same."""
    x_BD = x_BD.astype(np.float64) - x_BD.mean(0, dtype=np.float64)
    size = float(np.sqrt((x_BD**2).sum(1).mean()))
    return x_BD / size if size > 1e-9 else np.zeros_like(x_BD)


def farthest_first(x_BF: np.ndarray, weight_B: np.ndarray, count: int) -> list[int]:
    """Rows picked one after the other, each by its weight times its distance to those picked."""
    picked: list[int] = []
    near_B = np.ones(len(x_BF))
    for _ in range(min(count, len(x_BF))):
        score_B = weight_B * near_B
        score_B[picked] = -1.0
        picked.append(int(score_B.argmax()))
        far_B = np.sqrt(((x_BF - x_BF[picked[-1]]) ** 2).sum(1))
        near_B = far_B if len(picked) == 1 else np.minimum(near_B, far_B)
    return picked


def numbers(cells: "pd.Series") -> np.ndarray:
    """Cells as numbers, NaN where there is none."""
    return np.array([np.nan if c is None else float(c) for c in cells])


def ranks(x_B: np.ndarray) -> np.ndarray:
    """Where each number stands among all, from 0 to 1."""
    return x_B.argsort().argsort() / max(1, len(x_B) - 1)
