"""Which logged rows are worth a label: rows that the model is unsure of and that are not alike."""

from typing import TYPE_CHECKING

import numpy as np

from modalloy.deployment.log_rows import LOGGED
from modalloy.deployment.row_log import RowLog

if TYPE_CHECKING:
    import pandas as pd

CANDIDATES = 2000  # newest rows without a label that are looked at
LEAST = 0.05  # that a row counts for, however sure its answer is


def worth_labelling(log: RowLog, count: int) -> list[str]:
    """Names of rows without a label, the one worth most first.

    Each next row has the largest product of how unsure its answer is and how far it lies from those
    picked before it (farthest first, Sener & Savarese 2018, 1708.00489, weighed by uncertainty as
    in Ash et al. 2020, 1906.03671): by its numbers, categories and answers, not by its media.
    """
    frame = log.frame(labelled=False)
    ids = frame[frame.attrs["logged"]["row_id"]].tolist()[-CANDIDATES:]
    if not ids:
        return []
    answers = log.answers().drop_duplicates("row_id").set_index("row_id").loc[ids]
    logged = {*frame.attrs["logged"].values(), *(c for t in log.tasks.values() for c in t)}
    cells = frame.drop(columns=[c for c in frame if c in logged]).iloc[-CANDIDATES:]
    unsure_B = np.maximum(uncertainty(answers, [*log.tasks]), LEAST)
    said = answers.drop(columns=[*LOGGED[1:3], "row", "row.number"], errors="ignore")
    x_BF = np.hstack([spread(cells), spread(said)])
    return [ids[i] for i in farthest_first(x_BF, unsure_B, count)]


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


def spread(frame: "pd.DataFrame") -> np.ndarray:
    """Numbers in deviations, and a column for each common value of a text, (B, F)."""
    found = [np.zeros((len(frame), 1))]
    for column in frame:
        cells = frame[column]
        if all(isinstance(c, int | float) or c is None for c in cells):
            x_B = numbers(cells)
            deviation = np.nanstd(x_B) if np.isfinite(x_B).any() else 0.0
            if deviation > 0:
                found.append(np.nan_to_num((x_B - np.nanmean(x_B)) / deviation)[:, None])
        elif all(isinstance(c, str) or c is None for c in cells):
            values = cells.value_counts()
            common = values[values > 1].index[:20]
            found += [(cells == value).to_numpy(float)[:, None] for value in common]
    return np.hstack(found)


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
