"""Answers beside the truth in, the rows that went most wrong out, with all their cells."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, assert_never

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.job import config
from modalloy.judge.baselines.baseline_models import as_words
from modalloy.judge.metrics.classes import ClassTally, LabelsTally
from modalloy.judge.metrics.score import tally
from modalloy.judge.metrics.spans import spans_of
from modalloy.judge.wording import brief
from modalloy.readers.number import from_log
from modalloy.readers.reader import Reader
from modalloy.report.boxes import box_mistakes, found_boxes, true_boxes
from modalloy.report.html import Markup, join, short, tag
from modalloy.report.plots import Figure
from modalloy.report.show import show_boxes, show_cell, show_tags

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
    loss_B = row_losses(options, truth, answer, names)
    if cells is not None and isinstance(options, config.Tag | config.Locate):
        loss_B[[empty(cell) for cell in cells[options.on]]] = 0.0
    order = np.argsort(-loss_B, kind="stable")[:most]
    return [
        Worst(int(i), float(loss_B[i]), *say_both(options, truth[i], answer, names, int(i)))
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
    counted = tally(options, truth, answer, names)
    loss_B = np.zeros(len(truth))
    match counted:
        case ClassTally():
            p_N = counted.p_NC[np.arange(len(counted.rows)), counted.true_N]
            wrong_N = counted.chosen_N != counted.true_N
            loss_B[counted.rows] = np.where(wrong_N, -np.log(p_N.clip(1e-7)), 0.0)
        case LabelsTally():
            p_NC = np.where(counted.yes_NC, counted.p_NC, 1 - counted.p_NC)
            wrong_N = (counted.chosen_NC != counted.yes_NC).any(1)
            loss_B[counted.rows] = np.where(wrong_N, -np.log(p_NC.clip(1e-7)).sum(1), 0.0)
        case _:
            for i in counted.rows:
                loss_B[i] = mistakes(options, truth[i], answer, int(i))
    return np.nan_to_num(loss_B, nan=0.0)


def mistakes(
    options: config.TaskOptions, truth: Any, answer: Mapping[str, np.ndarray], row: int
) -> float:
    """The loss of one row of a regress, tag or locate task."""
    match options:
        case config.Regress():
            return abs(float(answer["value"][row]) - float(truth))
        case config.Tag():
            return float(len(set(spans_of(truth)) ^ set(spans_of(answer["tags"][row]))))
        case config.Locate():
            return float(box_mistakes(truth, answer, row))
        case config.Classify():
            raise AssertionError("classes are counted together")
        case _:
            assert_never(options)


def say_both(
    options: config.TaskOptions,
    truth: Any,
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None,
    row: int,
) -> tuple[str, str]:
    """A row's truth and answer in words."""
    match options:
        case config.Classify(labels="multi"):
            chosen = [
                n for n, p in zip(names or (), answer["probability"][row], strict=True) if p >= 0.5
            ]
            return ", ".join(map(str, truth)) or "no label", ", ".join(chosen) or "no label"
        case config.Classify():
            p_C = answer["probability"][row]
            best = int(np.argmax(p_C))
            return str(truth), f"{(names or ())[best]} ({100 * p_C[best]:.0f} % sure)"
        case config.Regress():
            both = np.array([float(truth), float(answer["value"][row])])
            true, value = from_log(both) if options.scale == "log" else both
            unit = options.unit or ""
            return f"{brief(true)} {unit}".rstrip(), f"{brief(value)} {unit}".rstrip()
        case config.Tag():
            found = len(spans_of(answer["tags"][row]))
            wrong = f"{mistakes(options, truth, answer, row):.0f} missed or wrong"
            return f"{len(spans_of(truth))} spans", f"{found} spans, {wrong}"
        case config.Locate():
            wrong = f"{box_mistakes(truth, answer, row)} missed or wrong"
            return f"{len(truth['boxes'])} boxes", f"{len(found_boxes(answer, row))} boxes, {wrong}"
        case _:
            assert_never(options)


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
        body = drawn(options, truth[bad.at], answer, bad.at, cells, k)
        done = options.on if isinstance(options, config.Tag | config.Locate) else None
        items = [
            tag("div", tag("dt", said[reader.name]), tag("dd", show_cell(reader, cells, k)))
            for reader in readers.values()
            if reader.name != done
        ]
        cards.append(tag("article", tag("header", *head), body, tag("dl", *items), kind="row"))
    return Figure(task, "html", join(cards), "", task, "worst")


def drawn(
    options: config.TaskOptions,
    truth: Any,
    answer: Mapping[str, np.ndarray],
    at: int,
    cells: Cells,
    k: int,
) -> Markup:
    """The answer drawn on the cell it is about, for tags and boxes; nothing for other tasks."""
    match options:
        case config.Tag():
            return show_tags(as_words(cells[options.on][k]), truth, answer["tags"][at])
        case config.Locate():
            return show_boxes(
                cells[options.on][k], cells, true_boxes(truth), found_boxes(answer, at)
            )
        case _:
            return Markup("")
