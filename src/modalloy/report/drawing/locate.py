"""Pictures on the page with true and found boxes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.job import config
from modalloy.report.boxes import SHOWN_SCORE, box_mistakes, found_boxes, true_boxes
from modalloy.report.drawing.drawing import Drawing
from modalloy.report.figure import Figure, thin
from modalloy.report.html import Markup, join, tag
from modalloy.report.show import show_boxes

PICTURES = 6


class BoxDrawing(Drawing):
    """Drawings for `locate`."""

    def figures(
        self,
        options: config.Locate,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        cells: Cells | None,
    ) -> list[Figure]:
        """Pictures with boxes."""
        del names
        return figures_of_boxes(truth, answer, cells, options.on)

    def losses(
        self,
        options: config.Locate,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> np.ndarray:
        """Boxes missed or wrong."""
        del options, names
        wrong = [0 if t is None else box_mistakes(t, answer, i) for i, t in enumerate(truth)]
        return np.array(wrong, dtype=np.float64)

    def say(
        self,
        options: config.Locate,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        row: int,
    ) -> tuple[str, str]:
        """How many boxes there are, and how many are wrong."""
        del options, names
        wrong = f"{box_mistakes(truth, answer, row)} missed or wrong"
        return f"{len(truth['boxes'])} boxes", f"{len(found_boxes(answer, row))} boxes, {wrong}"

    def draw(
        self,
        options: config.Locate,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        at: int,
        cells: Cells,
        k: int,
    ) -> Markup:
        """The picture."""
        found = found_boxes(answer, at)
        return show_boxes(cells[options.on][k], cells, true_boxes(truth), found)


def figures_of_boxes(
    truth: Sequence[Any], answer: Mapping[str, np.ndarray], cells: Cells | None, column: str
) -> list[Figure]:
    """Pictures with true and found boxes, evenly chosen from the most mistaken to the best."""
    if cells is None:
        return []
    judged = [i for i, t in enumerate(truth) if t is not None]
    known = [i for i in judged if not empty(cells[column][i])]
    mistaken = {i: box_mistakes(truth[i], answer, i) for i in known}
    order = sorted(known, key=lambda i: (-mistaken[i], i))
    some = [order[i] for i in thin(len(order), PICTURES)]
    data = join(
        show_boxes(cells[column][i], cells, true_boxes(truth[i]), found_boxes(answer, i))
        for i in some
    )
    wrong = sum(m > 0 for m in mistaken.values())
    note = (
        f"Solid blue: truth. Dashed red: found with a score of at least {SHOWN_SCORE}. "
        f"{wrong} of {len(known)} pictures have a mistake; {len(some)} are shown, "
        "evenly chosen from the most mistaken to the best."
    )
    if len(known) < len(judged):
        note += f" {len(judged) - len(known)} rows have no picture."
    return [Figure("Boxes on pictures", "html", tag("div", data, kind="pictures"), note)]
