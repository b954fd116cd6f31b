"""Texts on the page: what is written beside what is right."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.judge.metrics.texts import text_losses
from modalloy.report.drawing.drawing import Drawing
from modalloy.report.figure import Figure
from modalloy.report.html import table

TEXTS = 12
LONGEST = 400  # characters of a text that are shown


class TextDrawing(Drawing):
    """Drawings for `generate`."""

    def figures(
        self,
        options: config.Generate,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        cells: Cells | None,
    ) -> list[Figure]:
        """Some texts, evenly from the best to the worst."""
        loss_B = self.losses(options, truth, answer, names)
        known = [i for i in np.argsort(loss_B, kind="stable") if truth[i] is not None]
        some = [known[k] for k in np.unique(np.linspace(0, len(known) - 1, TEXTS).astype(int))]
        rows = [[short(truth[i]), short(answer["text"][i]), f"{1 - loss_B[i]:.2f}"] for i in some]
        data = table(["right", "written", "chrF"], rows, numbers=2)
        note = f"{len(some)} of {len(known)} texts, from the best written to the worst."
        return [Figure("Texts", "html", data, note)]

    def losses(
        self,
        options: config.Generate,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> np.ndarray:
        """1 - chrF of each text."""
        del options, names
        return text_losses(truth, answer["text"])

    def say(
        self,
        options: config.Generate,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        row: int,
    ) -> tuple[str, str]:
        """Both texts."""
        del options, names
        return short(truth), short(answer["text"][row])


def short(text: Any) -> str:
    """A text as far as it is shown."""
    text = str(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
