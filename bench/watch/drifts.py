"""What befalls numbers, pictures, texts and channels in the bench: rows in, drifted rows out."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter

from modalloy.attacks.typos import typos

Rows = pd.DataFrame


class Set(NamedTuple):
    """A data set: its column that drifts, and how: name -> rows in, drifted rows out."""

    name: str
    column: str
    drifts: dict[str, Callable[[Rows, np.random.Generator], Rows]]


def number(change: Callable[[np.ndarray], np.ndarray], column: str) -> Any:
    """A drift of a number."""
    return lambda rows, draw: rows.assign(**{column: change(rows[column].to_numpy(float))})


def stuck(x_N: np.ndarray) -> np.ndarray:
    """The last three of ten rows hold what the row before them held."""
    at = int(0.7 * len(x_N))
    return np.where(np.arange(len(x_N)) < at, x_N, x_N[at])


def camera(change: Callable[[Image.Image, np.random.Generator], Image.Image]) -> Any:
    """A drift of pictures, as PNG files in the cells."""

    def drift(rows: Rows, draw: np.random.Generator) -> Rows:
        cells = []
        for path in rows["image"]:
            out = io.BytesIO()
            change(Image.open(path).convert("L"), draw).save(out, "PNG")
            cells.append(out.getvalue())
        return rows.assign(image=cells)

    return drift


def dirty(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Two soft blots, a tenth of the picture wide, always near the same places."""
    width, height = picture.size
    light = Image.new("L", picture.size, 255)
    for x, y in ((0.3, 0.35), (0.7, 0.6)):
        x, y = x + draw.normal(0, 0.02), y + draw.normal(0, 0.02)
        box = [(x - 0.06) * width, (y - 0.06) * height, (x + 0.06) * width, (y + 0.06) * height]
        ImageDraw.Draw(light).ellipse(box, fill=70)
    light = light.filter(ImageFilter.GaussianBlur(0.01 * width))
    dimmed = np.asarray(picture, float) * np.asarray(light, float) / 255.0
    return Image.fromarray(dimmed.astype(np.uint8))


def misspelt(rows: Rows, draw: np.random.Generator) -> Rows:
    """One word of eight has a typo."""

    def word(w: str) -> str:
        options = typos(w) if draw.random() < 0.125 else []
        return options[draw.integers(len(options))] if options else w

    return rows.assign(text=[" ".join(map(word, t.split())) for t in rows["text"]])


def other_words(rows: Rows, draw: np.random.Generator) -> Rows:
    """Customers of another country: some words are theirs."""
    theirs = {
        "card": "plastic", "account": "ledger", "money": "funds", "transfer": "wire", "top": "load",
        "my": "our", "cash": "notes", "payment": "remittance", "why": "what for", "pin": "code",
    }  # fmt: skip
    del draw
    swap = [" ".join(theirs.get(w.lower(), w) for w in t.split()) for t in rows["text"]]
    return rows.assign(text=swap)


CHANNEL = "s04"


def channel(change: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]) -> Any:
    """A drift of a channel: samples, the deviation of all of them, chance -> samples."""

    def drift(rows: Rows, draw: np.random.Generator) -> Rows:
        cells = [np.asarray(c, float) for c in rows[CHANNEL]]
        spread = float(np.concatenate(cells).std())
        return rows.assign(**{CHANNEL: [change(c, spread, draw) for c in cells]})

    return drift


def rising(rows: Rows, draw: np.random.Generator) -> Rows:
    """From row to row a little more, one deviation in the end."""
    del draw
    cells = [np.asarray(c, float) for c in rows[CHANNEL]]
    spread = float(np.concatenate(cells).std())
    more = np.linspace(0.0, spread, len(cells))
    return rows.assign(**{CHANNEL: [c + m for c, m in zip(cells, more, strict=True)]})


SETS = (
    Set(
        "bike_frames",
        "dt_length",
        {
            "number shifted by 0.4 deviations": number(
                lambda x: x + 0.4 * np.nanstd(x), "dt_length"
            ),
            "number scaled by 1.3": number(
                lambda x: np.nanmean(x) + 1.3 * (x - np.nanmean(x)), "dt_length"
            ),
            "number stuck in the last 30 %": number(stuck, "dt_length"),
        },
    ),
    Set(
        "elpv",
        "image",
        {
            "blur of 1 % of the width": camera(
                lambda p, _: p.filter(ImageFilter.GaussianBlur(0.01 * p.width))
            ),
            "brightness x 0.85": camera(lambda p, _: p.point(lambda v: 0.85 * v)),
            "two blots of dirt": camera(dirty),
        },
    ),
    Set("banking77", "text", {"other words": other_words, "typos in 1 of 8 words": misspelt}),
    Set(
        "cmapss_fd001",
        "sensors",
        {
            "channel's gain x 1.01": channel(lambda x, s, d: 1.01 * x),
            "channel's noise of 0.5 deviations": channel(
                lambda x, s, d: x + d.normal(0, 0.5 * s, len(x))
            ),
            "channel drifting to 1 deviation": rising,
            "channel lost (0)": channel(lambda x, s, d: 0.0 * x),
        },
    ),
)
