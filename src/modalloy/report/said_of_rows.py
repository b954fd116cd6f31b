"""What a report says of judged rows beside their figures: what decisions cost, what is unlike."""

from typing import Any

import numpy as np

from modalloy.answer.decide import costs_in
from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.judge.decided import realised
from modalloy.judge.stocked import Sales, realised_orders
from modalloy.report.judged import Judged
from modalloy.report.unlike import count_unlike
from modalloy.unlike.likeness import Likeness


def say_decided(job: config.Job, loader: Loader, judged: Judged) -> dict[str, dict[str, Any]]:
    """What decisions about the test rows cost, of tasks that make some; see `Report`."""
    targets = loader.targets
    groups = judged.groups.labels if judged.groups else None
    found = {}
    for task, options in job.tasks.items():
        costs = costs_in(task, options, targets[task])
        if costs is not None:
            p_BC, truth = judged.answers[task]["probability"], judged.truth[task]
            found[task] = realised(costs, p_BC, truth, groups=groups)
        if (order := getattr(options, "order", None)) is not None:
            answer, truth = judged.answers[task], judged.truth[task]
            sales = sales_of(order, loader, judged.which)
            given = (order, answer["level"], answer["value"], truth, sales)
            found[task] = realised_orders(*given, groups=groups)
    return {task: said for task, said in found.items() if said}


def sales_of(order: Any, loader: Loader, which: np.ndarray) -> Sales | None:
    """What each row of the table says of a stock, the test rows in their order; None where the job
    does not say how to run one, or a column of it is not there.
    """
    names = (order.item, order.period, order.sold)
    if None in names or not {*names} <= {*loader.table.columns}:
        return None
    every = np.concatenate([np.setdiff1d(np.arange(loader.table.rows), which), which])
    items = loader.cells((order.item,), every)[order.item]
    period_B, sold_B = (loader.table.numbers(n, every) for n in names[1:])
    use_B = np.arange(len(every)) >= len(every) - len(which)
    return Sales(np.array([str(i) for i in items]), period_B, sold_B, use_B)


def say_unlike_rows(likeness: Likeness | None, judged: Judged) -> dict[str, Any]:
    """How many test rows are unlike those of training; see `Report`."""
    if likeness is None or judged.view is None:
        return {}
    return count_unlike(likeness, likeness.judge(judged.view))
