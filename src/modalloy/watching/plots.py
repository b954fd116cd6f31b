"""Charts of a window over the rows that a run knows."""

import numpy as np

from modalloy.drift.sketch import Sketch
from modalloy.readers.targets.target import names_of
from modalloy.report.charts import BLUE, FAINT, ORANGE, RED, apart, chart, legend
from modalloy.report.lettering import drawn
from modalloy.watching.comparisons import Comparison
from modalloy.watching.drifts import Window

BINS = 32
MOST_NAMES = 12
KNOWN, NEW = "training", "this window"


def over(sketch: Sketch, x_B: np.ndarray, name: str) -> bytes:
    """A histogram of the window over that of training, both as shares of rows."""
    x_B = x_B[np.isfinite(x_B)]
    ends = np.concatenate([sketch.points_K, x_B])
    low, high = np.quantile(ends, [0.005, 0.995])
    if low == high:
        low, high = float(ends.min()) - 0.5, float(ends.max()) + 0.5
    edges = np.linspace(low, high, BINS + 1)
    old = np.diff(sketch.below(edges, strictly=True))
    old[-1] += sketch.below(edges[-1:])[0] - sketch.below(edges[-1:], strictly=True)[0]
    new = np.histogram(x_B, edges)[0] / max(len(x_B), 1)
    canvas, axes = chart(5.2, 3.4)
    wide = edges[1] - edges[0]
    axes.bar(edges[:-1], old, width=wide, align="edge", color=BLUE, alpha=0.35, lw=0)
    axes.bar(edges[:-1], new, width=wide, align="edge", color=ORANGE, alpha=0.55, lw=0)
    _named(axes)
    axes.set(xlabel=name, ylabel="share of rows")
    return drawn(canvas)


def scores(old_N: np.ndarray, new_B: np.ndarray) -> bytes:
    """Histograms of how unlike training rows are, of both kinds."""
    new_B = new_B[np.isfinite(new_B)]
    low, high = np.quantile(np.concatenate([old_N, new_B]), [0.002, 0.998])
    edges = np.linspace(low, high, BINS + 1)
    canvas, axes = chart(5.2, 3.4)
    for x, color, alpha in ((old_N, BLUE, 0.35), (new_B, ORANGE, 0.55)):
        share = np.histogram(x, edges)[0] / max(len(x), 1)
        wide = edges[1] - edges[0]
        axes.bar(edges[:-1], share, width=wide, align="edge", color=color, alpha=alpha, lw=0)
    _named(axes)
    axes.set(xlabel="how unlike training", ylabel="share of rows")
    return drawn(canvas)


def counts_of(window: Window, alarm: Comparison) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names with the shares of rows that have them, known and new."""
    reference, seen, loader = window.reference, window.seen, window.loader
    if alarm.kind == "classes":
        called = names_of(loader.targets[alarm.where]) or []
        pair = (reference.said[alarm.where].name_B, seen.said[alarm.where].name_B)
        old, new = (np.bincount(p, minlength=len(called)) for p in pair)
    else:
        called = list(getattr(loader.readers[alarm.where], "names", ()))
        known = reference.names[alarm.where]
        old = (known.learned_C + known.held_C)[1:]
        name_B = seen.names[alarm.where]
        new = np.bincount(name_B[name_B > 0].astype(np.int64), minlength=len(called) + 1)[1:]
    old, new = old / max(old.sum(), 1), new / max(new.sum(), 1)
    order = np.argsort(-np.abs(new - old), kind="stable")[:MOST_NAMES]
    return [called[i] for i in order], old[order], new[order]


def shares(names: list[str], old_C: np.ndarray, new_C: np.ndarray) -> bytes:
    """Two bars a name, those that have changed most first."""
    canvas, axes = chart(5.2, 1.2 + 0.34 * len(names))
    at = np.arange(len(names))
    axes.barh(at - 0.2, old_C, height=0.38, color=BLUE, alpha=0.45)
    axes.barh(at + 0.2, new_C, height=0.38, color=ORANGE, alpha=0.75)
    axes.set_yticks(at, apart(names))
    axes.invert_yaxis()
    _named(axes)
    axes.set(xlabel="share of rows")
    return drawn(canvas)


def in_order(score_B: np.ndarray, since: int | None) -> bytes:
    """How far each row points the way of the drift, in order, with their running mean."""
    canvas, axes = chart(5.2, 3.4)
    there = np.flatnonzero(np.isfinite(score_B))
    axes.scatter(there, score_B[there], s=6, color=ORANGE, alpha=0.4, lw=0)
    width = max(3, len(there) // 20)
    if len(there) >= 2 * width:
        mean = np.convolve(score_B[there], np.ones(width) / width, "valid")
        middle = there[width // 2 : width // 2 + len(mean)]
        axes.plot(middle, mean, color=BLUE, lw=1.8, label=f"mean of {width} rows")
    if since is not None:
        axes.axvline(since, color=RED, lw=1.4, ls="--", label="since here")
    low, high = np.quantile(score_B[there], [0.005, 0.995])
    if low < high:
        axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    axes.set(xlabel="row, in order", ylabel="how far the way of the drift")
    if axes.lines:
        legend(axes, fontsize=8)
    return drawn(canvas)


def _named(axes) -> None:
    """Both kinds of rows beside the bars."""
    axes.plot([], [], color=BLUE, lw=6, alpha=0.45, label=KNOWN)
    axes.plot([], [], color=ORANGE, lw=6, alpha=0.75, label=NEW)
    axes.tick_params(colors=FAINT)
    legend(axes, fontsize=8)
