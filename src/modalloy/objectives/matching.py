"""Row-to-column matching: does this cell belong to this row? (TIP, Du et al. 2024, 2407.07582).

One column of each row, drawn anew each time, is swapped for another row's, the row is fused, and a
small head tells whole rows from swapped ones. So the fusion learns to look at columns together,
which no loss of single columns asks of it.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.tokens import Batch, Tokens
from modalloy.objectives.hiding import has_any
from modalloy.objectives.losses import Losses
from modalloy.objectives.names import method_loss
from modalloy.objectives.pretext import Pretext

HARDNESS = 0.1  # temperature of the draw of rows that look alike


class Matching(Pretext):
    """Losses `matching/photo`: of the rows whose picture is swapped, and so on.

    TIP takes negatives by the similarity between both modalities; here those whose cell looks like
    the row's own are drawn more often (`hard`), which needs no other objective beside this one.
    """

    def __init__(self, body: Body, options: config.Matching) -> None:
        super().__init__()
        if len(body.inputs) < 2:
            raise JobError(
                f"pretrain.matching: there is one input alone ({body.inputs[0]}), and nothing that "
                "it could belong to; number, category and time columns count as one together."
            )
        width, self.options = body.job.fuse.width, options
        self.head = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1)
        )

    def forward(self, body: Body, batch: Batch) -> Losses:
        """Binary cross entropy over rows that have a column and another one, as they are and with
        the column of another row: of a column drawn for each row, without training of all of them.
        """
        tokens, losses, names = body.encode(batch), Losses(), body.inputs
        have_BM = torch.stack([has_any(batch.present[n]) for n in names], dim=1)
        whole_B = self.logits(body, tokens)
        drawn_B = torch.randint(len(names), (len(have_BM),)).to(have_BM.device)
        swapped_B, known_BM = whole_B, torch.zeros_like(have_BM)
        for at in range(len(names)):
            others_B = have_BM[:, [k for k in range(len(names)) if k != at]].any(1)
            known_BM[:, at] = have_BM[:, at] & others_B & (have_BM[:, at].sum() > 1)
            if self.training:
                known_BM[:, at] &= drawn_B == at
        if self.training:
            swapped_B = self.logits(body, self.swapped(tokens, names, have_BM, known_BM))
        for at, name in enumerate(names):
            if not self.training:
                own_BM = torch.zeros_like(known_BM)
                own_BM[:, at] = known_BM[:, at]
                swapped_B = self.logits(body, self.swapped(tokens, names, have_BM, own_BM))
            rows_B = known_BM[:, at]
            loss = tell_apart(whole_B[rows_B], swapped_B[rows_B])
            losses.add(method_loss("matching", name), loss, loss.new_tensor(int(rows_B.sum())))
        return losses

    def logits(self, body: Body, tokens: dict[str, Tokens]) -> Tensor:
        """How much each row looks like a whole one, (B,)."""
        return self.head(body.fuse(tokens).summary_BKD.mean(1)).squeeze(1)

    def swapped(
        self, tokens: dict[str, Tokens], names: Sequence[str], have_BM: Tensor, swap_BM: Tensor
    ) -> dict[str, Tokens]:
        """The tokens where some rows have the column of another row that has it."""
        found = dict(tokens)
        for at, name in enumerate(names):
            rows = swap_BM[:, at].nonzero().squeeze(1)
            if not len(rows):
                continue
            able = have_BM[:, at].nonzero().squeeze(1)
            other = able[partners(tokens[name].summary_BD[able], hard=self.options.hard)]
            order = torch.arange(len(swap_BM), device=rows.device)
            taken = torch.zeros_like(order)
            taken[able] = other
            found[name] = of_rows(tokens[name], torch.where(swap_BM[:, at], taken, order))
        return found


def tell_apart(whole_N: Tensor, swapped_N: Tensor) -> Tensor:
    """The cross entropy of both; zero, with a gradient, of no row."""
    if not len(whole_N):
        return (whole_N.sum() + swapped_N.sum()) * 0.0
    logits_2N = torch.stack([whole_N, swapped_N])
    true_2N = torch.zeros_like(logits_2N)
    true_2N[0] = 1.0
    return F.binary_cross_entropy_with_logits(logits_2N, true_2N)


@torch.no_grad()
def partners(summary_ND: Tensor, *, hard: bool) -> Tensor:
    """For each row another row, (N,); `hard`: rows that look alike are drawn more often."""
    count = len(summary_ND)
    weight_NN = torch.ones(count, count)
    if hard:
        unit_ND = F.normalize(summary_ND.float() - summary_ND.float().mean(0), dim=1).cpu()
        weight_NN = torch.exp((unit_ND @ unit_ND.T - 1.0) / HARDNESS) + 1e-6
    weight_NN.fill_diagonal_(0.0)
    return torch.multinomial(weight_NN, 1).squeeze(1).to(summary_ND.device)


def of_rows(tokens: Tokens, rows: Tensor) -> Tokens:
    """The tokens of these rows, in this order."""
    return Tokens(
        tokens.x_BTD[rows],
        tokens.mask_BT[rows],
        tokens.summary_BD[rows],
        None if tokens.words_BW is None else tokens.words_BW[rows],
        tuple(m[rows] for m in tokens.maps),
    )
