"""What the page has to know of a task: what its answers are, and how a right one is written."""

from dataclasses import dataclass

from modalloy.serving.labels import Form, form_of
from modalloy.serving.served_model import ServedModel
from modalloy.tasks.kit import kit_of


@dataclass(frozen=True)
class TaskFacts:
    """A task of the served model. on: the column that answers lie on. columns: of right answers.
    classes: names that an answer may have. explained: whether an answer can be looked into.
    """

    name: str
    form: Form
    unit: str
    on: str | None
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    explained: bool


def facts_of(model: ServedModel) -> list[TaskFacts]:
    """Every task of a model, in the order of its job."""
    run = model.predictor.run
    return [
        TaskFacts(
            name,
            form_of(options),
            getattr(options, "unit", None) or "",
            getattr(options, "on", None),
            tuple(options.answers_in.values()),
            tuple(getattr(run.targets[name], "names", ())),
            kit_of(options).explained is not None,
        )
        for name, options in run.job.tasks.items()
    ]
