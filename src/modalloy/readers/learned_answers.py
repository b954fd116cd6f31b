"""The answers of training rows as numbers that target statistics of categories are made of."""

from collections.abc import Mapping

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.readers.target_means import LearnedAnswers
from modalloy.readers.targets.classify import ClassTarget
from modalloy.readers.targets.regress import NumberTarget
from modalloy.readers.targets.target import TargetReader

CLASSES = 8  # of one task, the commonest ones


def asks_for_answers(job: config.Job) -> bool:
    """Whether a reader of this job may want to know what training rows answer."""
    kinds = job.columns.values()
    return any(isinstance(o, config.Category) and o.statistics != "none" for o in kinds)


def learned_answers(
    targets: Mapping[str, TargetReader], cells: Cells, fold_R: np.ndarray
) -> LearnedAnswers:
    """Numbers, and whether a row is of each class, of all tasks that answer so; standardised.

    Of two classes one says all. cells: the `columns` of the targets. fold_R: of the same rows.
    """
    parts = [numbers_of(target, cells) for target in targets.values()]
    y_RT = np.concatenate([np.zeros((len(fold_R), 0)), *parts], axis=1)
    known = np.isfinite(y_RT)
    count_T = np.maximum(known.sum(0), 1)
    y_RT = y_RT - np.where(known, y_RT, 0.0).sum(0) / count_T
    scale_T = np.sqrt((np.where(known, y_RT, 0.0) ** 2).sum(0) / count_T)
    return LearnedAnswers(y_RT / np.where(scale_T > 0, scale_T, 1.0), fold_R)


def numbers_of(target: TargetReader, cells: Cells) -> np.ndarray:
    """One task's answers, (R, its T), NaN where not known; none of boxes and tags."""
    match target:
        case NumberTarget():
            read = target.read(cells)
            y_RT = read["y"].astype(np.float64)[:, None]
        case ClassTarget():
            read = target.read(cells)
            classes = np.arange(len(target.names))
            y_RT = read["y"] if target.multi else read["y"][:, None] == classes
            common = np.sort(np.argsort(-np.array(target.counts), kind="stable")[:CLASSES])
            common = common[1:] if len(classes) == 2 and not target.multi else common
            y_RT = y_RT[:, common].astype(np.float64)
        case _:
            return np.zeros((len(cells), 0))
    y_RT[~read["known"]] = np.nan
    return y_RT
