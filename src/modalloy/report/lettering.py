"""Letters in charts that every reader can see: a picture where this machine has the fonts, else a
drawing whose texts the reader's browser writes.
"""

import io
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from matplotlib import rc_context
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import FontEntry, fontManager, get_font
from matplotlib.text import Text
from PIL import Image

USUAL = "DejaVu Sans"  # comes with matplotlib
DPI = 150
PNG = b"\x89PNG"
# Letters that change beside their neighbours, from the Indic alphabets to Khmer; those written from
# right to left are known by their direction. matplotlib draws such letters one by one, wrongly.
JOINED = ((0x0900, 0x109F), (0x1780, 0x17FF))
WIDE, NARROW = "\N{EM DASH}", "n"  # as wide as a letter that no font here has


def drawn(canvas: Canvas) -> bytes:
    """The chart as PNG, its texts in fonts of this machine; as SVG where they cannot write them."""
    texts = canvas.findobj(Text)
    for text in texts:
        text.set_parse_math(False)  # a class may be called `5$ to 9$`
        text.set_text(clean(text.get_text()))
    fonts = fonts_for({letter for text in texts for letter in text.get_text()})
    if fonts is None:
        return svg(canvas)
    for text in texts:
        text.set_fontfamily(list(fonts))
    return png(canvas)


def png(canvas: Canvas) -> bytes:
    """The chart as a small PNG of 128 colours, the same bytes every time."""
    raw, out = io.BytesIO(), io.BytesIO()
    canvas.savefig(raw, format="png", metadata={"Software": None})
    picture = Image.open(raw).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def shape_of(data: bytes) -> tuple[str, int]:
    """The media type of a chart and its width in a browser's pixels, of which an inch has 96."""
    if data.startswith(PNG):
        return "image/png", round(int.from_bytes(data[16:20], "big") * 96 / DPI)
    points = re.search(rb'<svg[^>]* width="([0-9.]+)pt"', data)
    assert points, "neither of the two kinds of chart"
    return "image/svg+xml", round(float(points[1]) * 96 / 72)


def svg(canvas: Canvas) -> bytes:
    """The chart as SVG whose texts stay texts, the same bytes every time."""
    out = io.StringIO()
    canvas.set_dpi(72)  # an SVG is measured in points
    width, height = canvas.get_size_inches() * 72
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "modalloy"}):
        page = Page(canvas)
        nobody = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        page.renderer = Browser(width, height, out, image_dpi=DPI, metadata=nobody)
        canvas.draw(page.renderer)
        page.renderer.finalize()
    return out.getvalue().encode()


class Browser(RendererSVG):
    """Leaves texts to a browser, which knows more letters; only their size is estimated here."""

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
        """As of a text of the same length that the usual font can write."""
        return super().get_text_width_height_descent(stand_in(s), prop, ismath)


class Page(FigureCanvasBase):
    """Lets the layout be worked out with a `Browser`'s sizes."""

    renderer: Browser

    def get_renderer(self) -> Browser:
        """What matplotlib's layout measures texts with."""
        return self.renderer


def clean(name: object) -> str:
    """A name in one line, without letters that nobody sees."""
    unseen = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
    line = " ".join(str(name).split())
    return "".join("\ufffd" if unicodedata.category(c) in unseen else c for c in line)


def stand_in(text: str) -> str:
    """A text of about the same width in letters of the usual font."""
    known = letters_of(usual_file())
    out = []
    for letter in text:
        if letter in known and not joins(letter):
            out.append(letter)
        elif not unicodedata.combining(letter) and unicodedata.category(letter) not in ("Mn", "Cf"):
            wide = unicodedata.east_asian_width(letter) in "WF"
            out.append(WIDE if wide or ord(letter) > 0xFFFF else NARROW)
    return "".join(out)


def joins(letter: str) -> bool:
    """Whether it is written from right to left or takes its shape from its neighbours."""
    right_to_left = unicodedata.bidirectional(letter) in ("R", "AL", "AN")
    return right_to_left or any(low <= ord(letter) <= high for low, high in JOINED)


def fonts_for(letters: Iterable[str]) -> tuple[str, ...] | None:
    """Font families of this machine that write all of these letters, the usual one first."""
    wanted = frozenset(letters) - {"\n"}
    if any(map(joins, wanted)):
        return None
    missing = wanted - letters_of(usual_file())
    return (USUAL, *found) if (found := _fonts_with(missing)) is not None else None


def file_for(name: str) -> str | None:
    """The file of one font that writes all letters of a name, the usual one if it can."""
    wanted = frozenset(clean(name))
    if any(map(joins, wanted)):
        return None
    files = (usual_file(), *(entry.fname for entry in plain_fonts()))
    return next((file for file in files if wanted <= letters_of(file)), None)


def _fonts_with(missing: frozenset[str]) -> tuple[str, ...] | None:
    """As few families as cover the missing letters, the one that covers most first."""
    found: list[str] = []
    fonts = {e.name: letters_of(e.fname) for e in plain_fonts()} if missing else {}
    while missing:
        best = max(sorted(fonts), key=lambda name: len(missing & fonts[name]), default=None)
        if best is None or not missing & fonts[best]:
            return None
        found.append(best)
        missing -= fonts.pop(best)
    return tuple(found)


def plain_fonts() -> list[FontEntry]:
    """Upright fonts of ordinary weight whose glyphs are outlines; not those that draw boxes."""
    return [
        entry
        for entry in sorted(fontManager.ttflist, key=lambda e: e.name, reverse=True)
        if entry.style == "normal"
        and entry.weight in (400, "normal", "regular", "book")
        and entry.size == "scalable"
        and not entry.name.startswith("Last Resort")
    ]


@lru_cache(maxsize=1024)
def letters_of(file: str) -> frozenset[str]:
    """The letters that a font has; none where its file cannot be read."""
    try:
        font = get_font(file)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def usual_file() -> str:
    """The file of the font that comes with matplotlib."""
    return fontManager.findfont(USUAL)
