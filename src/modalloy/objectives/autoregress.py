"""Next-patch prediction: a part of a cell is read, and what follows is predicted patch by patch.

ImageGPT (Chen et al. 2020) and AIM (El-Nouby et al. 2024, 2401.08541), for pictures, series and
recordings. The part that is seen goes through the body, so its encoder learns what follows from
what; the decoder stays with the run, which can draw by it.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.canvases.build import DRAWN, build_canvas
from modalloy.model.canvases.canvas import Canvas, Patches, seen_of
from modalloy.model.layers.named import Named
from modalloy.model.next_patch import Context, NextPatch
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.objectives.names import method_loss
from modalloy.objectives.pretext import Pretext
from modalloy.objectives.rebuilt.build import keeps_still
from modalloy.readers.batch import TABLE


class Autoregress(Pretext):
    """A decoder for each column that is drawn.

    JobError where nothing of the encoder of a column that is named learns, or of any.
    """

    def __init__(self, body: Body, options: config.Autoregress) -> None:
        super().__init__()
        self.options = options
        columns = drawn_columns(body, options.columns)
        self.canvases: dict[str, Canvas] = {c: build_canvas(body.readers[c]) for c in columns}
        self.decoders = Named(
            {
                name: NextPatch(
                    canvas.before(),
                    canvas.numbers,
                    body.job.fuse.width,
                    canvas.span,
                    width=options.width,
                    layers=options.layers,
                    components=options.components,
                )
                for name, canvas in self.canvases.items()
            }
        )

    def forward(self, body: Body, batch: Batch) -> Losses:
        """Nats a number over all patches, each from those before it; see `Mixture.nats`."""
        losses = Losses()
        for name, canvas in self.canvases.items():
            cell = canvas.cut(batch.values[name])
            seen_B = draw_seen(cell)
            shown_B = torch.rand(seen_B.shape, device=seen_B.device) < self.options.shown
            some = hide_some(batch, self.options.hide, name)
            context = begin(body, some, name, canvas, seen_B, shown_B)
            found = self.decoders[name](context, cell.x_BNP)
            counts_BNP = cell.counts_BNP & batch.present[name][:, None, None]
            nats_BN = found.nats(cell.x_BNP, canvas.span, counts_BNP)
            count = counts_BNP.sum()
            mean = nats_BN.sum() / count.clamp_min(1)
            losses.add(method_loss("autoregress", name), mean, count, 1.0)
        return losses


def drawn_columns(body: Body, named: Sequence[str]) -> list[str]:
    """The columns that are predicted: those named, or all that can be."""
    can = [n for n in body.inputs if n != TABLE and body.readers[n].kind in DRAWN]
    learn = [n for n in can if not keeps_still(body, n)]
    lost = [n for n in named if n not in learn] or ([] if learn else can)
    if lost:
        raise JobError(
            f"pretrain.autoregress: nothing of the encoder of '{lost[0]}' learns, so there is "
            "nothing to teach it by what follows; leave the column out, or let its encoder learn."
        )
    return [n for n in learn if not named or n in named]


def begin(
    body: Body, batch: Batch, name: str, canvas: Canvas, seen_B: Tensor, shown_B: Tensor
) -> Context:
    """What a body makes of rows of whose cell in a column the first `seen` patches are known."""
    values = {**batch.values, name: canvas.begun(batch.values[name], seen_B)}
    present = {**batch.present, name: batch.present[name] & (seen_B > 0)}
    tokens = body.encode(replace(batch, values=values, present=present))
    others = body.fuse(body.hide(tokens, [name]))
    return Context(others, body.fuse(tokens), tokens[name], seen_B, shown_B)


def hide_some(batch: Batch, share: float, name: str) -> Batch:
    """The batch with so large a share of its cells hidden, but for those of one column."""
    present = {
        n: p if n == name else p & (torch.rand(p.shape, device=p.device) >= share)
        for n, p in batch.present.items()
    }
    return replace(batch, present=present)


def draw_seen(cell: Patches) -> Tensor:
    """How many patches of each row are seen: none, or up to any but the last one that exists.

    Those before the first that exists do not count: each number from there on is as likely.
    """
    first_B, end_B = cell.ends()
    share_B = torch.rand(end_B.shape, device=end_B.device)
    return seen_of(cell, (share_B * (end_B - first_B)).long())
