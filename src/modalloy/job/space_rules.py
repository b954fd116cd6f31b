"""What is wrong with `pretrain.contrast` and `matching`, as far as the job alone shows it."""

from collections.abc import Iterator
from typing import Any

from modalloy.job.faults import Fault
from modalloy.job.options import did_you_mean

TABULAR = ("number", "category", "time")
UNSEEN = ("group", "ignore")
TABLE = "table"  # all number, category and time columns together


def broken_spaces(pretrain: Any, columns: dict[str, dict[str, Any]]) -> Iterator[Fault]:
    """Faults of `pretrain.contrast` and `pretrain.matching`."""
    if not isinstance(pretrain, dict):
        return
    inputs = inputs_of(columns)
    for way in ("contrast", "matching"):
        if isinstance(pretrain.get(way), dict) and inputs is not None and len(inputs) < 2:
            why = (
                "needs two inputs or more; number, category and time columns count as one together"
                f", and there {'is ' + inputs[0] + ' alone' if inputs else 'is none'}."
            )
            yield Fault(("pretrain", way), why)
    contrast = pretrain.get("contrast")
    if isinstance(contrast, dict):
        yield from _anchor(contrast, inputs)
        yield from _neighbours(contrast, columns)


def inputs_of(columns: dict[str, dict[str, Any]]) -> list[str] | None:
    """The inputs of a job; None where a column's type cannot be read."""
    kinds = {name: options.get("type") for name, options in columns.items()}
    if not all(isinstance(kind, str) for kind in kinds.values()):
        return None
    media = [n for n, k in kinds.items() if k not in (*TABULAR, *UNSEEN)]
    return [*([TABLE] if any(k in TABULAR for k in kinds.values()) else []), *media]


def _anchor(contrast: dict[str, Any], inputs: list[str] | None) -> Iterator[Fault]:
    """Only volumes have an anchor, and it is an input."""
    anchor, path = contrast.get("anchor"), ("pretrain", "contrast", "anchor")
    if anchor is None:
        return
    if contrast.get("loss", "infonce") != "gram":
        yield Fault(path, "only loss: gram has an anchor; take it away, or set loss: gram.")
    elif inputs is not None and anchor not in inputs:
        why = f"is no input; there are: {', '.join(inputs)}.{did_you_mean(str(anchor), inputs)}"
        yield Fault(path, why)


def _neighbours(contrast: dict[str, Any], columns: dict[str, dict[str, Any]]) -> Iterator[Fault]:
    """Neighbours are kept as an encoder knows them that does not change."""
    weight = contrast.get("neighbours")
    if not isinstance(weight, int | float) or weight <= 0:
        return
    series = any(options.get("type") == "series" for options in columns.values())
    if not series and not any(options.get("tune") == "frozen" for options in columns.values()):
        why = "no column has an encoder with tune: frozen, whose neighbours could be kept."
        yield Fault(("pretrain", "contrast", "neighbours"), why)
