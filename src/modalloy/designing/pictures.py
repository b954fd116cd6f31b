"""Pictures of accepted designs as thumbnails, each with the design's figures below it."""

from collections.abc import Iterator
from pathlib import Path

from modalloy.designing.summary import Point, Summary
from modalloy.designing.words import say_figures, say_run
from modalloy.errors import TableError
from modalloy.media.media import open_image
from modalloy.report.html import Markup, join, tag
from modalloy.report.show import said_absent, show_picture
from modalloy.twin.outputs import ImageOutput
from modalloy.twin.twin import Twin

MOST = 12
PIXELS = 420  # of a thumbnail's longer side


def pictures(found: Summary, twin: Twin, folder: Path) -> Markup:
    """Thumbnails, the best design's first; nothing where no output is a picture."""
    shown = list(every(found, twin))
    if not shown:
        return Markup("")
    figures = [figure(found, point, name, folder) for point, name in shown[:MOST]]
    more = f"{len(shown) - MOST} more pictures lie in the folder." if len(shown) > MOST else ""
    return join(
        [tag("div", *figures, kind="pictures"), tag("p", more, kind="quiet") if more else ""]
    )


def every(found: Summary, twin: Twin) -> Iterator[tuple[Point, str]]:
    """Accepted designs with the names of their pictures."""
    images = [name for name, output in twin.outputs.items() if isinstance(output, ImageOutput)]
    for point in in_order(found):
        yield from ((point, name) for name in images if name in point.media)


def in_order(found: Summary) -> list[Point]:
    """Accepted designs, the best first, then by the first objective."""
    best = found.best
    first = found.objectives[0] if found.objectives else None

    def rank(point: Point) -> tuple[bool, float]:
        by = first.sign * point.number(first.output) if first else -found.tightest(point)
        return best is None or point.run != best.run, by if by == by else float("inf")

    return sorted(found.accepted, key=rank)


def figure(found: Summary, point: Point, name: str, folder: Path) -> Markup:
    """One picture, or why it cannot be shown."""
    best = found.best
    title = f"{say_run(point).capitalize()}: {name}"
    if best is not None and best.run == point.run:
        title += " (best)"
    return tag(
        "figure",
        tag("h3", title),
        thumbnail(folder, point.media[name], title),
        tag("figcaption", say_figures(found, point)),
    )


def thumbnail(folder: Path, path: str, title: str) -> Markup:
    """A picture of the search's folder; a file anywhere else is not shown."""
    file = folder / path
    if not file.resolve().is_relative_to(folder.resolve()):
        return said_absent(f"{path} lies outside the folder of the search")
    try:
        return show_picture(open_image(file, PIXELS), title, PIXELS)
    except TableError as error:
        return said_absent(f"unreadable: {error}")
