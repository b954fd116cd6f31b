"""The rows that a run was trained, stopped and tested on, where its table still holds them."""

from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.errors import ModalloyError
from modalloy.job import config
from modalloy.learn.fitted_rows import disk_share_gb
from modalloy.report.rescore import own_rows

JUDGING = 0.2  # share of old training rows that judge where no others were held back
MOST_JUDGING = 500


class OldRows(NamedTuple):
    """Old rows by their use now, none of them in two.

    train: may be learned from again. judge: say how much of the old is lost while learning.
    learned: the run has learned from them, so that more seems to be lost than is. test: the run's
    own test rows, which choose nothing.
    """

    loader: Loader
    train: np.ndarray
    judge: np.ndarray
    learned: bool
    test: np.ndarray


def open_old(predictor: Predictor, job: config.Job) -> OldRows | str:
    """The old rows, or in a sentence why nobody can look at them."""
    run = predictor.run
    try:
        opened, test, extras = own_rows(predictor)
    except ModalloyError as error:
        return str(error).removeprefix(f"{run.path}: ").rstrip(".")
    loader = Loader(
        opened.table,
        job,
        run.readers,
        run.targets,
        cache_gb=disk_share_gb(job) / 2,
        hidden=run.hidden,
    )
    assert extras.parts is not None, "own rows come in parts"
    parts, learned = extras.parts, bool(run.notes.get("refit"))
    train, judge = parts.train, np.concatenate([parts.validation, parts.calibration])
    if not len(judge):
        count = min(MOST_JUDGING, int(JUDGING * len(train)))
        draw = np.random.default_rng(job.seed)
        judge = np.sort(draw.choice(train, count, replace=False))
        train, learned = np.setdiff1d(train, judge), True
    return OldRows(loader, train, judge, learned, test)
