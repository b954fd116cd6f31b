"""Pieces of HTML - tables, dot charts, pictures - with every text escaped."""

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from PIL import Image

# Control characters have no place in HTML; marks that turn the direction of text could disguise it.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


class Markup(str):
    """HTML that is already safe; any other string is escaped before it reaches a page."""


class Dot(NamedTuple):
    """One line of a dot chart; `low` and `high` are the ends of its interval."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    said: str = ""
    main: bool = False


def safe(value: Any) -> str:
    """Text as HTML: what is not Markup is escaped, and broken characters are replaced."""
    if isinstance(value, Markup):
        return str(value)
    text = str(value).encode("utf-8", errors="replace").decode("utf-8")
    return html.escape(UNSEEN.sub("\ufffd", text), quote=True)


def tag(name: str, *inner: Any, kind: str = "", **attributes: str) -> Markup:
    """An element; `kind` is its class."""
    given = {"class": kind, **attributes} if kind else attributes
    said = "".join(f' {k.rstrip("_").replace("_", "-")}="{safe(v)}"' for k, v in given.items())
    return Markup(f"<{name}{said}>{''.join(safe(i) for i in inner)}</{name}>")


def join(parts: Iterable[Any], between: str = "") -> Markup:
    """Pieces one after another."""
    return Markup(between.join(safe(p) for p in parts))


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], *, numbers: int = 1) -> Markup:
    """A table that scrolls on a narrow screen; columns from `numbers` on are right-aligned."""
    sides = ["n" if i >= numbers else "" for i in range(len(head))]
    first = join(tag("th", h, kind=s, scope="col") for h, s in zip(head, sides, strict=True))
    body = join(
        tag("tr", *(tag("td", c, kind=s) for c, s in zip(row, sides, strict=True))) for row in rows
    )
    whole = tag("table", tag("thead", tag("tr", first)), tag("tbody", body))
    return tag("div", whole, kind="scroll", tabindex="0")


def fold(title: Any, *inner: Any, opened: bool = False) -> Markup:
    """A part that opens on a click."""
    mark = " open" if opened else ""
    return Markup(f"<details{mark}>{tag('summary', title)}{join(inner)}</details>")


def dots(lines: Sequence[Dot], *, ends: tuple[str, str] | None = None) -> Markup:
    """Values side by side on one scale, each with its interval as a bar.

    ends: what stands at the scale's left and right; its ends are the extreme values otherwise.
    """
    known = [d for d in lines if math.isfinite(d.value)]
    if not known:
        return Markup("")
    edges = [v for d in known for v in (d.value, d.low, d.high) if v is not None]
    low, high = min(edges), max(edges)
    room = (high - low) * 0.04 or max(abs(high), 1.0) * 0.05
    low, high = low - room, high + room

    def place(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.2f}%"

    def line(dot: Dot) -> Markup:
        marks = [tag("i", kind="dot", style=f"left:{place(dot.value)}")]
        if dot.low is not None and dot.high is not None:
            width = 100 * (dot.high - dot.low) / (high - low)
            at = f"left:{place(dot.low)};width:{width:.2f}%"
            marks.insert(0, tag("i", kind="range", style=at))
        name, said = tag("span", dot.name, kind="name"), tag("span", dot.said, kind="said")
        return tag(
            "div",
            name,
            tag("div", *marks, kind="track"),
            said,
            kind="line main" * dot.main or "line",
        )

    scale = tag("div", tag("span", ends[0]), tag("span", ends[1]), kind="ends") if ends else ""
    return tag("div", *(line(d) for d in known), scale, kind="dots")


def picture_uri(picture: Image.Image, *, quality: int = 80) -> str:
    """A picture as a data address, as JPEG."""
    data = io.BytesIO()
    picture.convert("L" if picture.mode in ("L", "1") else "RGB").save(
        data, "JPEG", quality=quality, optimize=True
    )
    return data_uri(data.getvalue(), "image/jpeg")


def data_uri(data: bytes, kind: str) -> str:
    """Bytes as an address that needs no network."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def img(address: str, description: str, kind: str = "", width: int | None = None) -> Markup:
    """A picture from a data address."""
    assert address.startswith("data:"), "a report must not point outside itself"
    shape = f' class="{safe(kind)}"' if kind else ""
    shape += f' width="{width}"' if width else ""
    return Markup(f'<img{shape} src="{address}" alt="{safe(description)}">')


def short(text: Any, letters: int) -> str:
    """A text cut to so many letters."""
    text = str(text)
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"
