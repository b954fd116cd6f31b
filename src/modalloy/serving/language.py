"""The texts of the page, one file of JSON a language, chosen by what the browser says it reads."""

import functools
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)  # the first one where none fits
TAGS: Mapping[Language, str] = {"en": "en", "zh": "zh-Hans"}  # as `lang` of a page names them


def language_of(accepted: str | None) -> Language:
    """The language of a header Accept-Language that a person reads best and we write."""
    best, most = LANGUAGES[0], 0.0
    for part in (accepted or "").split(","):
        name, _, weight = part.partition(";q=")
        first = name.strip().lower().partition("-")[0]
        found = next((one for one in LANGUAGES if one == first), None)
        if found is not None and (worth := weight_of(weight)) > most:
            best, most = found, worth
    return best


def weight_of(text: str) -> float:
    """The weight behind a language, 1 where it has none, 0 where it is no number."""
    try:
        return float(text) if text.strip() else 1.0
    except ValueError:
        return 0.0


@functools.cache
def texts_of(language: Language) -> Mapping[str, str]:
    """Every text by its key; `{name}` stands for what is put in."""
    file = files("modalloy.serving.page").joinpath("texts", f"{language}.json")
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found
