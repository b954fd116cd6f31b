"""Whether the custom tasks of a job can be had on this machine, each fault with its line."""

from modalloy.errors import JobError
from modalloy.job.config import Custom, Job
from modalloy.job.faults import Fault
from modalloy.job.job_file import Source, refuse
from modalloy.tasks.kit import Kit, custom_kit, part


def check_kits(job: Job, *, source: Source | None = None) -> None:
    """Raise JobError naming every `use` that does not lead to a kit whose parts are all there.

    source: what `load_job` was given; its lines then stand in the message.
    """
    faults = []
    for name, options in job.tasks.items():
        if isinstance(options, Custom):
            try:
                check_parts(custom_kit(options.use))
            except JobError as error:
                faults.append(Fault(("tasks", name, "use"), str(error)))
    refuse(faults, job if source is None else source)


def check_parts(kit: Kit) -> None:
    """Raise JobError for the first part of a kit that cannot be imported."""
    for place in (kit.target, kit.head, kit.answer, kit.measure, kit.baseline, kit.drawing):
        part(place)
