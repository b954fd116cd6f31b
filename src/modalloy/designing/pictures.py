"""Pictures and sounds of accepted designs that differ, each with the design's figures below it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from modalloy.designing.counterfactual import distances
from modalloy.designing.summary import Point, Summary
from modalloy.designing.words import say_figures, say_run
from modalloy.errors import TableError
from modalloy.media.media import open_image
from modalloy.media.sound import read_audio
from modalloy.report.html import Markup, join, tag
from modalloy.report.show import said_absent, show_picture, show_sound
from modalloy.twin.outputs import AudioOutput, ImageOutput
from modalloy.twin.space import Space
from modalloy.twin.twin import Twin

MOST = 12  # designs
ALIKE = 0.01  # least distance of two that are shown, the sum of all differences as shares of ranges
PIXELS = 420  # of a thumbnail's longer side
SOUND_S = 6.0  # of a recording that is played


def pictures(found: Summary, twin: Twin, folder: Path) -> Markup:
    """The best design and those that differ most from it and from one another, the best first;
    nothing where no output is a picture or a recording."""
    every = [p for p in in_order(found) if any(shown(p, twin))]
    if not every:
        return Markup("")
    chosen = apart(every, twin)
    left = len(every) - len(chosen)
    more = (
        f"Shown are designs that differ most; what there is of {left} more lies in the folder of "
        "the search."
    )
    figures = [figure(found, point, twin, folder) for point in chosen]
    return join(
        [tag("div", *figures, kind="pictures"), tag("p", more, kind="quiet") if left else ""]
    )


def shown(point: Point, twin: Twin) -> Iterator[str]:
    """Names of a design's pictures, then of its recordings."""
    for kind in (ImageOutput, AudioOutput):
        yield from (n for n, o in twin.outputs.items() if isinstance(o, kind) and n in point.media)


def apart(points: Sequence[Point], twin: Twin) -> list[Point]:
    """The first of some designs, and one after the other that which is farthest from all before
    (Gonzalez 1985, *Theor. Comput. Sci.* 38), in the order that they came in."""
    space = Space(twin.variables)
    u_ND = space.encode([p.values for p in points])
    picks, near_N = [0], distances(u_ND, u_ND[0], space.groups).sum(1)
    while len(picks) < MOST and near_N.max() > ALIKE:
        picks.append(int(np.argmax(near_N)))
        near_N = np.minimum(near_N, distances(u_ND, u_ND[picks[-1]], space.groups).sum(1))
    return [points[i] for i in sorted(picks)]


def in_order(found: Summary) -> list[Point]:
    """Accepted designs, the best first, then by the first objective."""
    best = found.best
    first = found.objectives[0] if found.objectives else None

    def rank(point: Point) -> tuple[bool, float]:
        by = first.sign * point.number(first.output) if first else -found.tightest(point)
        return best is None or point.run != best.run, by if by == by else float("inf")

    return sorted(found.accepted, key=rank)


def figure(found: Summary, point: Point, twin: Twin, folder: Path) -> Markup:
    """One design's pictures and recordings, each with its name, or why it cannot be shown."""
    title = say_run(point).capitalize()
    best = found.best
    said = f"{title} (best)" if best is not None and best.run == point.run else title
    parts = [
        join([tag("p", name, kind="quiet"), medium(folder, point.media[name], title, twin, name)])
        for name in shown(point, twin)
    ]
    figures = tag("figcaption", say_figures(found, point))
    return tag("figure", tag("h3", said), *parts, figures)


def medium(folder: Path, path: str, title: str, twin: Twin, name: str) -> Markup:
    """A picture or a player from the search's folder; a file anywhere else is not shown."""
    file = folder / path
    if not file.resolve().is_relative_to(folder.resolve()):
        return said_absent(f"{path} lies outside the folder of the search")
    try:
        if isinstance(twin.outputs[name], ImageOutput):
            return show_picture(open_image(file, PIXELS), f"{title}: {name}", PIXELS)
        sound = read_audio(file, SOUND_S)
    except TableError as error:
        return said_absent(f"unreadable: {error}")
    wave_L = sound.wave / max(1.0, sound.peak)  # floats may go beyond full scale
    return show_sound(wave_L, sound.rate_hz, f"{title}: {name}")
