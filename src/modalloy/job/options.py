"""What may stand at a spot of a job or another file of options, in words, for faults and pages."""

import functools
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from modalloy.job.config import Job

Schema = dict[str, Any]
Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Where something stands in a file: its path, the schema of that spot, the value (or None),
    and the schema of the whole file.
    """

    path: Path
    schema: Schema
    value: Any
    root: Schema
    parent: "Place | None" = None


def expected(schema: Schema, root: Schema | None = None) -> str:
    """What a value of this schema must be, as the end of the sentence 'must be ...'."""
    schema = resolve(schema, root)
    if "anyOf" in schema:
        some = (s for s in schema["anyOf"] if s.get("type") != "null")
        return " or ".join(expected(s, root) for s in some)
    if names := choices(schema):
        return f"one of {listed(names)}" if len(names) > 1 else f"the word {names[0]}"
    match schema.get("type"):
        case "integer" | "number":
            return _expected_number(schema)
        case "boolean":
            return "true or false"
        case "array":
            return f"a list with {expected(schema['items'], root)} in each entry"
        case "string":
            return "text"
        case _:
            return "a group of options, as in {name: value}"


def _expected_number(schema: Schema) -> str:
    """The kind of number and its bounds."""
    whole = schema["type"] == "integer"
    noun = "a whole number" if whole else "a number"
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if whole and above is not None:
        low, above = above + 1, None
    if step := schema.get("multipleOf"):
        noun = f"a multiple of {step}"
    if low is not None and high is not None:
        return f"{noun} from {_plain(low)} to {_plain(high)}"
    bounds = {"at least": low, "above": above, "at most": high, "below": below}
    said = [f"{word} {_plain(bound)}" for word, bound in bounds.items() if bound is not None]
    of = "of " if said and said[0].startswith("at ") else ""
    return f"{noun} {of}{' and '.join(said)}".strip()


def _plain(number: float) -> str:
    """A number without needless digits."""
    return str(int(number)) if number == int(number) else str(number)


def choices(schema: Schema) -> list[str]:
    """The words that a value may be, where the schema lists them; `hf:<folder>` stands for any."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    if "pattern" not in schema:
        return []
    names = schema["pattern"].removeprefix("^(").removesuffix(")$").split("|")
    return [word for name in names for word in _spelled_out(name)]


def _spelled_out(name: str) -> list[str]:
    """`lite[01]` as `lite0` and `lite1`; `hf:.+` as `hf:<folder or hub id>`."""
    if found := re.fullmatch(r"(.*)\[(\w+)\]", name):
        return [found[1] + letter for letter in found[2]]
    return [name.replace(".+", "<folder or hub id>")]


def place(loc: Sequence[str | int], data: Any, root: Schema | None = None) -> Place:
    """The spot that pydantic's `loc` means in `data`; names of union members are left out.

    root: schema of the whole file, the job's where it is not given.
    """
    root = schema_of_job() if root is None else root
    spot = Place((), resolve(root, root), data, root)
    for step in loc:
        if "discriminator" in spot.schema:
            chosen = {"$ref": spot.schema["discriminator"]["mapping"][step]}
            spot = spot._replace(schema=resolve(chosen, root))
            continue
        inner = _step_into(spot.schema, step)
        if inner is not None:
            value = _value_at(spot.value, step)
            spot = Place((*spot.path, step), resolve(inner, root), value, root, spot)
    return spot


def _step_into(schema: Schema, step: str | int) -> Schema | None:
    """Schema of one entry; None where `step` only names a member of a union."""
    if isinstance(step, int):
        return schema.get("items")
    properties = schema.get("properties")
    if properties is not None:
        return properties.get(step, {})
    inner = schema.get("additionalProperties")
    return inner if isinstance(inner, dict) else None


def _value_at(data: Any, step: str | int) -> Any:
    """One entry of a mapping or list, None where there is none."""
    if isinstance(data, dict):
        return data.get(step)
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]
    return None


@functools.cache
def schema_of_job() -> Schema:
    """JSON schema of the whole job."""
    return Job.model_json_schema()


def resolve(schema: Schema, root: Schema | None = None) -> Schema:
    """The schema that a reference stands for, with the help text and default of this spot.

    root: schema of the whole file, the job's where it is not given.
    """
    inner = schema
    if "$ref" in schema:
        whole = schema_of_job() if root is None else root
        inner = whole["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    some = [s for s in schema.get("anyOf", ()) if s.get("type") != "null"]
    if len(some) == 1:
        inner = resolve(some[0], root)
    here = {key: schema[key] for key in ("description", "default") if key in schema}
    return inner | here


def members(schema: Schema, root: Schema | None = None) -> dict[str, Schema]:
    """Kinds that a discriminated union offers, by the word after `type:`."""
    union = resolve(schema, root)
    mapping = union.get("discriminator", {}).get("mapping", {})
    order = [member["$ref"] for member in union.get("oneOf", ())]
    words = sorted(mapping, key=lambda word: order.index(mapping[word]))
    return {word: resolve({"$ref": mapping[word]}, root) for word in words}


def listed(names: Iterable[str]) -> str:
    """`a, b or c`."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def did_you_mean(word: object, names: Iterable[str]) -> str:
    """` Did you mean 'x'?` where a name is near, else nothing."""
    names = list(names)
    small = {name.lower(): name for name in names}
    near = get_close_matches(str(word).lower(), small, n=1, cutoff=0.6)
    return f" Did you mean '{small[near[0]]}'?" if near else ""
