"""Brings runs of older formats to the present one; the only place where old forms are known.

When the format changes, `FORMAT` in `seal.py` rises by one, `migrate` gets one more case, and
`dev/golden.py` writes one more golden run, which all later versions must answer as this one did.
A new meaning of what a run leaves out is a change of format: the older run gets the older meaning
written out. All else that reads runs knows the present format alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modalloy.cells.naming import AMOUNT, Reading
from modalloy.runs.seal import FORMAT

# What runs of format 1 may lack, by the version that made them, and what it then means.
COLUMNS_OF_1: dict[str, dict[str, Any]] = {
    "number": {"size": "small", "scale": "linear"},
    "category": {"size": "small"},
    "time": {"size": "small"},
    "image": {"all_views": False},
}
READERS_OF_1: dict[str, dict[str, Any]] = {
    "number": {"log": False},
    "category": {"decimal": "."},
    "time": {"since": None, "gap": [0.0, 1.0], "forms": ["iso", "iso"]},
    "audio": {"full": None},
    "series": {"channel_names": None, "alike": True, "order_form": None, "parted": []},
}
TARGETS_OF_1: dict[str, dict[str, Any]] = {
    "classify": {"decimal": "."},
    "regress": {"limit": 1e6},
}
NOTES_OF_1: dict[str, Any] = {"interrupted": False, "refit": False, "findings": [], "cells": {}}


@dataclass(frozen=True)
class RawRun:
    """A run as its files say, in plain data: `run.json`, `job.yaml` and `schema.json`."""

    seal: Mapping[str, Any]
    job: Mapping[str, Any]
    schema: Mapping[str, Any]

    @property
    def format(self) -> int:
        """The form that the three are in."""
        return self.seal.get("format", 1)


def migrate(raw: RawRun) -> RawRun:
    """The same run as the present format says it, format by format; files stay as they are.

    `read_seal` has refused formats that are newer than this version.
    """
    while raw.format < FORMAT:
        match raw.format:
            case 1:
                raw = from_1_to_2(raw)
            case _:
                raise AssertionError(f"format {raw.format} has no case")
    return raw


def from_1_to_2(raw: RawRun) -> RawRun:
    """Format 2 says its kind and its parent, and leaves out nothing that readers remember."""
    seal = {"kind": "model", "parent": None} | {**raw.seal, "format": 2}
    seal["notes"] = NOTES_OF_1 | raw.seal["notes"]
    columns = {
        name: COLUMNS_OF_1.get(options["type"], {}) | options
        for name, options in raw.job["columns"].items()
    }
    job = {**raw.job, "columns": columns, "train": {"refit": False} | raw.job["train"]}
    schema = {"decimal": None, "stages": {}, **raw.schema}
    schema["readers"] = filled(raw.schema["readers"], READERS_OF_1)
    schema["targets"] = filled(raw.schema["targets"], TARGETS_OF_1)
    return RawRun(seal, job, schema)


def filled(
    states: Mapping[str, Mapping[str, Any]], lacking: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """States of readers or targets of format 1 with what older ones leave out."""
    found = {name: {**lacking.get(s["kind"], {}), **s} for name, s in states.items()}
    for state in found.values():
        if state["kind"] in ("category", "classify") and state.get("reading") is None:
            state["reading"] = reading_of_names(state["names"])
    return found


def reading_of_names(names: list[str]) -> Reading:
    """How the cells of older runs were read, which kept names alone: as numbers if all are."""
    return "number" if names and all(AMOUNT.fullmatch(n) for n in names) else "written"
