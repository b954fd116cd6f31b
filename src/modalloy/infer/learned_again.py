"""Whether a model learns again from validation rows too, once they have said how long to learn."""

from dataclasses import replace

from modalloy.checks.estimate import estimate
from modalloy.infer.draft import Draft
from modalloy.infer.fine_tuning import MINUTES
from modalloy.job import config
from modalloy.job.steps import folds
from modalloy.table.split import split_job
from modalloy.table.table import Table


def with_refit(
    table: Table, draft: Draft, *, minutes: float = MINUTES, gflops: float | None = None
) -> Draft:
    """The draft with `train: {refit: true}`, where there are validation rows and time for it.

    Folds learn from all rows in the end anyway. minutes: that the estimate of `check` may give with
    it. gflops: speed of the machine, measured where it is not given.
    """
    job = config.Job.model_validate(draft.job(table.source))
    parts = split_job(table, job)
    held = len(parts.validation)
    if not held or folds(job, len(parts.train), held):
        return draft
    train = job.train.model_copy(update={"refit": True})
    again = job.model_copy(update={"train": train})
    found = estimate(again, table, parts, gflops=gflops)
    if found.minutes > minutes:
        return draft
    why = (
        "once validation rows have said how long to learn, they are learned from, too; with it an "
        f"estimate of {counted_minutes(found.minutes)}"
    )
    return replace(draft, train={**draft.train, "refit": (True, why)})


def counted_minutes(minutes: float) -> str:
    """Minutes in words, whole ones."""
    whole = max(1, round(minutes))
    return "a minute" if whole == 1 else f"{whole} minutes"
