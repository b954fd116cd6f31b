"""Learning by hiding: parts of all columns of a row are rebuilt from what is left of all of them.

MultiMAE (Bachmann et al. 2022, 2204.01678) and TIP (Du et al. 2024, 2407.07582), for any columns
and any encoders: parts are hidden in the values, not among tokens, so that networks of convolutions
learn too.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.layers.block import attention
from modalloy.model.layers.named import Named
from modalloy.model.tokens import Batch, Tokens
from modalloy.objectives.hiding import has_any
from modalloy.objectives.losses import Losses
from modalloy.objectives.names import method_loss
from modalloy.objectives.pretext import Pretext
from modalloy.objectives.rebuilt.build import build_rebuilt
from modalloy.objectives.rebuilt.rebuilt import Rebuilt
from modalloy.objectives.rebuilt.table import RebuiltTable
from modalloy.objectives.rebuilt.text import RebuiltText
from modalloy.readers.batch import TABLE

HEADS = 4  # of attention in the decoder, or fewer where they do not divide its width


class Cost(NamedTuple):
    """What rebuilding an input cost: each place (B, P), and which places were hidden."""

    cost_BP: Tensor
    hidden_BP: Tensor

    def mean(self, at: int | None = None) -> tuple[Tensor, Tensor]:
        """Mean over hidden places, or over one column of places, and how many these are."""
        some = slice(None) if at is None else slice(at, at + 1)
        weight_BP = self.hidden_BP[:, some].to(self.cost_BP.dtype)
        count = weight_BP.sum()
        return (self.cost_BP[:, some] * weight_BP).sum() / count.clamp_min(1.0), count


class Masked(Pretext):
    """Hides, encodes what is left, and rebuilds by a small decoder that is left behind later.

    Each place of each input asks all tokens of the row; in `options.summary` of the rows it asks
    the fused summary alone. An input's loss is the mean over its hidden places.
    """

    def __init__(self, body: Body, options: config.Masked) -> None:
        super().__init__()
        self.options = options
        width = options.width
        self.rebuilt = Named({name: build_rebuilt(body, name, width) for name in body.inputs})
        refuse_still(self.rebuilt)
        self.decoder = Decoder(body, self.rebuilt, width, options.layers)

    def forward(self, body: Body, batch: Batch) -> Losses:
        """A loss an input."""
        losses = Losses()
        for name, cost in self.rebuild(body, batch).items():
            losses.add(method_loss("masked", name), *cost.mean(), 1.0)
        return losses

    def parts(self, body: Body, batch: Batch) -> Losses:
        """A loss a column."""
        losses = Losses()
        for name, cost in self.rebuild(body, batch).items():
            rebuilt = self.rebuilt[name]
            if isinstance(rebuilt, RebuiltTable):
                for at, column in enumerate(rebuilt.columns):
                    losses.add(method_loss("masked", column), *cost.mean(at), 1.0)
            else:
                losses.add(method_loss("masked", name), *cost.mean(), 1.0)
        return losses

    def rebuild(self, body: Body, batch: Batch) -> dict[str, Cost]:
        """What each input costs once some of it was hidden."""
        there = {n: r.there(batch.values[n], batch.present[n]) for n, r in self.rebuilt.items()}
        hidden = self.draw(batch, there)
        tokens = body.encode(hide(self.rebuilt, batch, hidden))
        fused_BD = body.fuse(tokens).summary_BKD.mean(1)
        alone_B = (torch.rand(len(fused_BD)) < self.options.summary).to(fused_BD.device)
        places = {name: hidden_BP.shape[1] for name, hidden_BP in hidden.items()}
        z = self.decoder(tokens, fused_BD, alone_B, places)
        return {
            name: Cost(r.loss(z[name], batch.values[name], hidden[name]), hidden[name])
            for name, r in self.rebuilt.items()
        }

    def draw(self, batch: Batch, there: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Which places are hidden, (B, P) bool an input, never one that a row does not have.

        Whole columns first, so that of several one always stays; then places of what is left.
        """
        names = list(there)
        any_BM = torch.stack([has_any(batch.present[n]) for n in names], 1)
        whole_BM = (torch.rand(any_BM.shape) < self.options.columns).to(any_BM.device)
        whole_BM &= (any_BM & ~whole_BM).any(1, keepdim=True)
        found = {}
        for m, name in enumerate(names):
            there_BP, rebuilt = there[name], self.rebuilt[name]
            some_BP = torch.rand(there_BP.shape) < share_of(rebuilt, self.options)
            found[name] = there_BP & (some_BP.to(there_BP.device) | whole_BM[:, m : m + 1])
        return found


def refuse_still(rebuilt: Named[Rebuilt]) -> None:
    """JobError where nothing can be hidden, since the only input is read by what stands still."""
    if len(rebuilt) == 1 and rebuilt.values()[0].whole:
        name = rebuilt.keys()[0]
        raise JobError(
            f"pretrain.masked: '{name}' is the only column and its encoder stands still, so there "
            "is nothing to rebuild and nobody to tell it; let its encoder learn (tune: full, a "
            "learned front), or name another column."
        )


def share_of(rebuilt: Rebuilt, options: config.Masked) -> float:
    """How much of what is left of an input is hidden."""
    if rebuilt.whole:
        return 0.0
    if isinstance(rebuilt, RebuiltText):
        return options.pieces
    return options.cells if isinstance(rebuilt, RebuiltTable) else options.patches


def hide(rebuilt: Named[Rebuilt], batch: Batch, hidden: Mapping[str, Tensor]) -> Batch:
    """The batch without what is hidden; a media column that is hidden wholly is not there."""
    values, present = {}, {}
    for name, one in rebuilt.items():
        own, hidden_BP = batch.present[name], hidden[name]
        values[name] = one.hide(batch.values[name], hidden_BP)
        if name == TABLE:
            present[name] = own & ~hidden_BP
        else:
            there_BP = one.there(batch.values[name], own)
            gone_B = there_BP.any(1) & (there_BP == hidden_BP).all(1)
            present[name] = own & ~gone_B
    return replace(batch, values=values, present=present)


class Decoder(nn.Module):
    """Places ask the tokens of all inputs, their summaries and the fused one."""

    def __init__(self, body: Body, rebuilt: Named[Rebuilt], width: int, layers: int) -> None:
        super().__init__()
        own, inputs = body.job.fuse.width, rebuilt.keys()
        self.names = inputs
        self.inward = Named({n: Inward(own, width) for n in inputs})
        self.summary = Named({n: Inward(own, width) for n in inputs})
        self.fused = Inward(own, width)
        self.places = Named({n: Places(rebuilt[n], own, width) for n in inputs})
        self.layers = nn.ModuleList(Asking(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        tokens: Mapping[str, Tokens],
        fused_BD: Tensor,
        alone_B: Tensor,
        places: Mapping[str, int],
    ) -> dict[str, Tensor]:
        """(B, P, E) an input. alone_B: rows that have the fused summary alone to ask."""
        known, masks = [self.fused(fused_BD).unsqueeze(1)], [alone_B.new_ones(len(alone_B), 1)]
        for name in self.names:
            known += [self.summary[name](tokens[name].summary_BD).unsqueeze(1)]
            known += [self.inward[name](tokens[name].x_BTD)]
            open_B1 = ~alone_B[:, None]
            masks += [open_B1, tokens[name].mask_BT & open_B1]
        known_BTE, mask_BT = torch.cat(known, 1), torch.cat(masks, 1)
        counts = [places[name] for name in self.names]
        asked = [
            self.places[n](tokens[n], c, alone_B) for n, c in zip(self.names, counts, strict=True)
        ]
        z_BPE = torch.cat(asked, 1) + known_BTE[:, :1]
        for layer in self.layers:
            z_BPE = layer(z_BPE, known_BTE, mask_BT)
        return dict(zip(self.names, self.norm(z_BPE).split(counts, 1), strict=True))


class Inward(nn.Module):
    """Tokens of an input brought to the decoder's width, with a vector that says whose they are."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs)
        self.linear = nn.Linear(inputs, width)

    def forward(self, x_D: Tensor) -> Tensor:
        """(..., D) -> (..., E)."""
        return self.linear(self.norm(x_D))


class Places(nn.Module):
    """What the places of an input ask with: where they are, and the token that stands there."""

    def __init__(self, rebuilt: Rebuilt, inputs: int, width: int) -> None:
        super().__init__()
        self.places_PE = nn.Parameter(torch.randn(rebuilt.most, width) * 0.02)
        self.own = Inward(inputs, width) if rebuilt.own_tokens else None

    def forward(self, tokens: Tokens, count: int, alone_B: Tensor) -> Tensor:
        """(B, P, E)."""
        rows = len(alone_B)
        asked_BPE = self.places_PE[:count].expand(rows, -1, -1)
        if self.own is None or tokens.x_BTD.shape[1] < count:
            return asked_BPE
        own_BPE = self.own(tokens.x_BTD[:, :count])
        return asked_BPE + own_BPE.masked_fill(alone_B[:, None, None], 0.0)


class Asking(nn.Module):
    """Places attend to what is known and to nothing else, then pass a small network each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(h for h in range(1, HEADS + 1) if width % h == 0)
        self.norm, self.norm_known = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, z_BPE: Tensor, known_BTE: Tensor, mask_BT: Tensor) -> Tensor:
        """(B, P, E)."""
        known_BTE = self.norm_known(known_BTE)
        q, k, v = self.query(self.norm(z_BPE)), self.key(known_BTE), self.value(known_BTE)
        q, k, v = (x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        heard = attention(q, k, v, mask_BT[:, None, None, :])
        z_BPE = z_BPE + self.out(heard.transpose(1, 2).flatten(2))
        return z_BPE + self.down(F.gelu(self.up(self.norm_mlp(z_BPE))))
