"""The parts of each kind of task, by the places where they are; none is imported before it is used.

A kind of task is a target reader, a head with its loss and its answer, figures, simple methods to
beat, and drawings. Each part has a base class in the room of its trade, which says what it must do.
"""

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal, assert_never

from modalloy.errors import JobError
from modalloy.job import config


@dataclass(frozen=True)
class Kit:
    """One kind of task. Parts are named as in `package.module:Class`.

    target: a `TargetReader` (readers/targets/target.py): cells with right answers in, arrays out.
    head: a `Task` (model/tasks/task.py): a summary in, raw outputs and a loss out.
    answer: a function like `decode` (answer/decoding/build.py): raw outputs in, answers out.
    measure: a `Measure` (judge/metrics/measure.py): answers beside the truth in, figures out.
    baseline: a `Baseline` (judge/baselines/baseline.py): the simple methods that it must beat.
    drawing: a `Drawing` (report/drawing/drawing.py): what the page shows of it.
    whole_row: it gives one answer a row, so that each input's summary alone can answer too.
    numbers: its target's cells are numbers.
    averaged: answers to one row may be averaged: `probability` of classes, or a `value`.
    written: its answers are texts, written piece by piece.
    promises: what calibrated answers can promise: sets of `classes`, intervals of a `number`, or
    precision of `items` such as spans and boxes.
    explained: a `Kind` (attribution/outcome.py): which number of an answer is explained.
    agreement: an `Agreement` (answer/agreement/agreement.py): when two answers decide alike; by
    plain comparison of their arrays for None.
    """

    target: str
    head: str
    answer: str
    measure: str
    baseline: str
    drawing: str
    whole_row: bool = True
    numbers: bool = False
    averaged: bool = False
    written: bool = False
    promises: Literal["classes", "number", "items"] | None = None
    explained: str | None = None
    agreement: str | None = None


CLASSIFY = Kit(
    target="modalloy.readers.targets.classify:ClassTarget",
    head="modalloy.model.tasks.classify:Classify",
    answer="modalloy.answer.decoding.classify:decode",
    measure="modalloy.judge.metrics.classes:ClassMeasure",
    baseline="modalloy.judge.baselines.classify:ClassBaseline",
    drawing="modalloy.report.drawing.classify:ClassDrawing",
    averaged=True,
    promises="classes",
    explained="modalloy.attribution.kinds.classify:ClassKind",
    agreement="modalloy.answer.agreement.classify:ClassAgreement",
)
REGRESS = Kit(
    target="modalloy.readers.targets.regress:NumberTarget",
    head="modalloy.model.tasks.regress:Regress",
    answer="modalloy.answer.decoding.regress:decode",
    measure="modalloy.judge.metrics.quantities:NumberMeasure",
    baseline="modalloy.judge.baselines.regress:NumberBaseline",
    drawing="modalloy.report.drawing.regress:NumberDrawing",
    numbers=True,
    averaged=True,
    promises="number",
    explained="modalloy.attribution.kinds.regress:NumberKind",
    agreement="modalloy.answer.agreement.regress:NumberAgreement",
)
COUNTS = replace(
    REGRESS,
    target="modalloy.readers.targets.counts:CountTarget",
    head="modalloy.model.tasks.counts:Counts",
    answer="modalloy.answer.decoding.counts:decode",
    measure="modalloy.judge.metrics.counts:CountMeasure",
    averaged=False,  # a mean of means is no distribution
    agreement="modalloy.answer.agreement.counts:CountAgreement",
)
TAG = Kit(
    target="modalloy.readers.targets.tag:TagTarget",
    head="modalloy.model.tasks.tag:Tag",
    answer="modalloy.answer.decoding.tag:decode",
    measure="modalloy.judge.metrics.spans:TagMeasure",
    baseline="modalloy.judge.baselines.tag:TagBaseline",
    drawing="modalloy.report.drawing.tag:TagDrawing",
    whole_row=False,
    promises="items",
    explained="modalloy.attribution.kinds.tag:TagKind",
    agreement="modalloy.answer.agreement.tag:TagAgreement",
)
LOCATE = Kit(
    target="modalloy.readers.targets.locate:BoxTarget",
    head="modalloy.model.tasks.locate:Locate",
    answer="modalloy.answer.decoding.locate:decode",
    measure="modalloy.judge.metrics.detection:BoxMeasure",
    baseline="modalloy.judge.baselines.locate:BoxBaseline",
    drawing="modalloy.report.drawing.locate:BoxDrawing",
    whole_row=False,
    promises="items",
    explained="modalloy.attribution.kinds.locate:BoxKind",
    agreement="modalloy.answer.agreement.locate:BoxAgreement",
)
DETR = replace(
    LOCATE,
    head="modalloy.model.tasks.detr:Sets",
    answer="modalloy.answer.decoding.detr:decode",
    explained="modalloy.attribution.kinds.detr:QueryKind",
)


GENERATE = Kit(
    target="modalloy.readers.targets.generate:TextTarget",
    head="modalloy.model.tasks.generate:Generate",
    answer="modalloy.answer.decoding.generate:decode",
    measure="modalloy.judge.metrics.texts:TextMeasure",
    baseline="modalloy.judge.baselines.generate:TextBaseline",
    drawing="modalloy.report.drawing.generate:TextDrawing",
    agreement="modalloy.answer.agreement.generate:TextAgreement",
    whole_row=False,
    written=True,
)


def kit_of(options: config.TaskOptions) -> Kit:
    """The parts of a task. JobError for a custom one whose kit cannot be had."""
    match options:
        case config.Classify():
            return CLASSIFY
        case config.Regress():
            return REGRESS if options.distribution == "none" else COUNTS
        case config.Tag():
            return TAG
        case config.Locate():
            return DETR if options.head == "detr" else LOCATE
        case config.Generate():
            return GENERATE
        case config.Custom():
            return custom_kit(options.use)
        case _:
            assert_never(options)


def custom_kit(use: str) -> Kit:
    """The kit that `package.module:name` names; JobError where there is none."""
    kit = part(use)
    if not isinstance(kit, Kit):
        raise JobError(
            f"'{use}' is {article(type(kit).__name__)}, no modalloy.tasks.kit.Kit; name the object "
            "that holds the parts of the task."
        )
    return kit


def part(place: str) -> Any:
    """What `package.module:name` names; JobError where it cannot be imported."""
    module, mark, name = place.partition(":")
    if not (module and mark and name):
        raise JobError(f"'{place}' names no place; write package.module:name.")
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        raise JobError(
            f"'{place}' cannot be imported ({error}); install the package that holds it here."
        ) from error
    except AttributeError as error:
        raise JobError(f"'{place}': the module {module} has no '{name}'.") from error


def article(noun: str) -> str:
    """`a list`, `an int`."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
