"""What a report says of judged rows beside their figures: what decisions cost, what is unlike."""

from collections.abc import Mapping
from typing import Any

from modalloy.answer.decide import costs_in
from modalloy.job import config
from modalloy.judge.decided import realised
from modalloy.report.judged import Judged
from modalloy.report.unlike import count_unlike
from modalloy.unlike.likeness import Likeness


def say_decided(
    job: config.Job, targets: Mapping[str, Any], judged: Judged
) -> dict[str, dict[str, Any]]:
    """What decisions about the test rows cost, of tasks that make some; see `Report`."""
    groups = judged.groups.labels if judged.groups else None
    found = {}
    for task, options in job.tasks.items():
        costs = costs_in(task, options, targets[task])
        if costs is not None:
            p_BC, truth = judged.answers[task]["probability"], judged.truth[task]
            found[task] = realised(costs, p_BC, truth, groups=groups)
    return {task: said for task, said in found.items() if said}


def say_unlike_rows(likeness: Likeness | None, judged: Judged) -> dict[str, Any]:
    """How many test rows are unlike those of training; see `Report`."""
    if likeness is None or judged.view is None:
        return {}
    return count_unlike(likeness, likeness.judge(judged.view))
