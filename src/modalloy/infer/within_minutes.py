"""How many minutes the training itself may take, where all that `train` does must fit into some."""

from dataclasses import replace

from modalloy.checks.estimate import estimate
from modalloy.errors import TableError
from modalloy.infer.draft import Draft
from modalloy.job import config
from modalloy.table.split import split_job
from modalloy.table.table import Table

LEAST = 0.25  # of the minutes given, that learning needs for the rest to be worth it


def within_minutes(
    table: Table, draft: Draft, minutes: float, *, gflops: float | None = None
) -> Draft:
    """The draft with `train: {minutes: ...}`: those given, less what all else takes.

    TableError where reading files, simple methods and the report leave too little for learning.
    All by the estimate of `check`. gflops: speed of the machine, measured where it is not given.
    """
    timed = replace(draft, train={"minutes": (minutes, "")})
    job = config.Job.model_validate(timed.job(table.source))
    whole = estimate(job, table, split_job(table, job), gflops=gflops).minutes
    other = whole - minutes
    left = round(minutes - other, 2)
    if left < LEAST * minutes:
        raise TableError(
            f"{table.source}: reading, simple methods and the report alone take {other:.1f} "
            f"minutes here; give at least {other / (1.0 - LEAST):.1f} minutes."
        )
    why = f"{minutes:g} in all, less {round(other, 2):g} for reading, simple methods and the report"
    return replace(draft, train={"minutes": (left, why)})
