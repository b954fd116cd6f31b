"""What calibration has changed on the test rows, and what of its promises came true."""

from collections.abc import Mapping
from typing import Any

from modalloy.answer.promise import Promise
from modalloy.answer.stage import Stage, stages_to_state
from modalloy.job import config
from modalloy.judge.calibrated import realised
from modalloy.judge.metrics.score import score
from modalloy.readers.targets.target import names_of
from modalloy.report.judged import Judged

ADJUSTED = ("ece", "log_loss")  # figures that a stage is for


def say_adjusted(
    job: config.Job,
    targets: Mapping[str, Any],
    judged: Judged,
    stages: Mapping[str, Stage],
    source: str,
) -> dict[str, dict[str, Any]]:
    """How sure answers to the test rows were before their stage and after it; see `Report`.

    source: the rows that stages were fitted on, see `learn/calibrate.py`.
    """
    found = {}
    for task, stage in stages.items():
        given, names = (job.tasks[task], judged.truth[task]), names_of(targets[task])
        pair = (judged.unadjusted[task], judged.answers[task])
        both = [score(*given, answer, names) for answer in pair]
        before, after = ({m: f[m] for m in ADJUSTED if m in f} for f in both)
        about = stages_to_state({task: stage})[task]
        found[task] = {**about, "source": source, "before": before, "after": after}
    return found


def say_promised(
    job: config.Job,
    targets: Mapping[str, Any],
    judged: Judged,
    promises: Mapping[str, Promise],
    source: str,
) -> dict[str, dict[str, Any]]:
    """What of each task's promises came true on the test rows; see `Report.calibrated`."""
    found = {}
    for task, promise in promises.items():
        given = (judged.answers[task], judged.truth[task], judged.kinds, names_of(targets[task]))
        found[task] = {"source": source, **realised(promise, *given)}
    return found
