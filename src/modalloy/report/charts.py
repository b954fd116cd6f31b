"""Charts as bytes, through matplotlib's objects alone, without state between them.

Colours are Okabe and Ito's (2008), told apart by colour-blind readers; shapes and words carry the
same difference.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from modalloy.readers.number import from_log, to_log
from modalloy.report.html import short
from modalloy.report.lettering import DPI, clean, drawn

BLUE, ORANGE, GREEN, RED, SKY, PURPLE = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7"
)  # fmt: skip
LINES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, "#7f7f7f", "#b8a600")
INK, FAINT, GRID = "#1f2933", "#5b6770", "#e3e7ea"
SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#cfe3f1", "#4f9acb", "#004b7a"])


def matrix(counts_CC: np.ndarray, names: Sequence[str]) -> bytes:
    """A confusion matrix: rows are the truth, shades the share of each row, numbers the rows."""
    classes = len(names)
    side = float(np.clip(1.7 + 0.42 * classes, 3.2, 8.6))
    canvas, axes = chart(side + 0.4, side)
    share = counts_CC / np.maximum(counts_CC.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap=SHADES, vmin=0.0, vmax=1.0, aspect="equal")
    axes.grid(visible=False)
    said = apart(names)
    size = 9 if classes <= 12 else 6.5
    axes.set_xticks(range(classes), said, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(classes), said)
    axes.tick_params(length=0, labelsize=size)
    for i, j in zip(*np.nonzero(counts_CC), strict=True):
        color = "#ffffff" if share[i, j] > 0.55 else INK
        axes.text(
            j, i, f"{counts_CC[i, j]:d}", ha="center", va="center", color=color, fontsize=size
        )
    axes.set(xlabel="answer", ylabel="truth")
    return drawn(canvas)


def apart(names: Sequence[str], letters: int = 20) -> list[str]:
    """Names cut to so many letters and still told apart: at their end, else in their middle, else
    with their number in front.
    """
    names = [clean(n) for n in names]
    said = [short(n, letters) for n in names]
    half = letters // 2
    middle = [n if len(n) <= letters else f"{n[: half - 1]}…{n[-half:]}" for n in names]
    said = [m if said.count(s) > 1 else s for s, m in zip(said, middle, strict=True)]
    counts = Counter(said)
    return [
        s if counts[s] == 1 else short(f"{i}: {n}", letters)
        for i, (s, n) in enumerate(zip(said, names, strict=True), start=1)
    ]


def precision_recall(curves: Sequence[tuple[str, np.ndarray, np.ndarray]], base: float) -> bytes:
    """Precision over recall of each (name, precision, recall); `base` is what chance gives.

    Recall ascends. The area under the steps is the average precision.
    """
    canvas, axes = chart(5.2, 4.2)
    for (name, precision, recall), color in zip(curves, LINES, strict=False):
        axes.step(recall, precision, where="pre", color=color, lw=1.8, label=name)
    if np.isfinite(base):
        axes.axhline(base, color=FAINT, lw=1, ls=":", label=f"by chance {base:.2f}")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
    axes.set(
        xlabel="recall: share of true cases found", ylabel="precision: share of finds that hold"
    )
    legend(axes, fontsize=8, loc="lower left")
    return drawn(canvas)


def reliability(sure: np.ndarray, right: np.ndarray, bins: int = 10) -> bytes:
    """Share answered right over stated certainty in equal bins with 95 % Wilson intervals, and how
    often each certainty is stated. sure, right: (n,)."""
    canvas, (axes, below) = chart(5.0, 5.0, rows=2, heights=(3, 1))
    edges = np.linspace(0.0, 1.0, bins + 1)
    bin_n = np.clip(np.digitize(sure, edges[1:-1]), 0, bins - 1)
    count = np.bincount(bin_n, minlength=bins).astype(float)
    used = count > 0
    total = np.maximum(count, 1)
    x = np.bincount(bin_n, weights=sure, minlength=bins)[used] / total[used]
    y = np.bincount(bin_n, weights=right, minlength=bins)[used] / total[used]
    low, high = wilson(y, count[used])
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=":", label="stated = true")
    axes.errorbar(x, y, [y - low, high - y], color=BLUE, marker="o", ms=5, lw=1.6, capsize=2)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), ylabel="share answered right")
    legend(axes, fontsize=8, loc="upper left")
    axes.tick_params(labelbottom=False)
    below.bar(edges[:-1], count, width=1 / bins, align="edge", color=SKY, ec="white")
    below.set(xlim=(0, 1.02), xlabel="certainty stated", ylabel="answers")
    return drawn(canvas)


def true_against_answer(
    truth: np.ndarray, value: np.ndarray, unit: str, *, log: bool = False
) -> bytes:
    """Answers over true values. truth, value: (n,), in `unit`; log: spaced as `to_log` says."""
    canvas, axes = chart(4.6, 4.2)
    of = f" [{unit}]" if unit else ""
    low, high = min(truth.min(), value.min()), max(truth.max(), value.max())
    axes.plot([low, high], [low, high], color=FAINT, lw=1, ls=":", label="exact")
    few = len(truth) <= 800
    axes.scatter(truth, value, s=14 if few else 6, color=BLUE, alpha=0.55 if few else 0.3, lw=0)
    axes.set(xlabel=f"truth{of}", ylabel=f"answer{of}")
    if log:
        ticks = amounts(float(low), float(high))
        said = [f"{t:g}" for t in ticks]
        axes.set_xscale("function", functions=(to_log, from_log))
        axes.set_yscale("function", functions=(to_log, from_log))
        axes.set_xticks(ticks, said)
        axes.set_yticks(ticks, said)
    legend(axes, fontsize=8, loc="upper left")
    return drawn(canvas)


def amounts(low: float, high: float, most: int = 8) -> list[float]:
    """Round amounts between two, about evenly apart on `to_log`'s scale; powers of ten first."""
    gap = (to_log(np.array(high)) - to_log(np.array(low))) / most
    powers = 10.0 ** np.arange(np.ceil(np.log10(max(abs(low), abs(high), 1.0))) + 1)
    kept: list[float] = []
    for step in (0.0, 1.0, 5.0, 2.0):
        for t in (sign * step * p for p in powers for sign in (1, -1)):
            free = all(abs(to_log(np.array(t)) - to_log(np.array(k))) >= gap for k in kept)
            if low <= t <= high and free:
                kept.append(t)
    return sorted(kept) if len(kept) > 2 else [*MaxNLocator(4).tick_values(low, high)]


def errors(wrong: np.ndarray, unit: str) -> bytes:
    """How far answers lie from the truth, by sign. wrong: (n,), answer minus truth."""
    canvas, axes = chart(4.6, 4.2)
    axes.hist(wrong, bins=min(40, max(8, len(wrong) // 12)), color=SKY, ec="white", lw=0.5)
    axes.axvline(0, color=FAINT, lw=1, ls=":")
    middle = float(np.median(wrong))
    axes.axvline(middle, color=RED, lw=1.4, label=f"median {middle:.3g} {unit}".rstrip())
    axes.set(xlabel=f"answer minus truth{f' [{unit}]' if unit else ''}", ylabel="rows")
    legend(axes, fontsize=8, loc="upper left")
    axes.margins(y=0.22)
    return drawn(canvas)


def training(
    epochs: Sequence[float],
    lines: Mapping[str, Sequence[Any]],
    says: str,
    best: float | None = None,
) -> bytes:
    """Curves over epochs, None where nothing was measured; `says` names the upright axis."""
    canvas, axes = chart(4.6, 3.6)
    for (name, values), color in zip(lines.items(), LINES, strict=False):
        y = np.array([np.nan if v is None else v for v in values], dtype=float)
        ok = np.isfinite(y)
        axes.plot(np.asarray(epochs)[ok], y[ok], color=color, lw=1.8, marker="o", ms=3, label=name)
    if best is not None:
        axes.axvline(best, color=FAINT, lw=1, ls=":", label=f"best epoch {best}")
    axes.set(xlabel="epoch", ylabel=says)
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend(axes, fontsize=8)
    return drawn(canvas)


def cost_curve(
    threshold: Sequence[float], cost: Sequence[float], chosen: float | None, decided: float, of: str
) -> bytes:
    """Mean cost a row over the probability of `of` from which rows are taken for it, the chosen
    threshold, and what the decisions cost with all they may do."""
    canvas, axes = chart(5.2, 3.6)
    axes.plot(threshold, cost, color=BLUE, lw=1.8, label="nobody asked")
    axes.axhline(decided, color=GREEN, lw=1.4, ls="--", label="as decided")
    if chosen is not None:
        axes.axvline(chosen, color=FAINT, lw=1, ls=":", label=f"chosen {chosen:.3f}")
    axes.set(xlim=(0, 1), xlabel=f"threshold on {short(clean(of), 20)}", ylabel="cost a row")
    axes.set_ylim(bottom=0)
    legend(axes, fontsize=8)
    return drawn(canvas)


def wilson(share: np.ndarray, count: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % interval of a share seen in so many rows (Wilson 1927)."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return np.minimum(middle - half, share), np.maximum(middle + half, share)


def chart(
    width: float, height: float, *, rows: int = 1, heights: tuple[int, ...] = (1,)
) -> tuple[Canvas, Any]:
    """A canvas of so many inches with its axes, one below the other, in the house style."""
    canvas = Canvas(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    axes = canvas.subplots(rows, height_ratios=heights)
    for one in np.atleast_1d(axes).ravel():
        dress(one)
    return canvas, axes


def legend(axes: Axes, **options: Any) -> None:
    """Names beside their lines; matplotlib alone would leave out names that begin with `_`."""
    own = ("_child", "_nolegend_")
    lines = [line for line in axes.lines if not str(line.get_label()).startswith(own)]
    made = axes.legend(lines, [str(i) for i in range(len(lines))], frameon=False, **options)
    for text, line in zip(made.get_texts(), lines, strict=True):
        text.set_text(str(line.get_label()))


def dress(axes: Axes) -> None:
    """Thin grey lines, no frame: the data is the darkest thing."""
    axes.set_axisbelow(True)
    axes.grid(color=GRID, lw=0.8)
    axes.tick_params(colors=FAINT, labelsize=8.5, length=0)
    axes.xaxis.label.set(color=INK, size=9.5)
    axes.yaxis.label.set(color=INK, size=9.5)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#b7c0c7")
