"""What the user wants of a search, and how long its trials may take beside the last training."""

from dataclasses import dataclass

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.job_file import FRAME
from modalloy.tuning.manner import USUAL, Manner

FEWEST = 6  # trials that the minutes must have room for
RESERVE = 1 / (FEWEST + 1)  # of the minutes, at least, for the final training


@dataclass(frozen=True)
class Asked:
    """What the user wants of a search; minutes: in all, the final training included."""

    minutes: float | None = None
    trials: int | None = None
    workers: int = 1
    storage: str | None = None
    manner: Manner = USUAL


def refuse_asked(asked: Asked, job: config.Job) -> None:
    """JobError for what no search can be asked."""
    if asked.minutes is not None and not 0.0 < asked.minutes < float("inf"):
        raise JobError(f"minutes: {asked.minutes:g} is no time to search in; give more than 0.")
    for name, count in (("trials", asked.trials), ("workers", asked.workers)):
        if count is not None and count < 1:
            raise JobError(f"{name}: {count} is too few; give 1 or more.")
    if asked.workers > 1 and job.table == FRAME:
        raise JobError(
            "workers: several processes cannot share a table in memory; save it as Parquet and "
            "name the file, or take workers=1."
        )


def limit_minutes(asked: Asked, needed: float) -> float | None:
    """Minutes until trials end, so that the final training fits too; None without a limit.

    needed: of one training, by the estimate. JobError where two of them do not fit.
    """
    if asked.minutes is None:
        return None
    if asked.minutes < 2 * needed:
        raise JobError(
            f"minutes: {asked.minutes:g} is less than one trial and the final training take "
            f"(about {2 * needed:.1f} by the estimate of `check`); give more, or make the job "
            "cheaper."
        )
    return asked.minutes - max(needed, RESERVE * asked.minutes)
