"""What a lever is: a trained model and rows in, a cheaper copy and a record of what was done out.

A search calls every lever alike, `lever(model, rows, share)`; options of a lever come after `*` and
have defaults. The model that is given stays as it is. What `share` means is the lever's own:

    pruning.prune                 share of heads, neurons and channels that are left
    distilling.distil_into        (not a lever: it teaches what another one has made)
    low_rank.factorise            share of each layer's output that its factors keep, squared
    token_merging.merge_tokens    share of tokens that are left behind the last block
    early_exit.exit_early         least share of held-out rows that are answered as at full depth

A record is JSON; `model.compressed` lists those of a model in the order they were made, a run keeps
the list, and `model/compressed/rebuild.py` builds the same shapes from it. Nothing here judges what
a change costs: who calls a lever does, on rows that no lever has seen.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from modalloy.errors import JobError
from modalloy.model.layers.named import key
from modalloy.model.model import Model
from modalloy.model.tokens import Batch


class Rows(NamedTuple):
    """Batches that a lever may look at, where the model lies.

    learn: training rows, with their answers where there are any. held: rows that the model has not
    learned from, which thresholds are chosen by; empty where a lever needs none. Media cells come
    as they are read: what a frozen encoder has said of them (`features`) shows nothing of its
    trunk.
    """

    learn: Sequence[Batch]
    held: Sequence[Batch] = ()


class Changed(NamedTuple):
    """A cheaper model, and what was done to it as JSON."""

    model: Model
    record: dict[str, Any]


Lever = Callable[[Model, Rows, float], Changed]


def copied(model: Model) -> Model:
    """A copy in evaluation mode for a lever to change. JobError while adapters are attached."""
    if model.adapted is not None:
        raise JobError("the model is being adapted: merge or detach its adapter before compressing")
    return copy.deepcopy(model).eval()


def noted(model: Model, record: dict[str, Any]) -> Changed:
    """A changed model with its record among those that it is built again from."""
    model.compressed = [*model.compressed, record]
    return Changed(model, record)


def refuse_share(what: str, share: float, least: float = 0.0, most: float = 1.0) -> None:
    """JobError for a share outside of its bounds."""
    if not least < share <= most:
        raise JobError(f"{what}: share {share:g} is not above {least:g} and up to {most:g}")


def refuse_features(rows: Sequence[Batch]) -> None:
    """JobError for no rows at all, and for rows with what frozen encoders said of them."""
    if not len(rows):
        raise JobError("compressing needs rows to look at, and there are none")
    kept = [name for name, values in rows[0].values.items() if "features" in values]
    if kept:
        raise JobError(
            f"column '{kept[0]}': rows come with what its frozen encoder said of them, which shows "
            "nothing of its layers; open them by a loader that keeps no features"
        )


def parameters(model: Model) -> int:
    """Numbers that a model holds and answers with."""
    return sum(p.numel() for p in model.parameters())


def input_of(model: Model, layer: str) -> str:
    """The input whose encoder holds a layer."""
    return next(name for name in model.encoders if layer.startswith(f"encoders.{key(name)}."))


def inputs_of(model: Model, layers: Iterable[str]) -> list[str]:
    """The inputs whose encoders hold any of these layers, in the order of the model."""
    found = {input_of(model, layer) for layer in layers}
    return [name for name in model.encoders if name in found]
