"""The type of a column, and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modalloy.checks.column_profile import Look, counted, foreign
from modalloy.checks.malformed_numbers import nearly_numbers
from modalloy.infer.guessed import Guess, encoder
from modalloy.infer.lists import guess_lists
from modalloy.infer.paths import are_paths, guess_paths
from modalloy.infer.tabular_inference import (
    FEW_AMOUNTS,
    MOST_NAMES,
    guess_dates,
    guess_key,
    guess_marked,
    guess_numbers,
    numbers_as_text,
)


def guess(look: Look, folder: Path) -> Guess:
    """The type of a column, by its cells first and its name second.

    folder: where relative paths start. Columns that hold nothing to learn from are `ignore`;
    columns that name things which own several rows are `group`.
    """
    if look.kind == "other":
        return Guess("ignore", "records or raw bytes, which no column type reads")
    if not look.filled:
        return Guess("ignore", f"empty in all {counted(look.rows)} rows")
    found = _by_kind(look, folder)
    if look.missing and found.type != "ignore":
        gaps = f"{counted(look.missing)} of {counted(look.rows)} cells are empty"
        if look.rows < look.total:
            gaps = f"{look.missing / look.rows:.0%} of the cells are empty"
        return Guess(found.type, f"{found.reason}; {gaps}", found.options)
    return found


def _by_kind(look: Look, folder: Path) -> Guess:
    if look.kind != "list" and look.distinct == 1:
        return _one_value(look)
    match look.kind:
        case "number":
            return guess_numbers(look)
        case "bool":
            return Guess("category", "true or false")
        case "time":
            return Guess("time", f"{counted(look.distinct)} different times")
        case "list":
            return guess_lists(look)
        case _:
            return _text(look, folder)


def _one_value(look: Look) -> Guess:
    """A mark that some rows bear says something; a value that nearly all rows hold does not."""
    value = _short(look.filled[0])
    path = look.kind == "text" and are_paths(look)
    few = max(2, 0.01 * look.rows)
    if look.kind == "time" or path or min(len(look.filled), look.missing) < few:
        return Guess("ignore", f"always {value}")
    return Guess("category", f"{value} or nothing")


def _text(look: Look, folder: Path) -> Guess:
    if found := guess_paths(look, folder):
        return found
    if look.lists:
        return guess_lists(look)
    if all(c.lstrip().startswith(("{", "[{")) for c in look.some):
        return Guess("ignore", "JSON records, which no column type reads")
    if found := guess_dates(look):
        return found
    if look.words < 1.5 and (found := guess_key(look)):
        return found
    if numbers_as_text(look):
        return Guess("number", "numbers written as text")
    if found := guess_marked(look):
        return found
    if nearly := nearly_numbers(look.filled, look.decimal):
        if look.distinct > min(FEW_AMOUNTS, MOST_NAMES * len(look.filled)):
            return Guess("ignore", f"{nearly.reason}; {nearly.advice}")
        return Guess("category", f"{counted(look.distinct)} names; {nearly.reason}")
    return _names_or_text(look)


def _names_or_text(look: Look) -> Guess:
    rows, distinct = len(look.filled), look.distinct
    of = f"{counted(distinct)} different {{}} in {counted(rows)} rows"
    letters = sum(len(c) for c in look.some) / len(look.some)
    sentence = look.words >= 5 or letters > 60
    if distinct <= MOST_NAMES * rows and not (sentence and distinct > 20):
        phrases = look.words >= 1.5 and distinct > max(100, rows / 5)
        if not phrases:
            return Guess("category", of.format("names"))
    if look.words < 1.5:
        if distinct == rows:
            return Guess("ignore", "every cell is different: an identifier")
        return Guess("ignore", f"{of.format('codes')}: nearly an identifier")
    reason = f"{of.format('texts')}, {look.words:.0f} words on average"
    pretrained = encoder("text")
    if pretrained and foreign(look.some):
        return Guess("text", f"{reason}; {_not_english(look.some)}")
    return Guess("text", reason, pretrained)


def _not_english(texts: Sequence[str]) -> str:
    """Why the pretrained encoder is none for these texts."""
    from modalloy.readers.tokenizer import minilm_tokenizer, unknown_share  # few tables pay for it

    share = unknown_share(minilm_tokenizer(), texts)
    knows = f", which has no piece for {share:.0%} of them" if share >= 0.01 else ""
    return f"no English, so not read by minilm{knows}: its encoder learns from nothing"


def _short(cell: Any) -> str:
    return f"{cell:g}" if isinstance(cell, float) else f"{cell!r:.40}"
