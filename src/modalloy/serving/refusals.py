"""Refusals in the language of who asked: sentences by their pattern, from a file a language.

Code says everything in English, as logs have it. A sentence without a pattern stays English.
"""

import functools
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

from modalloy.serving.language import LANGUAGES, Language

REST = "rest"  # the hole that holds a sentence of its own


class Phrases(NamedTuple):
    """patterns: of English sentences, each with what is said instead. words: that stand in their
    holes.
    """

    patterns: list[tuple[re.Pattern[str], str]]
    words: Mapping[str, str]


@functools.cache
def phrases(language: Language) -> Phrases:
    """Those of a language; none for English."""
    file = files("modalloy.serving").joinpath(f"refusals.{language}.json")
    if language == LANGUAGES[0]:
        return Phrases([], {})
    found = json.loads(file.read_text(encoding="utf-8"))
    pairs = found["sentences"].items()
    return Phrases([(pattern_of(english), said) for english, said in pairs], found["words"])


def pattern_of(sentence: str) -> re.Pattern[str]:
    """Matches a sentence whose `{names}` stand for anything."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(sentence)), re.DOTALL)


def refusal_in(language: Language, sentence: str) -> tuple[str, Language]:
    """A sentence as that language has it, and in which language it is then."""
    said = translated(phrases(language), sentence)
    return (sentence, LANGUAGES[0]) if said is None else (said, language)


def translated(known: Phrases, sentence: str) -> str | None:
    """By the first pattern that fits; None where none does."""
    for pattern, said in known.patterns:
        if (found := pattern.fullmatch(sentence)) is None:
            continue
        holes = {name: known.words.get(text, text) for name, text in found.groupdict().items()}
        if REST in holes:
            rest = translated(known, holes[REST])
            if rest is None:
                continue
            holes[REST] = rest
        return said.format(**holes)
    return None
