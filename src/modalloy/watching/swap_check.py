"""Whether a refresh that answers by now was right: rows labelled since then judge it once more."""

import numpy as np

from modalloy.answer.predictor import Predictor
from modalloy.deployment.deployment import Deployment
from modalloy.deployment.history import Record
from modalloy.deployment.row_log import RowLog
from modalloy.table.open_table import open_table
from modalloy.watching.labelled import labelled_rows
from modalloy.watching.paired import answers_of, changes, harmed, unlearned
from modalloy.watching.plan import plan_of
from modalloy.watching.states import KEPT, unsettled_swap


def check_swap(deployment: Deployment) -> Record | None:
    """Keep the version that came last, or roll it back; None where nothing can be said yet.

    It is rolled back where rows that came after it, and were labelled since, are answered worse by
    it than by the version before: by more than the plan allows, or beyond chance.
    """
    swap = unsettled_swap(deployment.history())
    if swap is None:
        return None
    plan = plan_of(deployment)
    before, after = (Predictor(deployment.version(swap.facts[k]).path) for k in ("from", "to"))
    log = RowLog(deployment.path)
    try:
        rows = labelled_rows(log, after, plan, None)
    finally:
        log.close()
    at = rows.frame["log.at" if "log.at" in rows.frame else "at"]
    since = np.datetime64(round(1e6 * swap.at), "us")
    rows = rows.take(np.flatnonzero((at >= since).to_numpy()).tolist())
    if len(rows.source) < plan.judge:
        return None
    table = open_table(rows.frame, folder=log.folder)
    which = unlearned(table, (before, after))
    both, truths = answers_of(before, after, table, which)
    units = [rows.unit[i] for i in which]
    said = (both[0][1], both[1][1])
    found = changes(both[0][0], truths, said, range(len(which)), units)
    told = "; ".join(f"{task}: {c}" for task, c in found.items())
    if any(harmed(c, plan) for c in found.values()):
        deployment.rollback(f"rows labelled since are answered worse: {told}")
        return deployment.history()[-1]
    return deployment.record(KEPT, version=swap.facts["to"], why=told)
