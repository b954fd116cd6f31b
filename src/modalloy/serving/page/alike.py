"""Past rows that were found, with what a person sees and hears of them."""

from typing import TYPE_CHECKING, Any

from modalloy.serving.language import Language
from modalloy.serving.page.rendered import rendered
from modalloy.serving.page.shown import shown_cells
from modalloy.serving.plain import plain

if TYPE_CHECKING:
    from modalloy.retrieval.found import Found

PIXELS = 160


def alike_html(language: Language, found: "Found") -> str:
    """The hits of a search: number, score, right answers, and cells."""
    loader = found.loader
    targets = {getattr(task, "target", None) for task in loader.job.tasks.values()}
    rows: list[dict[str, Any]] = [
        {
            "row": hit.row,
            "score": hit.score,
            "truth": {n: plain(v) for n, v in hit.cells.items() if n in targets and v is not None},
            "cells": shown_cells(loader, hit.row, pixels=PIXELS),
        }
        for hit in found
    ]
    return rendered("alike.html", language, rows=rows, notes=list(found.notes))
