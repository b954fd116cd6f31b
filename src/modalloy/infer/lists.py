"""The type of a column of lists: numbers, words, channels or boxes."""

import re
from typing import Any

import numpy as np

from modalloy.checks.column_profile import Look, all_boxes, all_numbers, all_texts, counted
from modalloy.checks.name_hints import words
from modalloy.infer.guessed import SENSORS, Guess, encoder

FEATURES = {"features", "feature", "embedding", "vector", "spectrum", "descriptor", "mfcc"}
SHORT = 256  # longer lists of numbers are series


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
        return Guess("series", f"lists of {len(lists[0])} channels")
    return Guess("ignore", "lists of mixed values, which no column type reads")


def _numbers(name: str, lists: list[Any]) -> Guess:
    lengths = {len(c) for c in lists}
    told = set(words(name))
    sensor = bool(told & SENSORS) or re.fullmatch(r"[A-Za-z]{1,3}_?[0-9]+", name) is not None
    sensor = sensor and not told & FEATURES
    if len(lengths) > 1:
        span = f"from {min(lengths)} to {max(lengths)}"
        return Guess("series", f"lists of {span} numbers", _length(max(lengths)))
    length = lengths.pop()
    if length <= SHORT and not sensor:
        return Guess("vector", f"lists of {length} numbers each")
    why = "; the name speaks of a sensor" if length <= SHORT else ""
    return Guess("series", f"lists of {counted(length)} numbers each{why}", _length(length))


def _length(longest: int) -> dict[str, int]:
    """Room for the longest series, where the default would cut it and it is not enormous."""
    return {"length": longest} if 4096 < longest <= 65_536 else {}
