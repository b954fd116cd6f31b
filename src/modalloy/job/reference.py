"""Writes docs/job-file.md from config.py: every option, its bounds, its default and its help."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from modalloy.job import config
from modalloy.job.options import Schema, choices, expected, listed, members, resolve, schema_of_job

OPENING = """\
# The job file
<!-- Written from job/config.py by `python -m modalloy.job.reference docs/job-file.md`. -->

One YAML 1.2 page says everything that a training needs; what is left out takes its default.
`modalloy init` writes the first one for a table. All faults are named in one pass, each with its
line:

```text
error: job.yaml:7: columns.load.bin: is not an option of type: number. Did you mean 'bins'?
error: job.yaml:12: tasks.life.quantiles[1]: must be a number above 0 and below 1. Got 2.
```

```yaml
table: parts.parquet # beside this file; absolute paths and sqlite:/// too
split: { by: machine, test: 0.2 }
columns:
  photo: { type: image, encoder: efficientnet_lite0 }
  vibration: { type: series, rate_hz: 12_000, front: [learned, spectrum] }
  note: { type: text }
  load: { type: number, unit: kN }
  site: { type: category }
fuse: { type: concat, width: 128 }
tasks:
  fault: { type: classify, target: fault_code }
  life: { type: regress, target: hours_left, unit: h, quantiles: [0.1, 0.9] }
train: { epochs: 20, batch: 32, lr: 1e-3 }
```

Values are YAML 1.2: `3e-4` is a number, `yes` and `no` are words, and keys are text as written.
They are taken strictly: `epochs: "20"` is text and is refused. There are no includes, no aliases
and no interpolation.
"""

SECTIONS = {
    "columns": "Columns of the table that the model should not see stay out of this list.",
    "fuse": "Left out, the columns are joined by `concat`.",
    "tasks": "Several tasks are learned together; a row whose target is empty teaches the others.",
}


def page() -> str:
    """The whole page as Markdown."""
    job = schema_of_job()
    names = list(job["properties"])
    groups = [name for name in names if _is_group(job["properties"][name])]
    parts = [OPENING, "## Top level\n", *_table(job, names), ""]
    for name in groups:
        schema = resolve(job["properties"][name])
        parts += [f"## `{name}`", _line(schema.get("description")), ""]
        union = schema.get("additionalProperties", schema)
        kinds = members(union) if isinstance(union, dict) else {}
        if not kinds:
            own = list(schema["properties"])
            parts += [*_table(schema, own), "", *_inner(schema, own)]
            continue
        parts += [SECTIONS[name], "", *_shared(kinds), *_kinds(kinds)]
    return "\n".join(parts).rstrip() + "\n"


def _shared(kinds: dict[str, Schema]) -> Iterator[str]:
    """Options that several kinds inherit unchanged from one group, told once."""
    for base in _bases(kinds):
        heirs = {word: schema for word, schema in kinds.items() if _base_of(schema) is base}
        everyone = len(heirs) == len(kinds)
        who = "Every type takes these" if everyone else f"{_code(heirs)} take these"
        names = [name for name in _own(base) if not all(_changed(s, name) for s in heirs.values())]
        yield f"**{who}.** {_line(base.__doc__)}\n"
        yield from _table(base.model_json_schema(), names)
        yield ""
        yield from _inner(base.model_json_schema(), names)


def _kinds(kinds: dict[str, Schema]) -> Iterator[str]:
    """One subsection a kind, with the options that are its own."""
    for word, schema in kinds.items():
        names = [name for name in schema["properties"] if name != "type" and _changed(schema, name)]
        yield f"### `type: {word}`"
        yield f"{_line(getattr(config, schema['title']).__doc__)}\n"
        if names:
            yield from _table(schema, names)
            yield ""
        yield from _inner(schema, names)


def _inner(schema: Schema, names: list[str]) -> Iterator[str]:
    """Options inside these options, where they are groups."""
    for name in names:
        inner = resolve(schema["properties"][name])
        while isinstance(inner.get("additionalProperties"), dict):  # by names of the user's own
            inner = resolve(inner["additionalProperties"])
        if "properties" in inner:
            yield f"`{name}` holds:\n"
            yield from _table(inner, list(inner["properties"]))
            yield ""


def _changed(schema: Schema, name: str) -> bool:
    """Whether an option is not the one that the kind's group of shared options has."""
    base = _base_of(schema)
    return base is None or schema["properties"][name] != _own(base).get(name)


def _table(schema: Schema, names: list[str]) -> Iterator[str]:
    """Options as rows: name, what it may be, default, help."""
    yield "| option | may be | default | help |"
    yield "| --- | --- | --- | --- |"
    for name in names:
        option = schema["properties"][name]
        required = name in schema.get("required", ())
        default = "required" if required else _default(option)
        text = _line(resolve(option).get("description"))
        yield f"| `{name}` | {_cell(_may_be(option))} | {default} | {_cell(text)} |"


def _may_be(option: Schema) -> str:
    """What an option may be, its words as code."""
    if _is_group(option):
        return "see below"
    inner = resolve(option)
    if names := choices(inner):
        return listed(f"`{name}`" for name in names)
    if names := choices(resolve(inner.get("items", {}))):
        return f"a list out of {', '.join(f'`{name}`' for name in names)}"
    return expected(option)


def _default(option: Schema) -> str:
    """A default as the job file would say it."""
    value = option.get("default")
    if isinstance(value, dict) and value:
        return f"`{value['type']}`" if "type" in value else "see below"
    if value in (None, [], {}):
        return "none"
    if isinstance(value, list):
        return f"`[{', '.join(value)}]`"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _is_group(option: Schema) -> bool:
    """Whether an option of the top level has a section of its own."""
    inner = resolve(option)
    if inner.get("additionalProperties") is True:  # any names, any values
        return False
    return any(key in inner for key in ("properties", "additionalProperties", "discriminator"))


def _bases(kinds: dict[str, Schema]) -> list[type[config.Options]]:
    """Groups that at least one kind derives from, in their order."""
    found = [_base_of(schema) for schema in kinds.values()]
    return list(dict.fromkeys(base for base in found if base is not None))


def _base_of(schema: Schema) -> Any:
    """The group of shared options that a kind derives from; none where that is `Options` itself."""
    line = getattr(config, schema["title"]).__mro__
    return line[line.index(config.Options) - 1] if line[1] is not config.Options else None


def _own(group: type[config.Options]) -> dict[str, Schema]:
    """Schemas of a group's options."""
    return group.model_json_schema()["properties"]


def _line(text: str | None) -> str:
    """A help text or docstring on one line."""
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    """Text that may stand in a table."""
    return text.replace("|", "\\|")


def _code(words: Iterable[str]) -> str:
    """Words as code, joined."""
    return ", ".join(f"`{word}`" for word in words)


def main() -> None:
    """Print the page, or write it to the path that was given."""
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())


if __name__ == "__main__":
    main()
