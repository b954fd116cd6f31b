"""Whether a refresh that answers by now was right: rows labelled since then judge it once more."""

from collections.abc import Mapping, Sequence

import numpy as np

from modalloy.answer.predictor import Predictor
from modalloy.deployment.deployment import Deployment
from modalloy.deployment.history import Record
from modalloy.deployment.row_log import RowLog
from modalloy.job import config
from modalloy.machine.files import locked
from modalloy.table.open_table import open_table
from modalloy.watching.cycle import LOCK, UNDER_WAY
from modalloy.watching.labelled import Labelled, labelled_rows
from modalloy.watching.lacking import lacks_others
from modalloy.watching.paired import Change, answers_of, changes, harmed, unlearned
from modalloy.watching.plan import plan_of
from modalloy.watching.states import KEPT, unsettled_swap


def check_swap(deployment: Deployment) -> Record | None:
    """Keep the version that came last, or roll it back; None where nothing can be said yet.

    It is rolled back where rows that it answered, and that were labelled since, are answered worse
    by it than by the version before: by more than the plan allows, or beyond chance. As in a
    refresh no source says so alone that the plan does not trust. RunError where a refresh is under
    way.
    """
    if unsettled_swap(deployment.history()) is None:
        return None
    with locked(deployment.path / LOCK, UNDER_WAY.format(path=deployment.path)):
        swap = unsettled_swap(deployment.history())
        return None if swap is None else settle(deployment, swap)


def settle(deployment: Deployment, swap: Record) -> Record | None:
    """What labels say of a swap, done; None where they do not say enough yet."""
    plan, new = plan_of(deployment), swap.facts["to"]
    before, after = (Predictor(deployment.version(swap.facts[k]).path) for k in ("from", "to"))
    log = RowLog(deployment.path)
    try:
        rows = answered_by(new, labelled_rows(log, after, plan, None, now=deployment.clock()))
    finally:
        log.close()
    _, others = lacks_others(rows.source, plan)
    if len(rows.source) < plan.judge or others:
        return None
    found, without = judged(rows, (before, after), log, plan)
    told = "; ".join(f"{task}: {c}" for task, c in found.items())
    worse = [task for task, c in found.items() if harmed(c, plan)]
    if any(task not in without or without[task].gain < 0 for task in worse):
        deployment.rollback(f"rows labelled since are answered worse: {told}", answering=new)
        return deployment.history()[-1]
    return deployment.record(KEPT, version=new, why=told)


def answered_by(version: int, rows: Labelled) -> Labelled:
    """Those of the rows that a version has answered: they came after it, whatever clocks say."""
    own = rows.frame["log.version" if "log.version" in rows.frame else "version"]
    return rows.take(np.flatnonzero((own == version).to_numpy()).tolist())


def judged(
    rows: Labelled, models: Sequence[Predictor], log: RowLog, plan: config.Refresh
) -> tuple[dict[str, Change], Mapping[str, Change]]:
    """The change of each task on all rows, and on those that the source with most labels has not
    labelled; the latter without tasks where the plan trusts that source."""
    before, after = models
    table = open_table(rows.frame, folder=log.folder)
    which = unlearned(table, (before, after))
    both, truths = answers_of(before, after, table, which)
    units, sources = ([x[i] for i in which] for x in (rows.unit, rows.source))
    given = (both[0][0], truths, (both[0][1], both[1][1]))
    whole = changes(*given, range(len(which)), units)
    most, _ = lacks_others(sources, plan)
    rest = [i for i, source in enumerate(sources) if source != most]
    alone = most in plan.trust or not rest
    return whole, {} if alone else changes(*given, rest, units)
