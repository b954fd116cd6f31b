"""Whether pretrained encoders are tuned or stay frozen: by rows, minutes and memory.

Measured with everything left to `init`: 4 photos and 375 rows, R2 of log price .66 frozen and .62
tuned, which took four times as long and 8.1 GB; pictures of tiles, 941 rows, .986 accuracy tuned
against .81 of boosting on frozen features.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from modalloy.checks.estimate import estimate
from modalloy.infer.draft import Draft
from modalloy.infer.guessed import Guess
from modalloy.job import config
from modalloy.job.tuned import pretrained
from modalloy.machine.limits import limits
from modalloy.table.split import split_job
from modalloy.table.table import Table

FEW = 400  # training rows from which encoders are tuned
MINUTES = 10.0  # that a training may take
MEMORY = 0.5  # share of the machine's that it may use
DEAREST = ("image", "audio", "series", "text", "tokens")  # frozen in this order until all fits


def with_tuning(
    table: Table, draft: Draft, *, minutes: float = MINUTES, gflops: float | None = None
) -> Draft:
    """Freeze pretrained encoders that rows are too few for, or that take too long to tune.

    What tasks work on - words to tag, pictures with boxes - stays tuned: pooled features do not
    tell them enough. minutes: that the estimate may give. gflops: speed of the machine, measured
    where it is not given.
    """
    job = config.Job.model_validate(draft.job(table.source))
    parts = split_job(table, job)
    worked_on = {column for task in job.tasks.values() for column in task.works_on}
    free = [name for name in pretrained(job) if name not in worked_on]
    if not free:
        return draft
    if len(parts.train) < FEW:
        return frozen(draft, free, f"frozen: {len(parts.train)} training rows are few to tune it")
    memory_gb = limits().memory_bytes / 1e9 * MEMORY
    for some in in_turn(job, free):
        found = estimate(job, table, parts, gflops=gflops)
        if found.minutes <= minutes and found.memory_gb <= memory_gb:
            break
        dear = f"{found.minutes:.0f} minutes and {found.memory_gb:.0f} GB"
        draft = frozen(draft, some, f"frozen: tuning it makes an estimate of {dear}")
        gflops = found.gflops
        job = config.Job.model_validate(draft.job(table.source))
    return draft


def in_turn(job: config.Job, names: list[str]) -> Iterator[list[str]]:
    """The columns of each type together, the dearest type first."""
    for kind in DEAREST:
        some = [name for name in names if job.columns[name].type == kind]
        if some:
            yield some


def frozen(draft: Draft, names: list[str], why: str) -> Draft:
    """The draft with these columns' encoders frozen, for a reason."""
    columns: Mapping[str, Guess] = {
        name: replace(
            found, reason=f"{found.reason}; {why}", options={**found.options, "tune": "frozen"}
        )
        if name in names
        else found
        for name, found in draft.columns.items()
    }
    return replace(draft, columns=columns)
