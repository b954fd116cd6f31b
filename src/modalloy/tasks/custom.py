"""Whether the custom tasks of a job can be had on this machine, each fault with its line."""

from modalloy.errors import JobError
from modalloy.job.config import Custom, Job
from modalloy.job.faults import Fault
from modalloy.job.job_file import Source, refuse
from modalloy.tasks.kit import custom_kit


def check_kits(job: Job, *, source: Source | None = None) -> None:
    """Raise JobError naming every `use` that does not lead to a kit.

    source: what `load_job` was given; its lines then stand in the message.
    """
    faults = []
    for name, options in job.tasks.items():
        if isinstance(options, Custom):
            try:
                custom_kit(options.use)
            except JobError as error:
                faults.append(Fault(("tasks", name, "use"), str(error)))
    refuse(faults, job if source is None else source)
