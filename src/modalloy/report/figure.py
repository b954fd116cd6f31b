"""One picture or piece of HTML of a report, and where on its page it stands."""

from typing import Literal, NamedTuple

import numpy as np

from modalloy.report.html import Markup


class Figure(NamedTuple):
    """One picture or piece of HTML for the page: data is bytes of PNG or SVG, or Markup."""

    title: str
    kind: Literal["chart", "html"]
    data: bytes | str
    note: str = ""
    task: str = ""
    place: Literal["task", "worst", "training"] = "task"


def thin(rows: int, most: int = 600) -> np.ndarray:
    """Evenly spaced positions, at most so many, both ends kept."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(int))


def as_markup(figure: Figure) -> Markup:
    """A figure's HTML data; only `figures_for` and its like make it, from escaped parts."""
    assert figure.kind == "html"
    return Markup(figure.data)
