"""The adapters that a run holds, and the run that answers with one of them.

An adapter NAME is the part `adapter.NAME.safetensors`; what hangs on its weights - promises, blend,
rows that it learned from - are parts whose names begin with `adapter.NAME.`, beside
`adapter.NAME.json`: stages, notes, and parts of the plain run that it does without.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from modalloy.answer.stage import Stage, stages_from_state, stages_to_state
from modalloy.errors import RunError
from modalloy.job.options import did_you_mean
from modalloy.runs.run import Run

NAME = re.compile(r"[A-Za-z0-9_-]+")
WEIGHTS = re.compile(r"adapter\.([A-Za-z0-9_-]+)\.safetensors")
NONE = "none"  # asks for the run without any of its adapters


def adapters_of(run: Run) -> list[str]:
    """Names of a run's adapters."""
    found = (WEIGHTS.fullmatch(part) for part in plain(run).sealed)
    return sorted(match[1] for match in found if match)


def is_usual(run: Run) -> bool:
    """Whether a run answers as it was made to: with its usual adapter, or with none."""
    return run.adapter == plain(run).notes.get("adapter", "")


def plain(run: Run) -> Run:
    """The run without an adapter."""
    return run if run.base is None else run.base


def refuse_adapter_name(run: Run, name: str) -> None:
    """RunError for a name that no new adapter of a run can have."""
    if not NAME.fullmatch(name) or name == NONE:
        raise RunError(
            f"name: '{name}' cannot name an adapter; write letters, digits, '_' and '-', as in "
            f"line3 ('{NONE}' stands for the run without one)."
        )
    if name in adapters_of(run):
        raise RunError(f"{run.path}: holds an adapter '{name}' already; give another --name.")


def with_adapter(run: Run, name: str | None) -> Run:
    """The run that answers with this adapter; with `none` the plain one, for None the run's usual.

    RunError for a name that it does not hold.
    """
    own = plain(run)
    name = own.notes.get("adapter", NONE) if name is None else name
    if name == NONE:
        return own
    have = adapters_of(own)
    if name not in have:
        has = f"it has {', '.join(have)}" if have else "it has none"
        raise RunError(
            f"{run.path}: holds no adapter '{name}'; {has}.{did_you_mean(name, have)} "
            "`modalloy adapt RUN TABLE --name` makes one."
        )
    front = f"adapter.{name}."
    kept = json.loads(own.part(f"{front}json"))
    files = {p.removeprefix(front): p for p in own.sealed if p.startswith(front)}
    files = {part: file for part, file in files.items() if part not in ("json", "safetensors")}
    sealed = {p: h for p, h in own.sealed.items() if p not in kept["without"]}
    sealed |= {part: own.sealed[file] for part, file in files.items()}
    return replace(
        own,
        adapter=name,
        base=own,
        files=files,
        sealed=sealed,
        stages=stages_from_state(kept["stages"]),
        notes={**own.notes, **kept["notes"]},
    )


def adapter_parts(
    run: Run,
    name: str,
    parts: Mapping[str, bytes],
    *,
    stages: Mapping[str, Stage],
    notes: Mapping[str, Any],
    without: Collection[str] = (),
) -> dict[str, bytes]:
    """The parts of an adapter by their names in a run.

    parts: by the names that they have in a plain run. notes: those that differ from the run's.
    without: parts of the plain run that this adapter does without, where it has none of its own.
    """
    own = plain(run)
    changed = {k: v for k, v in notes.items() if k != "adapter" and own.notes.get(k) != v}
    state = {"stages": stages_to_state(stages), "notes": changed, "without": sorted(without)}
    named = {f"adapter.{name}.{part}": data for part, data in parts.items()}
    return named | {f"adapter.{name}.json": json.dumps(state, allow_nan=False).encode()}


def told_adapters(run: Run) -> list[dict[str, Any]]:
    """Each adapter of a run: `name`, `method`, `kb` of its file, `rows` that it learned from, and
    whether it is the `usual` one.
    """
    from modalloy.model.adapters.file import told_adapter

    own = plain(run)
    found = []
    for name in adapters_of(own):
        told = told_adapter(own.part(f"adapter.{name}.safetensors"))
        notes = json.loads(own.part(f"adapter.{name}.json"))["notes"]
        rows = notes.get("adapted", {}).get("rows", {}).get("train")
        usual = own.notes.get("adapter") == name
        method = told["options"]["method"]
        found.append(
            {"name": name, "method": method, "kb": told["kb"], "rows": rows, "usual": usual}
        )
    return found
