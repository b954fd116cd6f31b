"""The parts of a network as modules of nothing but tensors, ready to become graphs."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.model import Model
from modalloy.model.tokens import Batch, Tokens

LENGTHS = {"ids": 1, "mask": 1, "shape": 1, "words": 1, "wave": 1, "x": 2}  # dimension of lengths


class EncoderGraph(nn.Module):
    """The encoder of one input, for rows that all have it; tabular ones say which cells are there.

    names: of the arrays that go in, in their order. pooled: its trunk's vectors come out as well.
    """

    def __init__(self, encoder: Encoder, names: Sequence[str], *, pooled: bool) -> None:
        super().__init__()
        self.encoder, self.names, self.pooled = encoder, tuple(names), pooled

    def forward(self, *arrays: Tensor) -> dict[str, Tensor]:
        """`x_BTD`, `mask_BT`, `summary_BD`, and where there are any `words_BW`, `map.0`...
        (B, F, H, W), and `pooled` (B, F).
        """
        values = dict(zip(self.names, arrays, strict=True))
        if isinstance(self.encoder, TableEncoder):
            present_BN = values.pop("present")
            return said(self.encoder(values, present_BN))
        features = self.encoder.trunk_features(values)
        own = said(self.encoder.embed(features))
        if self.pooled:
            own["pooled"] = self.encoder.pooled_features(features).float()
        return own


class HeadsGraph(nn.Module):
    """Fusion and all heads, of the tokens of all inputs.

    names: of the arrays that go in, in their order, as `arrays_of` calls them.
    """

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def forward(self, *arrays: Tensor) -> dict[str, Tensor]:
        """`task.T.KEY` of the T-th task, `head.M.T.KEY` of the M-th input's own head for it, and
        `fused` (B, D).
        """
        given = dict(zip(self.names, arrays, strict=True))
        tokens = {n: tokens_of(m, given) for m, n in enumerate(self.model.inputs)}
        values, present = {}, {}
        for m, name in enumerate(self.model.inputs):
            if f"size.{m}" in given:
                values[name] = {"size": given[f"size.{m}"]}
                present[name] = given[f"seen.{m}"]
        output = self.model.decide(tokens, Batch(values, present))
        found = {"fused": output.fused.summary_BKD.mean(1)}
        for t, task in enumerate(self.model.tasks):
            found |= {f"task.{t}.{k}": x for k, x in output.tasks[task].items()}
            for m, name in enumerate(self.model.inputs):
                own = output.auxiliary.get(task, {}).get(name, {})
                found |= {f"head.{m}.{t}.{k}": x for k, x in own.items()}
        return found


def said(tokens: Tokens) -> dict[str, Tensor]:
    """Tokens as outputs of a graph."""
    found = {"x_BTD": tokens.x_BTD, "mask_BT": tokens.mask_BT, "summary_BD": tokens.summary_BD}
    if tokens.words_BW is not None:
        found["words_BW"] = tokens.words_BW
    return found | {f"map.{j}": m for j, m in enumerate(tokens.maps)}


def tokens_of(m: int, given: Mapping[str, Tensor]) -> Tokens:
    """The tokens of the m-th input among what goes into a graph."""
    maps = [given[n] for n in given if n.startswith(f"map.{m}.")]
    return Tokens(
        given[f"x.{m}"],
        given[f"mask.{m}"],
        given[f"summary.{m}"],
        given.get(f"words.{m}"),
        tuple(maps),
    )


def arrays_of(model: Model, tokens: Mapping[str, Tokens], batch: Batch) -> dict[str, Tensor]:
    """What goes into `HeadsGraph`: tokens of the m-th input as `x.m`, `mask.m`, `summary.m`,
    `words.m`, `map.m.0`...; of pictures that boxes are looked for on, `size.m` and `seen.m`.
    """
    found: dict[str, Tensor] = {}
    for m, name in enumerate(model.inputs):
        own = said(tokens[name])
        for key, x in own.items():
            kind, _, at = key.split("_")[0].partition(".")
            found[f"{kind}.{m}.{at}" if at else f"{kind}.{m}"] = x
        if tokens[name].maps:
            found[f"size.{m}"] = batch.values[name]["size"]
            found[f"seen.{m}"] = batch.present[name]
    return found


def lengths_in(values: Mapping[str, Tensor]) -> Iterator[tuple[str, int]]:
    """Which dimension of which array is as long as the longest text, sound or series."""
    for key, x in values.items():
        if key in LENGTHS and x.ndim > LENGTHS[key]:
            yield key, LENGTHS[key]


@torch.no_grad()
def example_tokens(model: Model, batch: Batch) -> dict[str, Tokens]:
    """Tokens of a batch as they stand in a graph: each with more than one token and word, for what
    has the size 1 in an example is taken to have it always.
    """
    found = {}
    for name in model.inputs:
        tokens = model.encode_one(name, batch)
        found[name] = tokens if tokens.x_BTD.shape[1] > 1 else widened(tokens)
    return found


def widened(tokens: Tokens) -> Tokens:
    """The same tokens beside one that does not exist."""
    x_BTD = torch.cat([tokens.x_BTD, torch.zeros_like(tokens.x_BTD)], 1)
    mask_BT = torch.cat([tokens.mask_BT, torch.zeros_like(tokens.mask_BT)], 1)
    return tokens._replace(x_BTD=x_BTD, mask_BT=mask_BT)
