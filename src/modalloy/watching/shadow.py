"""A new model answers logged rows beside the old one, unseen: where would it decide otherwise?"""

from typing import TYPE_CHECKING, Any

import numpy as np

from modalloy.answer.agreement.agreement import compare_task
from modalloy.answer.predictor import Predictor
from modalloy.table.open_table import open_table

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

MOST_NAMED = 20  # rows that a record names for each task


def shadow(
    before: Predictor, after: Predictor, frame: "pd.DataFrame", ids: list[str], folder: "Path"
) -> dict[str, Any]:
    """What a record says of it: rows asked, and by task how many are decided otherwise and which.

    frame: rows as the log gives them, with media in `folder`. ids: their names.
    """
    if not ids:
        return {"rows": 0, "otherwise": {}}
    table = open_table(frame, folder=folder)
    said = []
    for predictor in (before, after):
        loader, _ = predictor.open(table)
        said.append(predictor.say(loader, np.arange(len(ids))).answers)
    found = {}
    for task, options in before.run.job.tasks.items():
        target = before.run.targets[task]
        same_B = compare_task(task, options, target, said[0][task], said[1][task]).same_B
        other = np.flatnonzero(~same_B)
        named = [ids[i] for i in other[:MOST_NAMED]]
        found[task] = {"rows": len(other), "named": named}
    return {"rows": len(ids), "otherwise": found}
