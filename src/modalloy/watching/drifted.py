"""What has drifted in logged rows, in one sentence, as `watch` finds it in a table."""

from modalloy.answer.predictor import Predictor
from modalloy.table.table import Table
from modalloy.watching.watch_run import watch_run

MOST = 3  # things that are named


def drifted(predictor: Predictor, table: Table, time: str) -> str:
    """What has drifted, the surest first; "" where nothing has. time: the column of times."""
    found = watch_run(predictor, table, time=time).drifts
    told = "; ".join(drift.said for drift in found[:MOST])
    return told + (f"; and {len(found) - MOST} more" if len(found) > MOST else "")
