"""What a run with a policy says of rows: answers, what they promise, and what was saved."""

from collections.abc import Mapping

import numpy as np

from modalloy.answer.buying import NOT_BOUGHT, Bought, bought_statuses
from modalloy.answer.loader import Loader
from modalloy.answer.prediction import Prediction
from modalloy.answer.promise import Promise, by_of, keep_promises
from modalloy.answer.row_groups import groups_of
from modalloy.answer.saved import names_bought, saved_by
from modalloy.answer.stage import adjust
from modalloy.answer.table_caveats import statuses
from modalloy.policy.plan import Plan
from modalloy.runs.run import Run
from modalloy.unlike.likeness import Likeness


def bought_prediction(
    run: Run,
    plan: Plan,
    promises: Mapping[str, Promise],
    likeness: Likeness | None,
    loader: Loader,
    which: np.ndarray,
    some: Bought,
    picked: int,
) -> Prediction:
    """The prediction of rows that have been read as far as a plan buys, without caveats.

    picked: how many of the rows were asked for.
    """
    read = statuses(loader, which)
    said = bought_statuses(read, some, loader, NOT_BOUGHT)
    after = adjust(some.answers, run.stages)
    if promises:
        gone = bought_statuses(read, some, loader, "missing")
        groups = groups_of(loader, which, gone, by_of(promises))
        after = keep_promises(run.job.tasks, promises, some.answers, after, groups)
    return Prediction(
        which,
        after,
        said,
        list(loader.table.notes),
        [],
        unlike=None if likeness is None or some.view is None else likeness.judge(some.view),
        bought=names_bought(some),
        saved=saved_by(plan, some, picked),
    )
