"""What parts of cells say, as pictures and pieces of HTML: warm colours speak for, blue against."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from modalloy.attribution.inside import WINDOWS, Inside, spans_of
from modalloy.report.charts import BLUE, FAINT, INK, RED, chart
from modalloy.report.html import Markup, data_uri, img, join, picture_uri, tag
from modalloy.report.lettering import drawn, shape_of

FOR, AGAINST = RED, BLUE
SIDE = 380  # pixels of a picture on the page
MOST_CHANNELS = 6
POINTS = 1200  # of a line
LEAST = 0.02  # share of the strongest part below which nothing is coloured
HARMONICS = 3  # of the shaft's speed that are marked


class Bar(NamedTuple):
    """One line of a chart of signed numbers."""

    name: Any
    value: float
    said: str
    error: float = 0.0


def bars(lines: Sequence[Bar]) -> Markup:
    """Signed numbers on one scale, from a line at zero; an error is a thin mark around the end."""
    most = max((abs(b.value) + b.error for b in lines), default=0.0) or 1.0

    def place(value: float) -> float:
        return 50 + 49 * value / most

    def line(bar: Bar) -> Markup:
        low, high = sorted((place(0.0), place(bar.value)))
        color = FOR if bar.value >= 0 else AGAINST
        box = f"left:{low:.2f}%;width:{max(high - low, 0.15):.2f}%"
        marks = [tag("i", style=f"{box};height:.85rem;background:{color};border-radius:2px")]
        if bar.error:
            left, wide = place(bar.value - bar.error), 98 * bar.error / most
            mark = f"left:{left:.2f}%;width:{wide:.2f}%;height:2px;background:{INK}"
            marks.append(tag("i", style=mark))
        marks.append(tag("i", style=f"left:50%;width:1px;height:1.3rem;background:{FAINT}"))
        name, said = tag("span", bar.name, kind="name"), tag("span", bar.said, kind="said")
        return tag("div", name, tag("div", *marks, kind="track"), said, kind="line")

    return tag("div", *(line(b) for b in lines), kind="dots")


def key() -> Markup:
    """What the colours mean."""
    swatch = "display:inline-block;width:.8em;height:.8em;border-radius:2px;background:"
    return tag(
        "p", tag("span", style=swatch + FOR), " speaks for it   ",
        tag("span", style=swatch + AGAINST), " speaks against it", kind="quiet",
    )  # fmt: skip


def draw_inside(inside: Inside, box: Sequence[float] = (), lines: Sequence[float] = ()) -> Markup:
    """One cell with its parts marked.

    box: of what is explained, in pixels of the picture. lines: multiples of the shaft's speed.
    """
    match inside.kind:
        case "image":
            return draw_picture(inside, box)
        case "text" | "tokens":
            return draw_words(inside)
        case "vector":
            said = [(p.said, p.share) for p in inside.places(10)]
            return bars([Bar(name, share, percent(share)) for name, share in said])
        case _:
            parts = [draw_stretches(inside)]
            if inside.bands:
                parts.append(draw_spectrum(inside, lines))
            return join(chart_image(data, inside.column) for data in parts)


def percent(share: float) -> str:
    """A signed share."""
    return f"{'−' if share < 0 else '+'}{abs(100 * share):.0f} %"


def chart_image(data: bytes, description: str) -> Markup:
    """A chart as wide as it was drawn."""
    kind, width = shape_of(data)
    return img(data_uri(data, kind), description, width=width)


def strength(part: np.ndarray, quantile: float = 0.998) -> np.ndarray:
    """Parts from -1 to 1; single extremes do not pale all others."""
    most = float(np.quantile(np.abs(part), quantile)) if part.size else 0.0
    most = most or float(np.abs(part).max(initial=0.0)) or 1.0
    return np.clip(part / most, -1.0, 1.0)


def draw_picture(inside: Inside, box: Sequence[float]) -> Markup:
    """The picture, and beside it the same with what speaks for and against coloured."""
    assert inside.values is not None
    pixels = np.moveaxis(inside.values, 0, -1)
    base = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
    width, height = inside.size
    factor = SIDE / max(width, height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    base = base.resize(size, Image.Resampling.BICUBIC)
    heat_HW = strength(inside.part)
    heat = Image.fromarray(heat_HW.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    heat_HW = np.asarray(heat)[..., None]
    grey = np.asarray(base.convert("L"), dtype=np.float32)[..., None].repeat(3, -1)
    color = np.where(heat_HW > 0, rgb(FOR), rgb(AGAINST))
    alpha = np.abs(heat_HW) ** 0.8 * 0.75
    over = Image.fromarray((grey * (1 - alpha) + color * alpha).clip(0, 255).astype(np.uint8))
    if len(box) == 4:
        ends = [v * factor for v in box]
        ImageDraw.Draw(over).rectangle(ends, outline=INK, width=2)
    said = f"{inside.column}: what speaks for the answer in warm colours, against it in blue"
    pair = [img(picture_uri(base), inside.column), img(picture_uri(over, quality=88), said)]
    style = "display:flex;flex-wrap:wrap;gap:.8rem"
    return tag("div", *pair, style=style)


def rgb(color: str) -> np.ndarray:
    """A colour as three numbers."""
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float32)


def draw_words(inside: Inside) -> Markup:
    """A text, each word as strongly coloured as it speaks."""
    heat_W, total = strength(inside.part, 1.0), float(np.abs(inside.part).sum()) or 1.0
    parts: list[Any] = []
    for word, heat, value in zip(inside.words, heat_W, inside.part, strict=True):
        if parts and word not in tuple(".,;:!?)]%"):
            parts.append(" ")
        if abs(heat) < LEAST:
            parts.append(word)
            continue
        red, green, blue = rgb(FOR if heat > 0 else AGAINST).astype(int)
        style = f"background:rgba({red},{green},{blue},{0.75 * abs(heat):.2f})"
        title = percent(float(value) / total)
        parts.append(tag("span", word, kind="span", style=style, title=title))
    return tag("p", *parts, style="line-height:2;max-width:none;font-size:1.02rem")


def draw_stretches(inside: Inside) -> bytes:
    """Each channel over time, its stretches as strongly coloured as they speak; the six channels
    that say most.
    """
    assert inside.values is not None
    part_CL, x_CL = np.atleast_2d(inside.part), np.atleast_2d(inside.values)
    order = np.sort(np.argsort(-np.abs(part_CL).sum(1), kind="stable")[:MOST_CHANNELS])
    length = x_CL.shape[1]
    spans = spans_of(length, WINDOWS)
    sum_CW = np.add.reduceat(part_CL, [a for a, _ in spans], axis=1)
    heat_CW = strength(sum_CW, 1.0)
    scale = inside.rate_hz or 1.0
    count = len(order)
    canvas, axes = chart(8.6, 0.9 + 1.25 * count, rows=count, heights=(1,) * count)
    for axis, c in zip(np.atleast_1d(axes), order.tolist(), strict=True):
        for w, heat in enumerate(heat_CW[c]):
            if abs(heat) >= LEAST:
                color = FOR if heat > 0 else AGAINST
                ends = (spans[w][0] / scale, spans[w][1] / scale)
                axis.axvspan(*ends, color=color, alpha=0.6 * abs(heat), lw=0)
        at, y = thinned(x_CL[c])
        axis.plot(at / scale, y, color=INK, lw=0.7)
        axis.set_xlim(0, length / scale)
        axis.set_ylabel(f"channel {c}" if len(x_CL) > 1 else "", fontsize=8)
        axis.grid(visible=False)
    np.atleast_1d(axes)[-1].set_xlabel("seconds" if inside.rate_hz else "samples")
    return drawn(canvas)


def thinned(x_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and values of a line; of every stretch of a long one its lowest and highest."""
    if len(x_L) <= POINTS:
        return np.arange(len(x_L)), x_L
    parts = np.array_split(np.arange(len(x_L)), POINTS // 2)
    at = np.concatenate([np.sort([p[x_L[p].argmin()], p[x_L[p].argmax()]]) for p in parts])
    return at, x_L[at]


def draw_spectrum(inside: Inside, lines: Sequence[float]) -> bytes:
    """Power over frequency, bands coloured by what the score loses without them, with lines at the
    shaft's speed and at multiples of it.
    """
    assert inside.values is not None
    x_CL = np.atleast_2d(inside.values).astype(np.float64)
    length = x_CL.shape[1]
    window = np.hanning(length)
    power = (np.abs(np.fft.rfft(x_CL * window)) ** 2).mean(0)
    hz = np.fft.rfftfreq(length, 1 / inside.rate_hz)
    bins = np.array_split(np.arange(len(power)), min(400, len(power)))
    level = np.array([10 * np.log10(power[b].mean() + 1e-12) for b in bins])
    at = np.array([hz[b].mean() for b in bins])
    canvas, axis = chart(8.6, 2.5)
    heat_B = strength(np.array([b.value for b in inside.bands]), 1.0)
    for band, heat in zip(inside.bands, heat_B, strict=True):
        if abs(heat) >= LEAST:
            color = FOR if heat > 0 else AGAINST
            axis.axvspan(band.low_hz, band.high_hz, color=color, alpha=0.6 * abs(heat), lw=0)
    axis.plot(at, level, color=INK, lw=0.9)
    low, high = np.quantile(level, 0.02) - 5, level.max() + 8
    axis.set(xlim=(0, inside.rate_hz / 2), ylim=(low, high), xlabel="Hz", ylabel="power [dB]")
    if inside.speed_hz:
        for k in range(1, HARMONICS + 1):
            axis.axvline(k * inside.speed_hz, color=FAINT, lw=1, ls=":")
            axis.text(k * inside.speed_hz, high - 3, f"{k}×", fontsize=7, color=FAINT)
        for line in lines:
            axis.axvline(line * inside.speed_hz, color=INK, lw=1, ls="--")
            axis.text(line * inside.speed_hz, high - 6, f"{line:g}×", fontsize=7, color=INK)
    axis.grid(visible=False)
    return drawn(canvas)
