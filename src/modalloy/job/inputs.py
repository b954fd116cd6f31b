"""Which columns of a table a job reads, and what each of them is to its inputs."""

from typing import Any

from modalloy.job import config


def inputs(job: config.Job) -> dict[str, Any]:
    """Columns of the job that the model sees, with their options."""
    hidden = config.Group | config.Ignore
    return {name: o for name, o in job.columns.items() if not isinstance(o, hidden)}


def sources(name: str, options: Any) -> tuple[str, ...]:
    """Table columns that one input reads."""
    if isinstance(options, config.Time) and options.since is not None:
        return (name, options.since)
    if not isinstance(options, config.Series):
        return (name,)
    speed = (options.rpm,) if isinstance(options.rpm, str) else ()
    return (*(options.channels or (name,)), *speed)


def input_columns(job: config.Job) -> dict[str, tuple[str, ...]]:
    """Input -> every table column that it is read from, those that order its history too."""
    found = {}
    for name, options in inputs(job).items():
        history = getattr(options, "history", None)
        order = () if history is None else (*history.by, history.order)
        found[name] = (*sources(name, options), *order)
    return found


def read_columns(job: config.Job) -> dict[str, Any]:
    """Every table column that some input reads, with that input's options."""
    return {c: options for name, options in inputs(job).items() for c in sources(name, options)}


def kept_together(job: config.Job) -> tuple[str, ...]:
    """Columns whose equal values say which rows belong together; none where rows stand alone.

    The group that rows are split by, else the recordings of a history, else the first group column.
    """
    if job.split.by:
        return (job.split.by,)
    series = [o for o in job.columns.values() if isinstance(o, config.Series)]
    histories = [o.history for o in series if o.history is not None]
    typed = [name for name, o in job.columns.items() if isinstance(o, config.Group)]
    return tuple(histories[0].by) if histories else tuple(typed[:1])


def heard(job: config.Job) -> dict[str, str]:
    """Text inputs that are made of recordings, with the table column of these."""
    texts = {n: o for n, o in job.columns.items() if isinstance(o, config.Text)}
    return {n: o.from_audio for n, o in texts.items() if o.from_audio is not None}


def shared_encoders(job: config.Job) -> dict[str, str]:
    """A template is read by its picture's encoder when both columns have the same options."""
    compared = [task.pictures for task in job.tasks.values() if task.pictures]
    pairs = [(template, pictures[0]) for pictures in compared for template in pictures[1:]]
    return {a: b for a, b in pairs if job.columns[a] == job.columns[b]}
