"""The common job as each site sees it: its own columns, and at the site with the answers a vector
for each input of the others."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from modalloy.errors import FederationError, JobError
from modalloy.job import config
from modalloy.job.inputs import input_columns
from modalloy.job.matched import Matched
from modalloy.model.model import essential_inputs
from modalloy.readers.batch import TABLE
from modalloy.readers.reader import Reader
from modalloy.readers.vector import VectorReader

# How a training of one table may go, and one that is split may not: option, why.
UNUSED = {
    "start": "each site would need a run of its own to begin from",
    "minutes": "sites wait for one another, so that no clock is right for all",
}


class OwnColumns(NamedTuple):
    """inputs: columns of the job that the site can read. labels: whether it has the answers."""

    inputs: tuple[str, ...]
    labels: bool


def matched_of(job: config.Job) -> Matched:
    """The options of split training; JobError where the job has none."""
    if job.federate.matched is None:
        raise JobError(
            "federate.matched: says nothing; name the column that sites match rows by, as in "
            "`matched: {by: part_id}`."
        )
    return job.federate.matched


def refuse_unused(job: config.Job) -> None:
    """JobError for what split training does not do."""
    for option, why in UNUSED.items():
        if getattr(job.train, option) is not None:
            raise JobError(f"train.{option}: split training has none, because {why}; leave it out.")
    if job.train.weighting == "pcgrad":
        raise JobError(
            "train.weighting: pcgrad changes each task's gradients where all weights are, and "
            "split training has them at several sites; take sum, uncertainty or famo."
        )
    for name, options in job.columns.items():
        if isinstance(options, config.Trunk) and options.tune == "adalora":
            raise JobError(
                f"columns.{name}.tune: adalora shares out ranks by the tasks, which other sites do "
                "not have; take lora."
            )


def own_columns(job: config.Job, absent: Collection[str], site: str) -> OwnColumns:
    """What a site brings; FederationError where that is nothing."""
    gone = set(absent)
    own = tuple(n for n, some in input_columns(job).items() if not gone.intersection(some))
    labels = not gone.intersection(c for t in job.tasks.values() for c in t.answers_in.values())
    if not own and not labels:
        raise FederationError(
            f"{site} has no column of the job that it can read and not all answers, so it brings "
            "nothing; leave it out, or say in federate.columns what its columns are called."
        )
    return OwnColumns(own, labels)


def encoded(job: config.Job, inputs: Sequence[str]) -> list[str]:
    """What a site's encoders read: all its plain columns as one input, and each media column."""
    media = [n for n in inputs if not isinstance(job.columns[n], config.Tabular)]
    return ([TABLE] if len(media) < len(inputs) else []) + media


def label_site(brings: Mapping[str, OwnColumns]) -> str:
    """The one site that has all answers; FederationError where none has, or several have."""
    found = sorted(site for site, own in brings.items() if own.labels)
    if not found:
        raise FederationError(
            "no site has the answers of all tasks; the site that has them needs their columns."
        )
    if len(found) > 1:
        raise FederationError(
            f"{' and '.join(found)} all have the answers; leave their columns out of all tables "
            "but one, so that it is known whose they are."
        )
    return found[0]


def feature_job(job: config.Job, inputs: Sequence[str]) -> config.Job:
    """The job of a site without the answers: its own inputs, no task.

    Names of categories show nothing of answers there.
    """
    columns: dict[str, config.Column] = {}
    for name in inputs:
        options = job.columns[name]
        if isinstance(options, config.Category):
            options = options.model_copy(update={"statistics": "none"})
        columns[name] = options
    return job.model_copy(update={"columns": columns, "tasks": {}})


def label_job(job: config.Job, inputs: Sequence[str], vectors: Sequence[str]) -> config.Job:
    """The job of the site with the answers: its own inputs and groups, and the others' vectors.

    FederationError where a task answers in a column of another site.
    """
    for name in sorted(essential_inputs(job) - set(inputs)):
        raise FederationError(
            f"a task answers in column '{name}', of which only a summary would travel; the site "
            "with the answers must have it."
        )
    others = set(input_columns(job)) - set(inputs)
    columns: dict[str, config.Column] = {n: o for n, o in job.columns.items() if n not in others}
    columns |= {name: config.Vector() for name in vectors}
    train = job.train.model_copy(update={"folds": 0, "refit": False})
    return job.model_copy(update={"columns": columns, "train": train, "allow_outside": True})


def as_it_comes(name: str, width: int) -> Reader:
    """The reader of another site's summaries, which are taken as they are."""
    return VectorReader(name, (0.0,) * width, (1.0,) * width)
