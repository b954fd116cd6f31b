"""When a served model is to be refreshed: by its plan, and by what its history says."""

from collections.abc import Sequence

from modalloy.deployment.deployment import Deployment
from modalloy.deployment.history import Record
from modalloy.deployment.row_log import RowLog
from modalloy.job import config
from modalloy.watching.plan import plan_of, seconds
from modalloy.watching.states import DRIFT, REJECTED, WAITING, Cycle, last_cycle, rolled_back_since


def due(deployment: Deployment, now: float, *, plan: config.Refresh | None = None) -> str:
    """Why a refresh is to be tried now, in words; empty where none is.

    now: seconds since 1970. plan: the deployment's own for None. A refresh that was interrupted is
    due at once; one that waits for labels, as soon as they have come. What was rolled back, or was
    refused while rows have drifted, would only be learned again: then it is due once as many rows
    are labelled anew as judge. A clock that was set back by more than `every` makes it due.
    """
    plan = plan_of(deployment) if plan is None else plan
    history = deployment.history()
    cycle = last_cycle(history)
    if cycle is not None and not cycle.done:
        return "the last refresh was interrupted"
    if cycle is not None and cycle.records[-1].state == WAITING:
        return enough_labels(deployment, cycle.records)
    if (back := rolled_back_since(history)) is not None:
        return labels_since(deployment, cycle, None if back.at > now else back.at, plan)
    start = history[0] if cycle is None else cycle.records[0]
    found = drift_since(history, start) if plan.or_when == "drift" else None
    if found is not None and taught_anew(deployment, cycle, plan):
        return f"drift: {found.facts['said']}"
    if plan.every is not None and abs(now - start.at) >= seconds(plan.every):
        return f"every {plan.every}"
    return ""


def enough_labels(deployment: Deployment, records: Sequence[Record]) -> str:
    """Why a refresh that waits may go on; empty where it may not."""
    log = RowLog(deployment.path)
    try:
        new = log.labelled(after=records[0].facts["labels"])
    finally:
        log.close()
    more = records[-1].facts["more"]
    return f"{new} more rows are labelled, and {more} were lacking" if new >= more else ""


def labels_since(
    deployment: Deployment, cycle: Cycle | None, at: float | None, plan: config.Refresh
) -> str:
    """Why a refresh is due after a way back; empty before enough labels have come.

    at: of the way back; None where the clock was set back since, so that all labels count that
    came after the refresh.
    """
    log = RowLog(deployment.path)
    try:
        new = log.labelled(since=at, after=0 if cycle is None else cycle.records[0].facts["labels"])
    finally:
        log.close()
    return f"{new} rows are labelled since the way back" if new >= plan.judge else ""


def taught_anew(deployment: Deployment, cycle: Cycle | None, plan: config.Refresh) -> bool:
    """Whether as many rows were labelled since a refresh that was refused as judge one: the labels
    of before would teach the same, and judge until chance lets it pass."""
    if cycle is None or cycle.records[-1].state != REJECTED:
        return True
    log = RowLog(deployment.path)
    try:
        return log.labelled(after=cycle.records[0].facts["labels"]) >= plan.judge
    finally:
        log.close()


def drift_since(history: list[Record], start: Record) -> Record | None:
    """The first record of drift after a refresh was asked for."""
    after = (r for r in history if r.number > start.number)
    return next((r for r in after if r.state == DRIFT), None)
