"""What a report is told of a run beside its model and the test rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modalloy.answer.buying import Bought
from modalloy.answer.loader import Loader
from modalloy.answer.promise import Promise
from modalloy.answer.stage import Stage
from modalloy.answer.table_caveats import Usual
from modalloy.blend.mixture import NOTHING, Blend
from modalloy.checks.finding import Finding
from modalloy.classical.method import FittedMethod
from modalloy.judge.baselines.embeddings import Embeddings
from modalloy.judge.report import Report
from modalloy.table.split import Parts
from modalloy.unlike.likeness import Likeness


@dataclass
class Extras:
    """What the training knows and the test rows do not."""

    parts: Parts | None = None
    embeddings: Embeddings | None = None
    findings: Sequence[dict[str, Any]] = ()  # as `check` says them
    curves: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    known: Report | None = None  # an earlier report, whose baselines still hold
    refit: bool = False  # the model learned from the validation rows too, in the end
    before: dict[str, dict[str, Any]] = field(default_factory=dict)  # figures by task, with `label`
    caveats: Sequence[Finding] = ()  # on the columns of the table
    usual: Usual | None = None  # what was counted of training cells; of another table alone
    begun: bool = False  # `embeddings` and `before` come from the training itself
    failed: Sequence[Mapping[str, Any]] = ()  # what it could not have; see `sections.py`
    blend: Blend = NOTHING  # what the network's answers are combined with
    methods: Mapping[str, Sequence[FittedMethod]] = field(default_factory=dict)  # fitted by then
    widths: Mapping[str, int] = field(default_factory=dict)  # of pooled vectors that these see
    stages: Mapping[str, Stage] = field(default_factory=dict)  # what answers go through afterwards
    likeness: Likeness | None = None  # what is known of the training rows
    made_of: dict[str, dict[str, Any]] = field(default_factory=dict)  # see `Report.made_of`
    promises: Mapping[str, Promise] = field(default_factory=dict)  # what its answers promise
    source: str = ""  # rows that stages and promises were fitted on; see `learn/calibrate.py`
    buys: Callable[[Loader, np.ndarray], Bought] | None = None  # where a policy says what is read
