"""Every fault of the options of a job, or of another such file, in one pass, a sentence each."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import PurePath
from typing import Any, NamedTuple, TypeVar

import numpy as np
from pydantic import ValidationError

from modalloy.job.config import Job
from modalloy.job.group import Options
from modalloy.job.options import (
    Path,
    Place,
    Schema,
    choices,
    did_you_mean,
    expected,
    listed,
    members,
    place,
    schema_of_job,
)

T = TypeVar("T", bound=Options)
LONGEST = 60  # characters of a value that a sentence quotes


class Fault(NamedTuple):
    """One thing that is wrong: the path of keys to it, and a sentence."""

    path: Path
    sentence: str

    def __str__(self) -> str:
        said = f"{dotted(self.path)}: {self.sentence}" if self.path else self.sentence
        return "\\n".join(said.splitlines())  # column names from Excel may hold line breaks


def validate(data: Any) -> Job | list[Fault]:
    """The job, or all faults that its options have, each taken alone.

    Values are taken strictly: `epochs: "20"` is text, `allow_leak: no` is a word (YAML 1.2).
    """
    return validate_as(Job, data, schema_of_job())


def validate_as(kind: type[T], data: Any, root: Schema) -> T | list[Fault]:
    """The same for any file of options. root: its JSON schema, whose title is what it is called."""
    try:
        return kind.model_validate_json(as_json(data), strict=True)
    except ValidationError as error:
        faults: dict[Path, Fault] = {}
        for detail in error.errors(include_url=False):
            if detail["type"] == "default_factory_not_called":
                continue  # what the default hangs on is wrong, and that is told
            fault = _fault(detail, data, root)
            faults.setdefault(fault.path, fault)  # members of a union complain one by one
        return list(faults.values())


def as_json(data: Any) -> str:
    """Plain data as JSON; paths and dates are text, numpy's values are numbers and lists."""
    return json.dumps(data, default=_plain)


def _plain(value: object) -> Any:
    """What JSON has no word for."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, PurePath | date):
        return str(value)
    return {f"a {type(value).__name__}": "is no value of a job"}


def _fault(detail: Any, data: Any, root: Schema) -> Fault:
    """One complaint of pydantic as a sentence."""
    spot = place(detail["loc"], data, root)
    known = _SENTENCES.get(detail["type"])
    return Fault(spot.path, known(spot) if known else _wrong(spot, detail))


def _wrong(spot: Place, detail: Any) -> str:
    """A value that does not fit, or a rule of the options among themselves."""
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"]).rstrip(".") + "."
    names = choices(spot.schema)
    if isinstance(spot.value, str) and names:
        near = did_you_mean(spot.value, names)
        return f"{quoted(spot.value)} is not {expected(spot.schema, spot.root)}.{near}"
    hint = ""
    kinds = {s.get("type") for s in (spot.schema, *spot.schema.get("anyOf", ()))}
    if isinstance(spot.value, str) and kinds & {"integer", "number"}:
        hint = " Take the quotes away." if _numeric(spot.value) else ""
    if spot.schema.get("type") == "string" and isinstance(spot.value, int | float):
        hint = " Put it in quotes."
    return f"must be {expected(spot.schema, spot.root)}. Got {quoted(spot.value)}.{hint}"


def _unknown(spot: Place) -> str:
    """An option that does not exist."""
    assert spot.parent is not None
    known = [name for name in spot.parent.schema["properties"] if name != "type"]
    kind = spot.parent.value.get("type")
    where = (
        f"type: {kind}"
        if isinstance(kind, str)
        else (dotted(spot.parent.path) or f"a {_file(spot)}")
    )
    takes = f" It takes {', '.join(known)}." if known else " It takes no option."
    return f"is not an option of {where}.{did_you_mean(spot.path[-1], known) or takes}"


def _missing(spot: Place) -> str:
    """A required option that is not there."""
    help_text = spot.schema.get("description", "").replace("\n", " ")
    return f"is missing; it must be {expected(spot.schema, spot.root)}. {help_text}".rstrip()


def _no_such_type(spot: Place) -> str:
    """`type:` names no member of the union."""
    kinds = list(members(spot.schema, spot.root))
    kind = spot.value["type"]
    return f"type {quoted(kind)} is not one of {listed(kinds)}.{did_you_mean(kind, kinds)}"


def _no_type(spot: Place) -> str:
    """`type:` is missing."""
    return f"has no type; write type: {listed(members(spot.schema, spot.root))}."


def _no_group(spot: Place) -> str:
    """A plain value where options are needed."""
    if isinstance(spot.value, str) and spot.value in members(spot.schema, spot.root):
        return f"must be a group of options. Write {{type: {spot.value}}}."
    return f"must be a group of options, as in {{name: value}}. Got {quoted(spot.value)}."


def _not_text(spot: Place) -> str:
    """JSON refuses half of a surrogate pair."""
    return f"the {_file(spot)} holds characters that are not text."


def _file(spot: Place) -> str:
    """What the whole file is called: a job, a twin."""
    return spot.root["title"].lower()


_SENTENCES: dict[str, Callable[[Place], str]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "union_tag_invalid": _no_such_type,
    "union_tag_not_found": _no_type,
    "dict_type": _no_group,
    "model_type": _no_group,
    "model_attributes_type": _no_group,
    "json_invalid": _not_text,
}


def _numeric(text: str) -> bool:
    """Whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def quoted(value: object) -> str:
    """A value as the user would write it, shortened."""
    if value is None:
        return "nothing"
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def dotted(path: Path) -> str:
    """`columns.photo.front[0]`."""
    words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(words).removeprefix(".")
