"""How well each task's rows are answered: estimated without labels, and the truth where it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.drift.estimate import FEWEST, Estimate, estimate_accuracy, estimate_error
from modalloy.observing.reference import Reference
from modalloy.observing.seen import Say, Seen
from modalloy.report.charts import wilson
from modalloy.watching.comparisons import Comparison
from modalloy.watching.watched import Estimated, Trust

OUTSIDE = 0.9  # AUC of a classifier, from which on rows are others than those that confidence is of
UNLIKE = 5.0  # times as many rows unlike training as of ordinary rows, from which the same holds
DRAWS = 1000  # of a true error's interval


def estimates_of(
    tasks: Mapping[str, Any],
    targets: Mapping[str, Any],
    reference: Reference,
    seen: Seen,
    tests: list[Comparison],
    alarms: list[Comparison],
    *,
    unlike: float | None,
    seed: int,
) -> list[Estimated]:
    """One for each task of classes, labels or numbers. unlike: rows unlike training, over as many
    as ordinary rows have; None where nobody knows."""
    draw = np.random.default_rng(seed)
    trust, why = trusted(tests, alarms, unlike)
    found = []
    for task, said in seen.said.items():
        if said.kind == "items":
            continue
        old = reference.said.get(task)
        own = estimated(task, old, said, trust, why, draw)
        unit = getattr(tasks[task], "unit", "") or ""
        if getattr(targets[task], "log", False):
            unit = "of the logarithm"
        own |= true_figure(said, draw)
        found.append(Estimated(**own, unit=unit))
    return found


def trusted(
    tests: list[Comparison], alarms: list[Comparison], unlike: float | None
) -> tuple[Trust, str]:
    """How far confidence can be believed on these rows, and why."""
    seen = [t for t in alarms if t.kind == "vectors" and t.size >= OUTSIDE]
    if seen:
        worst = max(seen, key=lambda t: t.size)
        told = f"told from training rows in {100 * worst.size:.0f} of 100 pairs"
        return "cannot be told", (
            f"the rows lie outside what training showed ('{worst.where}' is {told})"
        )
    if unlike is not None and unlike >= UNLIKE:
        return "cannot be told", (
            f"{unlike:.1f} times as many rows as usual are unlike any that was learned from"
        )
    if any(t.kind in ("covered", "right") for t in alarms):
        return "cannot be told", "labels show that answers no longer mean what they did"
    if alarms:
        places = list(dict.fromkeys(t.where for t in alarms))
        return "with care", (
            f"{len(places)} of the columns and answers have drifted, and whether right answers "
            "mean the same as before nobody sees without labels"
        )
    if not tests:
        return "cannot be told", "there are too few rows"
    return "well", "nothing has drifted from the rows that it was fitted on"


def estimated(
    task: str, old: Say | None, new: Say, trust: Trust, why: str, draw: np.random.Generator
) -> dict[str, Any]:
    """The estimate of a task, or why there is none."""
    figure = "mae" if new.kind == "number" else "accuracy"
    nothing: dict[str, Any] = {"task": task, "figure": figure}
    nothing |= {"value": None, "low": None, "high": None}
    if old is None:
        why = "this run kept no answers to rows that it had not learned from"
        return {**nothing, "trust": "cannot be told", "why": why}
    goal = old.error_B if figure == "mae" else old.right_B
    sure = old.width_B if figure == "mae" else old.sure_B
    fit = np.isfinite(goal) & np.isfinite(sure)
    known = float(goal[np.isfinite(goal)].mean()) if np.isfinite(goal).any() else None
    nothing["known"] = known
    now = new.width_B if figure == "mae" else new.sure_B
    now = now[np.isfinite(now)]
    way = estimate_error if figure == "mae" else estimate_accuracy
    said: Estimate | None = way(sure[fit], goal[fit], now, draw=draw)
    if said is None:
        why = (
            "the task has no quantiles, whose widths would tell"
            if figure == "mae" and np.isfinite(goal).sum() >= FEWEST
            else f"fewer than {FEWEST} rows with a truth were held back"
        )
        return {**nothing, "trust": "cannot be told", "why": why}
    ways = {"ways": said.ways, "trust": trust, "why": why}
    if trust == "cannot be told":
        return {**nothing, **ways}
    return {**nothing, **ways, "value": said.value, "low": said.low, "high": said.high}


def true_figure(said: Say, draw: np.random.Generator) -> dict[str, Any]:
    """The figure of the rows whose truth is known, with its 95 % interval; nothing without any."""
    goal = said.error_B if said.kind == "number" else said.right_B
    goal = goal[np.isfinite(goal)]
    if not len(goal):
        return {}
    mean = float(goal.mean())
    if said.kind == "classes":
        low, high = (float(end[0]) for end in wilson(np.array([mean]), np.array([len(goal)])))
    else:
        means = goal[draw.integers(0, len(goal), (DRAWS, len(goal)))].mean(1)
        low, high = (float(end) for end in np.quantile(means, [0.025, 0.975]))
    return {"true": mean, "true_low": low, "true_high": high, "labelled": len(goal)}
