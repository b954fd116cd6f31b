"""Past rows that were found, with what a person sees and hears of them."""

from typing import Any

from modalloy.retrieval.found import Found
from modalloy.serving.page.shown import shown_cells
from modalloy.serving.plain import plain

PIXELS = 160


def alike_as_dict(found: Found) -> dict[str, Any]:
    """The hits of a search as JSON: number, score, right answers, and cells to be shown."""
    loader = found.loader
    targets = {getattr(task, "target", None) for task in loader.job.tasks.values()}
    rows = [
        {
            "row": hit.row,
            "score": hit.score,
            "truth": {n: v for n, v in hit.cells.items() if n in targets and v is not None},
            "cells": shown_cells(loader, hit.row, pixels=PIXELS),
        }
        for hit in found
    ]
    return plain({"rows": rows, "notes": list(found.notes)})
