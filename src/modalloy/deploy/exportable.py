"""Whether a run can become graphs that answer without torch, and what stands in the way."""

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.job.inputs import heard
from modalloy.runs.run import Run, refuse_pretrained
from modalloy.tasks.kit import kit_of


def refuse_unexportable(run: Run) -> None:
    """RunError that names every part of a run which no graph can hold, and what to do instead."""
    refuse_pretrained(run)
    found = [*columns_in_the_way(run.job), *tasks_in_the_way(run.job)]
    if found:
        raise RunError(
            f"{run.path}: cannot be exported as graphs: {'; '.join(found)}. Without a change, "
            "--backend torch keeps the network itself, which answers where torch is installed."
        )


def columns_in_the_way(job: config.Job) -> list[str]:
    """Columns whose cells are made by another network, which is no part of the run's own."""
    return [
        f"column '{name}' is heard from the recordings of '{source}', by a network that runs in "
        "torch alone; write what was said into a column of the table, and train with that instead "
        "of from_audio"
        for name, source in heard(job).items()
    ]


def tasks_in_the_way(job: config.Job) -> list[str]:
    """Tasks whose answers are no fixed sequence of operations."""
    found = []
    for name, options in job.tasks.items():
        if kit_of(options).written:
            found.append(
                f"task '{name}' writes a text piece by piece (type: generate), which is a loop and "
                "no graph; train without it"
            )
        elif use := getattr(options, "use", None):
            found.append(
                f"task '{name}' is of your own kind (type: custom, use: {use}), whose "
                "answers need that package; train without it"
            )
    return found
