"""Explains `locate`: the score of a box."""

from typing import Any

import numpy as np

from modalloy.answer.decoding.boxes import areas, clip_boxes
from modalloy.answer.decoding.locate import boxes_at, peaks
from modalloy.answer.decoding.logits import sigmoid
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.outcome import BoxOutcome, Outcome, counted, pick, say_box


class BoxKind:
    """One of the boxes of a row."""

    def find(self, asked: AskedRow, task: str, *, label: str | None, item: int) -> Outcome | None:
        """The box of this number, best first, and the cell of the heat map that it comes from."""
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
        scores, classes, cells = peaks(sigmoid(outputs["heat"][0]), 2 * options.max_boxes)
        size_2 = outputs["size"][0]
        own = clip_boxes(boxes_at(outputs["sides"][0], cells, size_2), *size_2)
        off = np.abs(own - boxes[at]).max(1) + np.where(classes == kind, 0.0, np.inf)
        off += np.where(areas(own) > 0, np.abs(scores - answer["scores"][0][at]), np.inf)
        box, what = say_box(names[kind], boxes[at])
        cell = int(cells[int(np.argmin(off))])
        return BoxOutcome(task, what, on=options.on, box=box, index=kind, cell=cell)

    def say(self, asked: AskedRow, task: str) -> str:
        """How many boxes, and of which kinds."""
        return counted(list(asked.ask(task, [frozenset()])["names"][0]), "box", "boxes")
