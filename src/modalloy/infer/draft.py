"""Writes the job file that `init` prints, so that `train` takes it unedited."""

import dataclasses
import io
import json
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from modalloy.checks.column_profile import counted
from modalloy.infer.guessed import Guess, InferredTask
from modalloy.job import config
from modalloy.table.records import SQLITE
from modalloy.table.sources import FRAME

LONGEST_KEY = 100  # letters; ruamel writes keys of 128 and more in a form that jobs do not have


def _by_type(union: Any) -> dict[str, type[BaseModel]]:
    """The groups of options in a union, by the `type` that tells them apart."""
    return {g.model_fields["type"].default: g for g in get_args(get_args(union)[0])}


COLUMNS, TASKS = _by_type(config.Column), _by_type(config.TaskOptions)


@dataclass(frozen=True)
class Draft:
    """Types, tasks, split and options of `train` that a table suggests, each with its reason."""

    rows: int
    columns: Mapping[str, Guess]
    split: Mapping[str, Any]
    split_reason: str
    tasks: Mapping[str, InferredTask]
    sheet: str | None = None
    notes: Sequence[str] = ()  # what was taken for what when the table was read
    train: Mapping[str, tuple[Any, str]] = dataclasses.field(
        default_factory=dict
    )  # option: value and reason

    def job(self, source: str) -> dict[str, Any]:
        """The job as plain data, without defaults."""
        columns = {n: {"type": g.type, **g.options} for n, g in self.columns.items()}
        tasks = {t: {"type": g.type, "target": t, **g.options} for t, g in self.tasks.items()}
        sheet = {} if self.sheet is None else {"sheet": self.sheet}
        split = dict(self.split)
        train = {"train": {n: value for n, (value, _) in self.train.items()}} if self.train else {}
        given = {"table": source, **sheet, "split": split, "columns": columns, "tasks": tasks}
        return given | train


def job_yaml(draft: Draft, source: str) -> str:
    """The job file of a draft: each column with its reason, each default as a comment.

    The defaults are the fields of config.py, so they cannot drift; those of a type stand once,
    above the first column or task of it.
    """
    job = draft.job(source)
    fuse = config.Job.model_fields["fuse"].default
    lines = [
        f"# {counted(draft.rows)} rows. Types and their reasons were inferred: read them, then "
        "`modalloy train` this file.",
        *(f"# Read so: {note}." for note in draft.notes),
        *_place(source),
        _line({"table": source}),
    ]
    if draft.sheet is not None:
        lines.append(_line({"sheet": draft.sheet}))
    lines += [_line({"split": job["split"]}, draft.split_reason)]
    lines += [f"# defaults of split: {_rest(config.Split, job['split'])}", "columns:"]
    lines += _section(job["columns"], draft.columns, COLUMNS)
    lines += ["tasks:", *_section(job["tasks"], draft.tasks, TASKS)]
    lines += ["# Defaults; remove the first '# ' of a line to change it.", "fuse:"]
    lines += [f"  {_line({'type': fuse.type})}"]
    lines += [line for line in _defaults(fuse) if not line.startswith("  # type:")]
    written = dict(draft.train)
    if "minutes" not in written:
        written = {"epochs": (config.Train().epochs, _help(config.Train, "epochs")), **written}
    lines += ["train:", *(f"  {_line({n: value}, why)}" for n, (value, why) in written.items())]
    shown = tuple(f"  # {name}:" for name in written)
    lines += [line for line in _defaults(config.Train()) if not line.startswith(shown)]
    given = () if draft.sheet is None else ("sheet",)
    # pyrefly: ignore[missing-argument] only the defaults are looked at
    rest = _defaults(config.Job.model_construct())
    lines += [line[2:] for line in rest if _scalar(line, given)]
    return "\n".join(lines) + "\n"


def _place(source: str) -> Iterator[str]:
    """Where a relative table starts, because the file may be saved in any folder."""
    path = source.removeprefix(SQLITE).partition("?")[0] if source.startswith(SQLITE) else source
    if source != FRAME and not Path(path).is_absolute():
        yield "# `table` counts from the folder of this file; change it if the file lies elsewhere."


def _section(
    entries: Mapping[str, Any],
    found: Mapping[str, Guess] | Mapping[str, InferredTask],
    groups: Mapping[str, type[BaseModel]],
) -> Iterator[str]:
    """A line for each column or task; what its type holds besides stands above the first of it."""
    told = set()
    for name, entry in entries.items():
        kind = entry["type"]
        rest = _rest(groups[kind], ("type",))
        if kind not in told and rest != "{}":
            yield f"  # defaults of {kind}: {rest}"
        told.add(kind)
        yield f"  {_line({name: entry}, found[name].reason)}"


def _rest(group: type[BaseModel], given: Container[str]) -> str:
    """The defaults of a group of options, but for those given, as `{pixels: 160, ...}`."""
    fields = {field.alias or name: field for name, field in group.model_fields.items()}
    defaults: dict[str, Any] = {}
    for name, field in fields.items():
        if not field.is_required():  # a default may follow from those before it
            defaults[name] = field.get_default(call_default_factory=True, validated_data=defaults)
    values = {name: value for name, value in defaults.items() if name not in given}
    return _line({"x": values}).removeprefix("x: ")


def _scalar(line: str, given: tuple[str, ...]) -> bool:
    """Whether a default of the whole job has no section of its own, and is not given."""
    name = line[4:].split(":")[0]
    return name in {"sheet", "seed", "allow_leak", "allow_outside", "unreadable"}.difference(given)


def _defaults(options: BaseModel) -> Iterator[str]:
    """Every field of a group of options with its default and help, as commented lines."""
    for name, field in type(options).model_fields.items():
        value = getattr(options, name, field.default)
        if value is None or isinstance(value, str | int | float | bool | BaseModel):
            yield f"  # {_line({name: value}, _help(type(options), name))}"


def _help(group: type[BaseModel], name: str) -> str:
    return " ".join((group.model_fields[name].description or "").split()).rstrip(".")


def _line(entry: Mapping[str, Any], comment: str = "") -> str:
    """One `key: value` on one line, the value in flow style, with a trailing comment."""
    yaml = YAML()
    yaml.width = 1_000_000  # the line of a column stays one line, however long its names
    out = io.StringIO()
    ((key, value),) = entry.items()
    long = len(key) > LONGEST_KEY or not key.isprintable()  # ruamel would write it over two lines
    yaml.dump({"key" if long else key: _flow(value)}, out)
    text = " ".join(out.getvalue().split("\n")).strip()
    text = quoted(key) + text.removeprefix("key") if long else text
    told = "".join(c if c.isprintable() else "?" for c in " ".join(comment.split()))
    return f"{text}  # {told}" if told else text


def quoted(name: str) -> str:
    """A name in double quotes, whatever does not print as an escape that YAML knows."""
    text = json.dumps(name, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def _flow(value: Any) -> Any:
    """Plain data, and groups of options, as ruamel's flow style: {type: image, pixels: 64}."""
    if isinstance(value, BaseModel):
        return _flow(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        group = CommentedMap({k: _flow(v) for k, v in value.items()})
        group.fa.set_flow_style()
        return group
    if isinstance(value, list | tuple):
        items = CommentedSeq([_flow(v) for v in value])
        items.fa.set_flow_style()
        return items
    if isinstance(value, str) and not value.isprintable():
        return DoubleQuotedScalarString(value)
    if isinstance(value, float) and not math.isinf(value) and value == int(value):
        return int(value) if abs(value) >= 1 else value
    return value
