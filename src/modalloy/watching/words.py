"""Drift in words: a sentence a finding, its size in the column's own unit."""

from typing import Literal

import numpy as np

from modalloy.drift.shares import stability, stability_of
from modalloy.drift.sketch import Sketch
from modalloy.drift.units import unit_jump
from modalloy.observing.reference import Counts
from modalloy.observing.seen import TOGETHER, Say
from modalloy.watching.beside import Beside
from modalloy.watching.comparisons import Comparison
from modalloy.watching.watched import Estimated, Watched

Much = Literal["slight", "moderate", "large"]
STABLE, UNSTABLE = 0.1, 0.25  # population stability index: the usual limits of a moderate and large
STUCK = 0.15  # how many more rows than in training hold one and the same number
SHIFTED = 0.2  # deviations that a median must have moved to be said


def say_window(watched: Watched) -> str:
    """The window as a whole."""
    of = f" of {watched.rows}" if watched.looked < watched.rows else ""
    said = f"{watched.looked}{of} rows beside {watched.known} that the run knows: "
    if not watched.tests:
        return f"{said}too few rows to tell whether anything has drifted."
    if not watched.drifts:
        return (
            f"{said}nothing has drifted ({watched.tests} tests; without drift, an alarm is raised "
            f"in at most {100 * watched.level:.0f} % of windows)."
        )
    places = list(dict.fromkeys(d.where for d in watched.drifts))
    named = ", ".join(places[:6]) + (f" and {len(places) - 6} more" if len(places) > 6 else "")
    return f"{said}drift in {named}."


def say_estimate(e: Estimated) -> str:
    """How well a task is answered, as far as that can be told, and the truth beside it."""
    figure = {"accuracy": "share answered right", "mae": "mean error"}[e.figure]
    parts = []
    if e.value is None:
        parts.append(f"{e.task}: {figure} cannot be told without labels: {e.why}")
    else:
        span = f"{amount(e, e.low)} to {amount(e, e.high)}"
        parts.append(
            f"{e.task}: {figure} about {amount(e, e.value)} ({span}) by how sure the answers are; "
            f"trust it {e.trust}: {e.why}"
        )
    if e.true is not None:
        span = f"{amount(e, e.true_low)} to {amount(e, e.true_high)}"
        parts.append(f"true on {e.labelled} labelled rows {amount(e, e.true)} ({span})")
    if e.known is not None:
        parts.append(f"on held-back rows of training {amount(e, e.known)}")
    return "; ".join(parts)


def amount(e: Estimated, value: float | None) -> str:
    """A figure as it is read."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if e.figure == "accuracy" else f"{value:.3g} {e.unit}".rstrip()


def say_number(name: str, sketch: Sketch, x_B: np.ndarray, unit: str) -> tuple[str, Much, float]:
    """A number that lies elsewhere: what happened, how much, and its stability index."""
    x_B = x_B[np.isfinite(x_B)]
    index = stability_of(sketch, x_B)
    much, of = grade(index), f" {unit}" if unit else ""
    was, now = sketch.median, float(np.median(x_B))
    medians = f"median {now:.3g}{of}, in training {was:.3g}{of}"
    values, counts = np.unique(x_B, return_counts=True)
    most = float(values[counts.argmax()])
    before = float(sketch.below(np.array([most]))[0])
    before -= float(sketch.below(np.array([most]), strictly=True)[0])
    share = counts.max() / len(x_B)
    deviation = sketch.spread or max(abs(was), 1.0) * 1e-3
    if (factor := unit_jump(sketch, x_B)) is not None:
        return (
            f"{name}: {factor} as in training ({medians}), perhaps in another unit",
            "large",
            index,
        )
    if (share - before > STUCK and share < 1.0) or (share == 1.0 and len(sketch.points_K) > 1):
        same = f"{100 * share:.0f} % of rows hold {most:.4g}{of}, in training {100 * before:.0f} %"
        return f"{name}: {same}, perhaps it is stuck", much, index
    if abs(now - was) > SHIFTED * deviation:
        side = "higher" if now > was else "lower"
        return f"{name}: {side}, {medians} ({much}, PSI {index:.2f})", much, index
    wide = Sketch.of(x_B).spread / deviation
    if wide > 1.15 or wide < 0.87:
        spread = f"spreads {wide:.2g} times as wide as in training ({much}, PSI {index:.2f})"
        return f"{name}: {spread}", much, index
    return f"{name}: distributed otherwise than in training, {medians} ({much})", much, index


def grade(index: float) -> Much:
    """A stability index in a word."""
    return "slight" if index < STABLE else "moderate" if index < UNSTABLE else "large"


def say_missing(test: Comparison, was: int, rows: int) -> tuple[str, Much]:
    """Cells that are not there, or cannot be read."""
    before = was / max(rows, 1)
    now = before + test.size
    much: Much = (
        "slight" if abs(test.size) < 0.05 else "moderate" if abs(test.size) < 0.2 else "large"
    )
    return (
        f"{test.where}: {100 * now:.1f} % of cells are missing or unreadable, in training "
        f"{100 * before:.1f} %",
        much,
    )


def say_new(test: Comparison, example: str) -> tuple[str, Much]:
    """Names that training never had. example: one of them."""
    share = float((test.score_B > 0).mean())
    much: Much = "slight" if share < 0.05 else "moderate" if share < 0.2 else "large"
    return (
        f"{test.where}: {100 * share:.1f} % of rows have names that training never had (e.g. "
        f"'{example}'), {100 * (share - test.size):.1f} % of held-back rows",
        much,
    )


def say_names(
    where: str, called: list[str], known: Counts, name_B: np.ndarray
) -> tuple[str, Much, float]:
    """Names that come more or less often. called: the names, without the one of new ones."""
    old_C = (known.learned_C + known.held_C)[1:]
    new_C = np.bincount(name_B[name_B > 0].astype(np.int64), minlength=len(old_C) + 1)[1:]
    said, index = moved(called, old_C, new_C, "in training")
    return f"{where}: {said} ({grade(index)}, PSI {index:.2f})", grade(index), index


def say_classes(where: str, called: list[str], old: Say, new: Say) -> tuple[str, Much, float]:
    """Classes that are answered more or less often."""
    old_C, new_C = (np.bincount(s.name_B, minlength=len(called)) for s in (old, new))
    said, index = moved(called, old_C, new_C, "for held-back rows")
    return (
        f"{where}: answered otherwise: {said} ({grade(index)}, PSI {index:.2f})",
        grade(index),
        index,
    )


def moved(called: list[str], old_C: np.ndarray, new_C: np.ndarray, when: str) -> tuple[str, float]:
    """The name whose share has changed most, and the stability index of all."""
    was_C, now_C = old_C / max(old_C.sum(), 1), new_C / max(new_C.sum(), 1)
    c = int(np.abs(now_C - was_C).argmax())
    name = called[c] if c < len(called) else str(c)
    shares = f"'{name}' in {100 * now_C[c]:.0f} % of rows, {when} {100 * was_C[c]:.0f} %"
    return shares, stability(old_C, new_C)


def say_vectors(where: str, test: Comparison) -> tuple[str, Much]:
    """Cells that an encoder sees otherwise."""
    auc = max(test.size, 0.5)
    much: Much = "slight" if auc < 0.6 else "moderate" if auc < 0.75 else "large"
    alone = f"{where}: looks otherwise to its encoder"
    what = "rows as a whole look otherwise to the network" if where == TOGETHER else alone
    return f"{what} ({much}; told from training rows in {100 * auc:.0f} of 100 pairs)", much


def say_sure(where: str, old: Say, new: Say) -> tuple[str, Much]:
    """Answers that are less sure, or surer."""
    was, now = float(np.nanmean(old.sure_B)), float(np.nanmean(new.sure_B))
    apart = abs(now - was)
    much: Much = "slight" if apart < 0.05 else "moderate" if apart < 0.15 else "large"
    side = "less sure" if now < was else "surer"
    return (
        f"{where}: answers are {side}, {now:.2f} on average, for held-back rows {was:.2f} ({much})",
        much,
    )


def say_right(where: str, old: Say, new: Say) -> tuple[str, Much]:
    """Labels that show other mistakes than held-back rows of training did."""
    if old.kind == "classes":
        was, now = float(np.nanmean(old.right_B)), float(np.nanmean(new.right_B))
        apart = abs(now - was)
        much: Much = "slight" if apart < 0.03 else "moderate" if apart < 0.1 else "large"
        said = f"{100 * now:.1f} % of labelled rows are answered right, of held-back rows"
        return f"{where}: {said} {100 * was:.1f} % ({much})", much
    was, now = float(np.nanmean(old.error_B)), float(np.nanmean(new.error_B))
    times = now / was if was > 0 else np.inf
    much = "slight" if 0.8 < times < 1.25 else "moderate" if 0.5 < times < 2.0 else "large"
    return f"{where}: errors are {times:.2g} times as large as of held-back rows ({much})", much


def say_covered(where: str, new: Say, promised: float) -> tuple[str, Much]:
    """Sets and intervals that do not keep their promise."""
    now = float(np.nanmean(new.held_B))
    short = promised - now
    much: Much = "slight" if short < 0.03 else "moderate" if short < 0.1 else "large"
    what = "intervals" if new.kind == "number" else "sets"
    return (
        f"{where}: {100 * now:.1f} % of {what} hold the truth, {100 * promised:g} % are promised "
        f"({much})",
        much,
    )


def say_beside(one: Beside) -> tuple[str, Much]:
    """Two runs that disagree as they never did: by how much, and what of it labels show."""
    of = f" {one.unit}" if one.unit else ""
    away = abs(one.more) / one.usual.deviation
    much: Much = "slight" if away < 0.5 else "moderate" if away < 1.0 else "large"
    side = "above" if one.more > 0 else "below"
    said = (
        f"{one.task}: answers lie on average {abs(one.more):.3g}{of} further {side} those of run "
        f"{one.other} than on rows that neither learned from ({much}, {away:.2g} deviations), so "
        "one of both no longer says what it did"
    )
    if one.errs is None:
        return f"{said}: compare with measured parts", much
    own, other, rows = one.errs
    return (
        f"{said}: on {rows} labelled rows since then this run errs by {own:.3g}{of} on average, "
        f"{one.other} by {other:.3g}{of}",
        much,
    )


def say_agreed(one: Beside) -> str:
    """Two runs that are as far apart as usual."""
    of = f" {one.unit}" if one.unit else ""
    return (
        f"{one.task}: answers differ from those of run {one.other} as on {one.usual.count} rows "
        f"that neither learned from, by {one.usual.mean + one.more:.2g}{of} on average (of clean "
        "rows, one in 1,000 raises an alarm)"
    )
