"""The page of a search: every row that was found, with thumbnails, players, curves and words."""

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.job.inputs import input_columns
from modalloy.judge.wording import brief
from modalloy.report.document import document
from modalloy.report.html import Markup, join, short, table, tag
from modalloy.report.show import show_cell
from modalloy.retrieval.found import Found, Hit

FOOTER = "Written by Modalloy. The same is in the JSON file beside this page."
PIXELS = 180  # of a thumbnail
MOST_QUERIES = 50  # that the page shows


def found_page(found: Found) -> str:
    """The page as HTML."""
    parts = []
    for number, hits in enumerate(found.queries[:MOST_QUERIES]):
        name = "Found" if len(found.queries) == 1 else f"Query {number}"
        parts.append((f"query{number}", name, hits_part(found, list(hits))))
    compared = f"column {found.against}" if found.against else "whole rows"
    lines = [f"Compared with {compared} of {found.source}, by the cosine of their vectors."]
    lines += [f"Only rows where {' and '.join(found.where)}."] if found.where else []
    heading = tag(
        "header",
        tag("p", f"Search in run {found.run}", kind="kicker"),
        tag("h1", short(found.asked, 120)),
        *(tag("p", line, kind="quiet") for line in (*lines, *found.notes)),
    )
    return document(f"{short(found.asked, 60)} - search", heading, parts, FOOTER)


def hits_part(found: Found, hits: list[Hit]) -> Markup:
    """One line a row: its number and score, and each of its cells as a person sees or hears it."""
    if not hits:
        return tag("p", "No row is left to be found.", kind="quiet")
    loader = found.loader
    shown = [n for n in loader.readers if n in input_columns(loader.job)]
    lines = []
    for hit in hits:
        cells = row_cells(found, hit.row)
        drawn = [show_cell(loader.readers[n], cells, 0, pixels=PIXELS) for n in shown]
        lines.append([tag("strong", str(hit.row)), brief(hit.score), *drawn])
    return join([table(["row", "score", *shown], lines, numbers=len(shown) + 2)])


def row_cells(found: Found, row: int) -> Cells:
    """The cells of one row that readers show."""
    loader = found.loader
    columns = list(dict.fromkeys(c for r in loader.readers.values() for c in r.columns))
    return loader.cells(columns, np.array([row]))
