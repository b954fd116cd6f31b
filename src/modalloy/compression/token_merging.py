"""Token merging: the blocks of picture and text encoders join tokens that say the same.

No weight changes and nothing is learned; `model/compressed/merged_tokens.py` has the method. It
pays where blocks see many tokens (ViT at 224 pixels: 197), and less in a graph of its own than in
plain torch, since sorting and gathering are no matrix work.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from modalloy.compression.lever import (
    Changed,
    Rows,
    copied,
    input_of,
    inputs_of,
    noted,
    refuse_features,
    refuse_share,
)
from modalloy.compression.opened import reading
from modalloy.errors import JobError
from modalloy.model.compressed.merged_tokens import KINDS, merge_in
from modalloy.model.compressed.stacks import stacks_of
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.model import Model
from modalloy.model.tokens import Batch


def merge_tokens(
    model: Model, rows: Rows, share: float, *, inputs: Sequence[str] | None = None
) -> Changed:
    """A copy whose transformer blocks merge tokens, so that about this share of them is left behind
    the last block, the same number going in each.

    inputs: whose encoders merge; None for all that can. The record holds `merged`, list of blocks
    -> tokens a block, and `tokens` that there were at most. JobError where no encoder has such
    blocks (ViT, DINOv2, CLIP, SigLIP, and texts from scratch have), and for a share not in (0, 1].
    """
    refuse_share("token merging", share)
    refuse_features(rows.learn)
    smaller = copied(model)
    found = {
        name: stack
        for name, stack in stacks_of(smaller, KINDS).items()
        if not is_tower_of_texts(smaller, name)
        and (inputs is None or input_of(smaller, name) in inputs)
    }
    if not found:
        raise JobError(
            "token merging: no encoder has a list of transformer blocks that can merge tokens; ViT,"
            " DINOv2, CLIP, SigLIP and texts from scratch have"
        )
    tokens = longest(smaller, rows.learn, list(found))
    merged = {n: round((1 - share) * tokens[n] / len(found[n])) for n in found if n in tokens}
    merge_in(smaller, merged)
    record = {
        "lever": "merge_tokens",
        "inputs": inputs_of(smaller, merged),
        "share": share,
        "merged": merged,
        "tokens": tokens,
    }
    return noted(smaller, record)


def is_tower_of_texts(model: Model, name: str) -> bool:
    """Whether blocks are of a checkpoint that reads texts: CLIP's look back only, and SigLIP's at a
    fixed number of places."""
    encoder = model.encoders[input_of(model, name)]
    return isinstance(encoder, TextEncoder) and encoder.trunk is not None


@torch.no_grad()
def longest(model: Model, rows: Sequence[Batch], names: Sequence[str]) -> dict[str, int]:
    """The most tokens that each list of blocks sees in these rows; without those that see none."""
    tokens: dict[str, int] = {}

    def look(name: str, x_BTD: Tensor) -> None:
        tokens[name] = max(tokens.get(name, 0), x_BTD.shape[1])

    with reading(model, {f"{n}.0": lambda x, n=n: look(n, x) for n in names}):
        for batch in rows:
            model(batch)
    return tokens
