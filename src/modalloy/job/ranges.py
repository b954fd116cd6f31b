"""The values that a search may try for options of a job: its `tune` section, read and checked.

A dotted path names the option, as in `train.lr` or `columns.photo.pixels`; `columns.*.bins` means
every column that has this option, with one value for all of them.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from modalloy.job.config import Job
from modalloy.job.faults import Fault, quoted, validate
from modalloy.job.options import (
    Path,
    Schema,
    choices,
    did_you_mean,
    members,
    resolve,
    schema_of_job,
)

# What decides which rows judge, or is not judged by them, is no matter of a search.
SEARCHED = ("columns", "fuse", "tasks", "train")
UNSEARCHED = {
    "columns": ("type", "from", "history"),
    "fuse": (),
    "tasks": ("type", "target", "on", "labels", "template", "use", "scale", "unit"),
    "train": ("start", "folds", "refit", "cache_gb", "remember_gb"),
}
FORMS = "must be [low, high], [low, high, log], or choices as in {any: [a, b]}"
EVERY = "*"


class Between(NamedTuple):
    """Numbers from low to high; log: evenly by their logarithm; step: between whole ones."""

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: int = 1

    def holds(self, value: Any) -> bool:
        """Whether a value is one of these."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        inside = self.low <= value <= self.high
        return inside and (not self.whole or (value - self.low) % self.step == 0)


class OneOf(NamedTuple):
    """Some values, in no order."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Whether a value is one of these."""
        return any(value == own and type(value) is type(own) for own in self.values)


Range = Between | OneOf


def read_ranges(job: Job) -> dict[str, Range]:
    """The ranges of a job's own `tune` section, by their paths; empty where it has none."""
    data = plain(job) | {"tune": job.tune}
    return {path: read_range(path, given, data) for path, given in job.tune.items()}


def plain(job: Job) -> dict[str, Any]:
    """A job as `load_job` takes it, with every option spelled out and no search."""
    return job.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"tune"})


def read_range(path: str, given: Any, data: Mapping[str, Any]) -> Range:
    """What was written for a path; ValueError with a sentence where it is no range."""
    if isinstance(given, Mapping):
        found = given.get("any")
        if set(given) != {"any"} or not isinstance(found, list | tuple) or not found:
            raise ValueError(f"{FORMS}. Got {quoted(given)}.")
        return OneOf(tuple(found))
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"{FORMS}. Got {quoted(given)}.")
    ends = [v for v in given[:2] if isinstance(v, int | float) and not isinstance(v, bool)]
    log = len(given) == 3 and given[2] == "log"
    if len(ends) < 2 or not (log or len(given) == 2):
        return OneOf(tuple(given))
    low, high = ends
    if not low < high:
        raise ValueError(f"must rise from low to high. Got {quoted(list(given))}.")
    if log and low <= 0:
        raise ValueError(f"must be above 0 to be tried by its logarithm. Got {quoted(given)}.")
    schema = schema_at(spots(path, data)[0], data) or {}
    whole = is_whole(schema)
    step = int(resolve(schema).get("multipleOf", 1)) if whole else 1
    return Between(low, high, log, whole, step)


def broken_ranges(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Every fault of a job's `tune` section: no such option, no range, or values it cannot have."""
    given = data.get("tune")
    if not isinstance(given, Mapping):
        return
    for path, what in given.items():
        said = wrong(path, what, data)
        if said is not None:
            yield Fault(("tune", path), said)


def wrong(path: str, given: Any, data: Mapping[str, Any]) -> str | None:
    """What is wrong with one entry of `tune`; None where it is fine."""
    at = [keys for keys in spots(path, data) if schema_at(keys, data) is not None]
    if not at:
        near = did_you_mean(path, searchable(data))
        return f"is no option that a search can change.{near}"
    try:
        found = read_range(path, given, data)
    except ValueError as error:
        return str(error)
    tried = found.values if isinstance(found, OneOf) else (found.low, found.high)
    for keys in at:
        for value in tried:
            for fault in faults_at(keys, value, data):
                return f"would try {quoted(value)}, and {'.'.join(map(str, keys))} {fault}"
    return None


def faults_at(keys: Path, value: Any, data: Mapping[str, Any]) -> list[str]:
    """What the options say against a value at a spot."""
    changed: dict[str, Any] = {k: v for k, v in copy.deepcopy(dict(data)).items() if k != "tune"}
    if keys[0] == "fuse" and keys[1:] != ("type",):
        kinds = [k for k in fusions(data) if keys[1] in members_of("fuse")[k]["properties"]]
        changed["fuse"] = {"type": kinds[0]}
    elif keys[0] == "fuse":
        changed["fuse"] = {}
    put(changed, keys, value)
    found = validate(changed)
    some = [] if isinstance(found, Job) else found
    return [f.sentence for f in some if f.path[: len(keys)] == keys or f.path == keys[:-1]]


def spots(path: str, data: Mapping[str, Any]) -> list[Path]:
    """The places in a job that a path names; of `*` those that have the option."""
    head, _, rest = path.partition(".")
    if head not in ("columns", "tasks"):
        return [tuple(path.split("."))]
    entries = data.get(head)
    names = list(entries) if isinstance(entries, Mapping) else []
    if rest.startswith(f"{EVERY}."):
        option = rest.removeprefix(f"{EVERY}.")
        every: list[Path] = [(head, name, option) for name in names]
        return [keys for keys in every if schema_at(keys, data) is not None] or every[:1]
    fitting = [name for name in names if rest.startswith(f"{name}.")]  # names may hold dots
    if not fitting:
        return [tuple(path.split("."))]
    name = max((len(name), name) for name in fitting)[1]
    return [(head, name, rest[len(name) + 1 :])]


def schema_at(keys: Path, data: Mapping[str, Any]) -> Schema | None:
    """The schema of an option that a search may change; None where there is none."""
    head, option = str(keys[0]), str(keys[-1])
    if head not in SEARCHED or option in UNSEARCHED[head]:
        return None
    if head == "train":
        group = resolve(schema_of_job()["properties"]["train"])
        return group["properties"].get(option) if len(keys) == 2 else None
    if head == "fuse":
        if len(keys) != 2:
            return None
        if option == "type":
            return {"type": "string"}
        kinds = [members_of("fuse")[k]["properties"] for k in fusions(data)]
        return next((k[option] for k in kinds if option in k), None)
    entries = data.get(head)
    options = entries.get(keys[1]) if isinstance(entries, Mapping) else None
    if len(keys) != 3 or not isinstance(options, Mapping):
        return None
    kind = members_of(head).get(str(options.get("type")))
    return None if kind is None else kind["properties"].get(option)


def members_of(head: str) -> dict[str, Schema]:
    """The kinds that `columns`, `fuse` and `tasks` offer."""
    schema = schema_of_job()["properties"][head]
    return members(resolve(schema).get("additionalProperties", schema))


def fusions(data: Mapping[str, Any]) -> list[str]:
    """The ways of fusing that a search goes through: those of `tune`, else the job's own."""
    given = (data.get("tune") or {}).get("fuse.type")
    named = given.get("any") if isinstance(given, Mapping) else given
    fuse = data.get("fuse")
    own = fuse.get("type") if isinstance(fuse, Mapping) else "concat"
    known = members_of("fuse")
    some = [own, *(named if isinstance(named, list | tuple) else ())]
    return [k for k in dict.fromkeys(some) if isinstance(k, str) and k in known]


def searchable(data: Mapping[str, Any]) -> list[str]:
    """Every path that a search may change in a job."""
    paths: list[tuple[str, ...]] = [("fuse", "type")]
    paths += [("train", o) for o in resolve(schema_of_job()["properties"]["train"])["properties"]]
    paths += [("fuse", o) for k in fusions(data) for o in members_of("fuse")[k]["properties"]]
    for head in ("columns", "tasks"):
        entries = data.get(head)
        for name, options in entries.items() if isinstance(entries, Mapping) else ():
            kind = options.get("type") if isinstance(options, Mapping) else None
            schema = members_of(head).get(str(kind), {})
            paths += [(head, name, o) for o in schema.get("properties", ())]
    known = [keys for keys in dict.fromkeys(paths) if schema_at(keys, data) is not None]
    return [".".join(keys) for keys in known]


def is_whole(schema: Schema) -> bool:
    """Whether a spot takes whole numbers alone."""
    inner = resolve(schema)
    kinds = {s.get("type") for s in (inner, *inner.get("anyOf", ()))}
    return "integer" in kinds and "number" not in kinds and not choices(inner)


def put(data: dict[str, Any], keys: Path, value: Any) -> None:
    """Write a value at a spot of a job, in place."""
    *way, last = keys
    spot: Any = data
    for key in way:
        spot = spot.setdefault(key, {})
    spot[last] = value


def with_values(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A plain job with other values at some paths, without options that these leave nothing to say.

    Those are options of another way of fusing, bins of numbers that are embedded without them, and
    what is for pretrained encoders that change where they are all frozen.
    """
    changed = copy.deepcopy(dict(data))
    for path in sorted(values, key=lambda p: p != "fuse.type"):
        for keys in spots(path, data):
            put(changed, keys, values[path])
    known = members_of("fuse")[changed["fuse"].get("type", "concat")]["properties"]
    changed["fuse"] = {o: v for o, v in changed["fuse"].items() if o in known}
    trunks = [o for o in changed["columns"].values() if o.get("encoder", "scratch") != "scratch"]
    for options in changed["columns"].values():
        if options.get("embed") == "linear":
            options.pop("bins", None)
        if options.get("tune", "last_n") != "last_n":
            options.pop("last_n", None)
    for options in trunks:
        if options.get("tune") == "frozen" and not options.get("all_views"):
            options.pop("augment", None)
    if not any(options.get("tune") != "frozen" for options in trunks):
        for option in ("encoder_lr", "frozen_first", "freeze_epochs"):
            changed["train"].pop(option, None)
    return changed


def value_at(data: Mapping[str, Any], path: str) -> Any:
    """The value that a spelled-out job has at a path; None where places differ or have none."""
    found = []
    for keys in spots(path, data):
        spot: Any = data
        for key in keys:
            spot = spot.get(key) if isinstance(spot, Mapping) else None
        found.append(spot)
    return found[0] if found and all(f == found[0] for f in found) else None
