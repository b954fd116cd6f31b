"""Tagged sentences on the page, spans right, wrong and missed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.judge.baselines.baseline_models import as_words
from modalloy.judge.metrics.spans import spans_of
from modalloy.report.drawing.drawing import Drawing
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, join
from modalloy.report.show import show_tags

SENTENCES = 10


class TagDrawing(Drawing):
    """Drawings for `tag`."""

    def figures(
        self,
        options: config.Tag,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        cells: Cells | None,
    ) -> list[Figure]:
        """Sentences with their spans."""
        del names
        return figures_of_tags(truth, answer, None if cells is None else cells[options.on])

    def losses(
        self,
        options: config.Tag,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> np.ndarray:
        """Spans missed or wrong."""
        del options, names
        wrong = [0 if t is None else mistakes(t, answer, i) for i, t in enumerate(truth)]
        return np.array(wrong, dtype=np.float64)

    def say(
        self,
        options: config.Tag,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        row: int,
    ) -> tuple[str, str]:
        """How many spans there are, and how many are wrong."""
        del options, names
        found, wrong = len(spans_of(answer["tags"][row])), mistakes(truth, answer, row)
        return f"{len(spans_of(truth))} spans", f"{found} spans, {wrong} missed or wrong"

    def draw(
        self,
        options: config.Tag,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        at: int,
        cells: Cells,
        k: int,
    ) -> Markup:
        """The sentence."""
        return show_tags(as_words(cells[options.on][k]), truth, answer["tags"][at])


def mistakes(truth: Sequence[str], answer: Mapping[str, np.ndarray], row: int) -> int:
    """Spans of a row that are missed or wrong."""
    return len(set(spans_of(truth)) ^ set(spans_of(answer["tags"][row])))


def figures_of_tags(
    truth: Sequence[Any], answer: Mapping[str, np.ndarray], words: Sequence[Any] | None
) -> list[Figure]:
    """Sentences with their spans, wrong ones first, then some that are right."""
    if words is None:
        return []
    said = [as_words(cell) for cell in words]
    known = [i for i, t in enumerate(truth) if t is not None and said[i]]
    wrong = [i for i in known if set(spans_of(truth[i])) != set(spans_of(answer["tags"][i]))]
    bad = set(wrong)
    right = [i for i in known if i not in bad and spans_of(truth[i])]
    some = wrong[: SENTENCES - 3]
    some += right[: SENTENCES - len(some)]
    data = join(show_tags(said[i], truth[i], answer["tags"][i]) for i in some)
    note = (
        f"{len(wrong)} of {len(known)} sentences have a mistake. ✓ right, ✗ found but wrong, "
        "dashed: missed; words of a missed span that overlaps a wrong one stand twice."
    )
    return [Figure("Tagged sentences", "html", data, note)]
