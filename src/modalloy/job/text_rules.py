"""What options of written texts say against one another, and of texts that are heard."""

from collections.abc import Iterator, Mapping
from typing import Any

from modalloy.job.config import Generate
from modalloy.job.faults import Fault, quoted

SCRATCH, PRETRAINED = ("size", "vocabulary"), ("tune", "adapter", "prefix")
SEARCHES = {  # option -> the search that reads it
    "beams": "beam",
    "length_penalty": "beam",
    "temperature": "sample",
    "top_p": "sample",
    "draw": "sample",
}


def broken_writing(path: tuple[str, ...], options: Mapping[str, Any]) -> Iterator[Fault]:
    """Options of `generate` that another decoder or another search reads; limits; an empty list."""
    decoder = options.get("decoder", "scratch")
    fitting = "decoder: scratch" if decoder != "scratch" else "a pretrained decoder"
    for option in SCRATCH if decoder != "scratch" else PRETRAINED:
        if _given(option, options):
            yield Fault((*path, option), f"is for {fitting}. Got decoder: {decoder}.")
    search = options.get("search", "greedy")
    for option, own in SEARCHES.items():
        if own != search and _given(option, options):
            yield Fault((*path, option), f"is for search: {own}. Got search: {search}.")
    least, most = options.get("min_tokens", 0), options.get("max_tokens", _usual("max_tokens"))
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Fault((*path, "min_tokens"), f"is {least}, above max_tokens {most}.")
    if options.get("only") in ([], ()):
        why = "is an empty list: name what may be answered, or the column that lists it."
        yield Fault((*path, "only"), why)


def broken_hearing(
    path: tuple[str, ...], options: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]]
) -> Iterator[Fault]:
    """A text that is heard comes from another column, and that holds recordings."""
    audio = options.get("from_audio")
    if not isinstance(audio, str):
        return
    kind = columns.get(audio, {}).get("type")
    if audio == path[-1]:
        why = "is the column itself; give the text a name of its own, such as said."
        yield Fault((*path, "from_audio"), why)
    elif kind not in (None, "audio", "group", "ignore"):
        why = f"must name a column of recordings; {quoted(audio)} is of type {kind}."
        yield Fault((*path, "from_audio"), why)
    if columns.get(audio, {}).get("from_audio") is not None:
        yield Fault((*path, "from_audio"), f"{quoted(audio)} is itself heard; name the recordings.")


def _given(option: str, options: Mapping[str, Any]) -> bool:
    """Whether an option is asked for beside its default."""
    return options.get(option, _usual(option)) not in (_usual(option), {})


def _usual(option: str) -> Any:
    """The value of an option that is left out."""
    return Generate.model_fields[option].default
