"""Builds the shapes of a compressed model again, lever by lever, so that its weights can be loaded.

`compression/` writes the records; a new lever that changes layers gets one more case here.
"""

from collections.abc import Sequence
from typing import Any

from modalloy.errors import RunError
from modalloy.model.body import Body
from modalloy.model.compressed.exits import put_exits
from modalloy.model.compressed.factors import factor
from modalloy.model.compressed.merged_tokens import merge_in
from modalloy.model.compressed.units import shrink


def rebuild(model: Body, records: Sequence[dict[str, Any]]) -> None:
    """Give a model as its job builds it the layers of a compressed one, in place.

    RunError for a record that this version does not know, or that does not fit the model.
    """
    for record in records:
        try:
            build(model, record)
        except (KeyError, AttributeError) as error:
            raise RunError(
                f"the run was compressed ({record.get('lever')}), and its job's model has not the "
                f"layers for it: {error}; restore job.yaml and schema.json as they were written."
            ) from error
    model.compressed = list(records)


def build(model: Body, record: dict[str, Any]) -> None:
    """One lever's layers."""
    match record["lever"]:
        case "prune":
            shrink(model, record["units"])
        case "low_rank":
            factor(model, record["ranks"])
        case "merge_tokens":
            merge_in(model, record["merged"])
        case "exit_early":
            put_exits(model, record["exits"])
        case "distil":
            pass  # learned weights in the shapes that were there
        case other:
            raise RunError(
                f"the run was compressed by '{other}', which this version does not know; upgrade "
                "modalloy."
            )
