"""Which pretrained encoders of a job change, and whether they are learned on frozen before that."""

from collections.abc import Iterator

from modalloy.job import config


def pretrained(job: config.Job) -> Iterator[str]:
    """Columns that a pretrained encoder reads, tuned or not."""
    for name, options in job.columns.items():
        if isinstance(options, config.Trunk) and options.encoder != "scratch":
            yield name


def tuned(job: config.Job) -> set[str]:
    """Columns whose pretrained encoder changes."""
    options = {n: job.columns[n] for n in pretrained(job)}
    return {n for n, o in options.items() if isinstance(o, config.Trunk) and o.tune != "frozen"}


def frozen_first(job: config.Job) -> bool:
    """Whether a job's training begins on frozen encoders.

    It needs one that is tuned, and no earlier run, whose heads know its encoders already. All is
    learned at once in folds that a job asks for, and where a task finds boxes on what such an
    encoder reads: whole maps would have to be kept of each row.
    """
    changing = tuned(job)
    marked = {column for task in job.tasks.values() for column in task.pictures}
    folded = job.train.folds not in ("auto", 0)
    wanted = job.train.frozen_first and job.train.start is None and not folded
    return wanted and bool(changing) and not changing & marked
