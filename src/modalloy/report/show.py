"""What a person sees or hears of a cell: a thumbnail, a player, a curve, words.

What cannot be read is said in its place; a report never fails because of one bad file.
"""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile
from PIL import Image, ImageDraw, ImageFont

from modalloy.cells.cells import Cells, empty
from modalloy.errors import TableError
from modalloy.judge.wording import brief
from modalloy.media.blob import called
from modalloy.media.media import open_image, source_of
from modalloy.media.resampling import polyphase
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.report.charts import BLUE, RED
from modalloy.report.html import Markup, data_uri, img, join, picture_uri, safe, short, tag
from modalloy.report.lettering import clean, file_for, usual_file

SOUND_S = 6.0
SOUND_HZ = 16_000
WORD_LIMIT = 90
LABEL_SHARE = 22  # of a picture's width in a letter's height: the page shows it 280 to 320 px wide


def show_cell(reader: Reader, cells: Cells, row: int, *, pixels: int = 220) -> Markup:
    """What a reader reads of one row; `row` counts within `cells`."""
    cell = cells[reader.columns[0]][row]
    if empty(cell) and not isinstance(reader, SeriesReader):  # a series may have other columns
        return said_absent("missing")
    try:
        match reader:
            case ImageReader():
                file = source_of(cell, cells.folder, cells.allow_outside).file
                return show_picture(
                    open_image(file, pixels, white=reader.white), called(cell), pixels
                )
            case AudioReader():
                sound, _ = reader.hear(cell, cells, SOUND_S)
                return show_sound(sound.wave, sound.rate_hz, reader.name)
            case SeriesReader():
                found = reader.collect(cells, row)
                return said_absent(found) if isinstance(found, str) else show_series(found)
            case _:
                return show_words(cell)
    except TableError as error:
        return said_absent(f"unreadable: {error}")


def said_absent(why: str) -> Markup:
    """Why there is nothing to show."""
    return tag("span", why, kind="absent")


def show_words(cell: Any) -> Markup:
    """Text, numbers, names, lists and times."""
    if isinstance(cell, np.ndarray | list | tuple):
        cell = list(cell)
        words = all(isinstance(c, str) for c in cell)
        return Markup(show_words(" ".join(cell) if words else ", ".join(map(str, cell))))
    if isinstance(cell, float):
        return tag("span", brief(cell))
    return tag("span", short(cell, 400))


def show_picture(shown: Image.Image, description: str, pixels: int) -> Markup:
    """A thumbnail of at most so many pixels a side."""
    shown.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    return img(picture_uri(shown), description, "thumb")


def show_sound(wave_L: np.ndarray, rate_hz: int, name: str) -> Markup:
    """A player of a short compressed copy, at most the first seconds."""
    rate = min(rate_hz, SOUND_HZ)
    if rate < rate_hz:
        wave_L = polyphase(wave_L, rate, rate_hz)
    # MP3 knows only these rates; lower ones are heard as they are in WAV.
    form = "MP3" if rate in (8000, 11025, 12000, 16000) else "WAV"
    out = io.BytesIO()
    soundfile.write(out, np.clip(wave_L, -1, 1), rate, format=form)
    kind = "audio/mpeg" if form == "MP3" else "audio/wav"
    source = data_uri(out.getvalue(), kind)
    return Markup(f'<audio controls title="{safe(name)}" src="{source}"></audio>')


def show_series(x_CL: np.ndarray, points: int = 240) -> Markup:
    """Each channel (six at most) as a line, scaled to its own range."""
    lines = [spark(x_L, points) for x_L in x_CL[:6]]
    more = f"and {len(x_CL) - 6} more channels" if len(x_CL) > 6 else ""
    return join([*lines, tag("span", more, kind="absent")])


def spark(x_L: np.ndarray, points: int) -> Markup:
    """One line as SVG; of every stretch of samples its lowest and highest are kept."""
    x_L = x_L[np.isfinite(x_L)]
    if len(x_L) == 0:
        return said_absent("no samples")
    if len(x_L) > points:
        parts = np.array_split(x_L, points // 2)
        x_L = np.array([v for p in parts for v in (p.min(), p.max())])
    low, high = float(x_L.min()), float(x_L.max())
    y = 34 - 32 * (x_L - low) / ((high - low) or 1.0)
    x = np.linspace(1, 219, len(x_L))
    dots = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    line = f'<polyline points="{dots}" fill="none" stroke="{BLUE}" stroke-width="1.2"/>'
    said = tag("title", f"{brief(low)} to {brief(high)}")
    return Markup(f'<svg class="spark" viewBox="0 0 220 36" role="img">{said}{line}</svg>')


# --- answers on top of cells -----------------------------------------------------------------


def show_boxes(
    cell: Any,
    cells: Cells,
    true: Sequence[tuple[Sequence[float], str]],
    found: Sequence[tuple[Sequence[float], str]],
    *,
    pixels: int = 520,
) -> Markup:
    """A picture with true boxes in solid blue and found ones in dashed red, each with its name.

    true, found: pairs of (x1 y1 x2 y2 in pixels of the original picture, name). A name that no font
    of this machine can write is a number, which a line below the picture explains.
    """
    if empty(cell):
        return said_absent("missing")
    try:
        shown = open_image(source_of(cell, cells.folder, cells.allow_outside).file, pixels)
    except TableError as error:
        return said_absent(f"unreadable: {error}")
    width, height = shown.info["original_size"]
    factor = pixels / max(width, height)
    shown = shown.convert("RGB").resize(
        (max(1, round(width * factor)), max(1, round(height * factor)))
    )
    draw = ImageDraw.Draw(shown)
    foreign = [n for n in dict.fromkeys(n for _, n in (*true, *found)) if file_for(n) is None]
    numbers = {name: str(i) for i, name in enumerate(foreign, start=1)}
    for box, name in true:
        draw_box(draw, [v * factor for v in box], numbers.get(name, name), BLUE, above=True)
    for box, name in found:
        draw_box(draw, [v * factor for v in box], numbers.get(name, name), RED, above=False)
    said = f"{called(cell)}: {len(true)} true boxes, {len(found)} found"
    names = [tag("small", f"{number}: {name}") for name, number in numbers.items()]
    return join([img(picture_uri(shown), said, "boxes"), *names], " ")


def draw_box(
    draw: ImageDraw.ImageDraw, box: list[float], name: str, color: str, *, above: bool
) -> None:
    """A frame with its name over it (solid) or under it (dashed), inside the picture."""
    x1, y1, x2, y2 = box
    width, height = draw.im.size
    letters = max(13, round(width / LABEL_SHARE))
    if above:
        draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=color, width=2)
    else:
        for a, b in (
            ((x1, y1), (x2, y1)),
            ((x2, y1), (x2, y2)),
            ((x2, y2), (x1, y2)),
            ((x1, y2), (x1, y1)),
        ):
            dashes(draw, a, b, color)
    font = ImageFont.truetype(file_for(name) or usual_file(), letters)
    name = clean(name)
    wide, high = draw.textbbox((0, 0), name, font=font)[2:]
    over = y1 - high - 4 if above else y2 + 1
    at = (max(0.0, min(x1, width - wide - 2)), max(0.0, min(over, height - high - 2)))
    left, top, right, bottom = draw.textbbox(at, name, font=font)
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill="white")
    draw.text(at, name, fill=color, font=font)


def dashes(
    draw: ImageDraw.ImageDraw, a: tuple[float, float], b: tuple[float, float], color: str
) -> None:
    """A dashed line."""
    length = math.hypot(b[0] - a[0], b[1] - a[1])
    for start in np.arange(0, length, 7.0):
        ends = [
            (a[0] + (b[0] - a[0]) * t / length, a[1] + (b[1] - a[1]) * t / length)
            for t in (start, min(start + 4, length))
        ]
        draw.line(ends, fill=color, width=2)


def show_tags(words: Sequence[str], true: Sequence[str], found: Sequence[str]) -> Markup:
    """A sentence with its spans: right, missed and wrong ones, in colour and in words."""
    from modalloy.judge.metrics.spans import spans_of

    truth, answer = set(spans_of(true)), set(spans_of(found))
    kinds = [(s, "right") for s in truth & answer]
    kinds += [(s, "missed") for s in truth - answer] + [(s, "wrong") for s in answer - truth]
    parts: list[Markup] = []
    at = 0
    for span, kind in sorted(kinds, key=lambda k: (k[0].first, k[1], k[0].last, k[0].kind)):
        if span.first >= WORD_LIMIT:
            break
        if span.first > at:
            parts.append(tag("span", " ".join(words[at : span.first]) + " "))
        said = {"right": "✓", "missed": "missed", "wrong": "✗"}[kind]
        label = tag("small", f"{said} {span.kind}")
        parts.append(
            tag("span", " ".join(words[span.first : span.last]), label, kind=f"span {kind}")
        )
        parts.append(Markup(" "))
        at = max(at, span.last)
    rest = words[at:WORD_LIMIT]
    return tag(
        "p", *parts, " ".join(rest) + (" …" if len(words) > WORD_LIMIT else ""), kind="tagged"
    )
