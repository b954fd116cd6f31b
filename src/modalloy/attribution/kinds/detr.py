"""Explains `locate` with `head: detr`: the score of a box."""

from typing import Any

import numpy as np

from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.kinds.locate import BoxKind
from modalloy.attribution.outcome import QueryOutcome, pick, say_box


class QueryKind(BoxKind):
    """One of the boxes of a row."""

    def find(
        self, asked: AskedRow, task: str, *, label: str | None, item: int
    ) -> QueryOutcome | None:
        """The box of this number, best first."""
        del label
        options: Any = asked.run.job.tasks[task]
        if options.on not in asked.columns:
            return None
        answer, outputs = asked.ask(task, [frozenset()]), asked.outputs(task, [frozenset()])
        boxes, names = answer["boxes"][0], list(asked.run.targets[task].names)
        if not len(boxes):
            return None
        at = pick(range(len(boxes)), item, f"row {asked.row}: task '{task}'", "box", "boxes")
        kind = names.index(answer["names"][0][at])
        width, height = (float(n) for n in outputs["size"][0])
        share = tuple(boxes[at] / np.array([width, height, width, height]))
        box, what = say_box(names[kind], boxes[at])
        return QueryOutcome(task, what, on=options.on, box=box, index=kind, share=share)
