"""What `watch` does with a served model: look for drift, settle the last swap, refresh, tell."""

from collections.abc import Callable

from modalloy.answer.predictor import Predictor
from modalloy.deployment.deployment import SWITCHES, Deployment
from modalloy.deployment.history import Record
from modalloy.deployment.log_query import Which
from modalloy.deployment.row_log import RowLog
from modalloy.observing.kept import reference_of
from modalloy.table.open_table import open_table
from modalloy.table.table import Table
from modalloy.watching.cycle import Told, refresh
from modalloy.watching.schedule import due
from modalloy.watching.states import DRIFT, last_cycle
from modalloy.watching.swap_check import check_swap

Drifted = Callable[[Predictor, Table, str], str]
FEWEST = 50  # logged rows below which no drift is looked for
MOST = 20_000  # logged rows that are looked at, evenly spread over all


def refresh_served(
    deployment: Deployment, why: str, *, told: Told = lambda state: None
) -> list[Record]:
    """Settle the last swap where labels say so, then go through a refresh; the last records."""
    settled = check_swap(deployment)
    return [*([] if settled is None else [settled]), refresh(deployment, why, told=told)]


def refresh_if_due(
    deployment: Deployment, drifted: Drifted, *, told: Told = lambda state: None
) -> list[Record]:
    """What a server or a timer does now and then: note drift, and refresh where that is due."""
    noted = note_drift(deployment, drifted)
    settled = check_swap(deployment)
    found = [r for r in (noted, settled) if r is not None]
    why = due(deployment, deployment.clock())
    return [*found, refresh(deployment, why, told=told)] if why else found


def note_drift(deployment: Deployment, drifted: Drifted) -> Record | None:
    """Look at the rows that were logged since the last switch or refresh; a record where they have
    drifted and nobody has noted it since. None too where a refresh has made the version, and its
    job keeps nothing of rows (`unlike: {use: never}`): nothing tells what it knows by now.

    drifted: says in a sentence what has drifted in a table, given the model and the column of
    times; "" where nothing has.
    """
    history = deployment.history()
    cycle = last_cycle(history)
    since = [r for r in history if r.state in SWITCHES]
    since += [cycle.records[0]] if cycle else []
    last = max(since, key=lambda r: r.number)
    if any(r.state == DRIFT and r.number > last.number for r in history):
        return None
    version = deployment.current()
    version.check()
    # Where the clock was set back, no row may have come after the record; then the version tells.
    late = last.at > deployment.clock()
    which = Which(version=version.number) if late else Which(since=last.at)
    log = RowLog(deployment.path)
    try:
        frame = log.frame(which._replace(spread=MOST))
    finally:
        log.close()
    if len(frame) < FEWEST:
        return None
    predictor = Predictor(version.path)
    if version.number > 1 and reference_of(predictor.run) is None:
        return None  # its own table does not hold what a refresh has taught it
    table = open_table(frame, folder=deployment.path)
    said = drifted(predictor, table, frame.attrs["logged"]["at"])
    return deployment.record(DRIFT, said=said, rows=len(frame)) if said else None
