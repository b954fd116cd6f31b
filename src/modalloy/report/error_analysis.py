"""The rows that went most wrong, with all their cells."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.job import config
from modalloy.readers.reader import Reader
from modalloy.report.figure import Figure
from modalloy.report.html import join, short, tag
from modalloy.report.plots import drawing_of
from modalloy.report.show import show_cell

SHOWN = 6


class Worst(NamedTuple):
    """One bad row: `at` is its position among the rows judged, `loss` what ranks it."""

    at: int
    loss: float
    truth: str
    answer: str


def worst_rows(
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
    *,
    cells: Cells | None = None,
    most: int = SHOWN,
) -> list[Worst]:
    """The wrong rows with the largest loss, worst first; right rows are never listed.

    cells: the same rows' cells of the column that a `tag` or `locate` task looks `on`; where one is
    missing there is nothing to look at, and the row is not listed either.
    """
    drawing = drawing_of(options)
    loss_B = row_losses(options, truth, answer, names)
    if cells is not None:
        for on in options.works_on[:1]:
            loss_B[[empty(cell) for cell in cells[on]]] = 0.0
    order = np.argsort(-loss_B, kind="stable")[:most]
    return [
        Worst(int(i), float(loss_B[i]), *drawing.say(options, truth[i], answer, names, int(i)))
        for i in order
        if loss_B[i] > 0
    ]


def row_losses(
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """How wrong each row is, (B,); 0 where it is right or its truth unknown.

    classify: minus the log of the true class's probability (summed over labels with `multi`);
    regress: the absolute error on the scale that the task learns; tag: spans missed or wrong;
    locate: boxes missed or wrong.
    """
    return np.nan_to_num(drawing_of(options).losses(options, truth, answer, names), nan=0.0)


def worst_figure(
    task: str,
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    readers: Mapping[str, Reader],
    cells: Cells,
    rows: Sequence[int],
    worst: Sequence[Worst],
    *,
    units: Mapping[str, str] | None = None,
) -> Figure:
    """The worst rows as cards.

    cells: what the readers read, of the *worst* rows only, in their order. rows: row numbers in the
    table of all rows judged. units: column -> its unit.
    """
    cards = []
    given = units or {}
    said = {n: f"{n} [{given[n]}]" if given.get(n) else n for n in readers}
    for k, bad in enumerate(worst):
        head = [tag("b", f"row {rows[bad.at]}"), tag("span", f"truth: {short(bad.truth, 80)}")]
        head.append(tag("span", f"answer: {short(bad.answer, 80)}", kind="wrong"))
        body = drawing_of(options).draw(options, truth[bad.at], answer, bad.at, cells, k)
        items = [
            tag("div", tag("dt", said[reader.name]), tag("dd", show_cell(reader, cells, k)))
            for reader in readers.values()
            if reader.name not in options.works_on[:1]
        ]
        cards.append(tag("article", tag("header", *head), body, tag("dl", *items), kind="row"))
    return Figure(task, "html", join(cards), "", task, "worst")
