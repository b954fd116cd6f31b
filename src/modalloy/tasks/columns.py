"""Table columns whose cells are read as numbers, for inputs and for targets."""

from modalloy.job import config
from modalloy.job.inputs import inputs, sources
from modalloy.tasks.kit import kit_of


def number_columns(job: config.Job) -> set[str]:
    """Table columns whose cells are read as numbers: inputs, channels, speeds and targets."""
    found = {t.target for t in job.tasks.values() if kit_of(t).numbers}
    for name, options in inputs(job).items():
        if isinstance(options, config.Number | config.Series):
            found.update(sources(name, options))
    return found
