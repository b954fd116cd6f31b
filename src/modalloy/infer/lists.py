"""The type of a column of lists: numbers, words, channels or boxes."""

import re
from typing import Any

import numpy as np

from modalloy.checks.column_profile import Look, all_boxes, all_numbers, all_texts, counted
from modalloy.checks.name_hints import words
from modalloy.infer.guessed import SENSORS, Guess, encoder

FEATURES = {"features", "feature", "embedding", "vector", "spectrum", "descriptor", "mfcc"}
SHORT = 256  # longer lists of numbers are series
ORDERED = 16  # numbers from which on a curve can be told from a set of features
SMOOTH = 0.5  # neighbours differ by less than this share of what any two numbers of a list do


def guess_lists(look: Look) -> Guess:
    """Lists of numbers, words, channels or boxes, given as lists or as JSON text."""
    lists = [c for c in look.lists if len(c)]
    if not lists:
        return Guess("ignore", "every list is empty")
    if all(all_numbers(c) for c in lists):
        return _numbers(look.name, lists)
    if all(all_boxes(c) for c in lists):
        return Guess("ignore", "lists of boxes: a target of `locate`, no input")
    if all(all_texts(c) for c in lists):
        mean = np.mean([len(c) for c in lists])
        return Guess("tokens", f"lists of {mean:.0f} words on average", encoder("tokens"))
    if all(all(isinstance(x, list | np.ndarray) and all_numbers(x) for x in c) for c in lists):
        return _series(f"lists of {len(lists[0])} channels", longest_of(lists))
    return Guess("ignore", "lists of mixed values, which no column type reads")


def _numbers(name: str, lists: list[Any]) -> Guess:
    lengths = {len(c) for c in lists}
    told = set(words(name))
    sensor = bool(told & SENSORS) or re.fullmatch(r"[A-Za-z]{1,3}_?[0-9]+", name) is not None
    sensor = sensor and not told & FEATURES
    if len(lengths) > 1:
        span = f"from {min(lengths)} to {max(lengths)}"
        return _series(f"lists of {span} numbers", max(lengths))
    length = lengths.pop()
    reason = f"lists of {counted(length)} numbers each"
    if length > SHORT:
        return _series(reason, length)
    if sensor:
        return _series(f"{reason}; the name speaks of a sensor", length)
    if length >= ORDERED and roughness(lists) < SMOOTH:
        return _series(f"{reason}; neighbours are alike, so they are a curve", length)
    return Guess("vector", reason)


def roughness(lists: list[Any]) -> float:
    """How far neighbours lie apart beside any two numbers of a list; the median of up to 100 lists.

    About 1 where the order says nothing, near 0 for a smooth curve.
    """
    found = []
    for cell in lists[:100]:
        x = np.asarray(cell, dtype=np.float64)
        x = x[np.isfinite(x)]
        if len(x) < ORDERED:
            continue
        # The mean distance of all pairs, from the sorted numbers: each gap counts for the pairs
        # on both sides of it.
        below = np.arange(1, len(x))
        apart = (np.diff(np.sort(x)) * below * (len(x) - below)).sum() * 2 / len(x) / (len(x) - 1)
        if apart > 0:
            found.append(np.abs(np.diff(x)).mean() / apart)
    return float(np.median(found)) if found else 1.0


def longest_of(lists: list[Any]) -> int:
    """Samples of the longest series; a list of lists holds channels, along its shorter side."""
    sizes = [
        (len(c), len(c[0]) if isinstance(c[0], list | np.ndarray) else 0) for c in lists if len(c)
    ]
    return max(map(max, sizes), default=0)


def _series(reason: str, longest: int) -> Guess:
    """Room for the longest series, where the default would cut it and it is not enormous."""
    return Guess("series", reason, {"length": longest} if 4096 < longest <= 65_536 else {})
