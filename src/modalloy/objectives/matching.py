"""Row-to-column matching: does this cell belong to this row? (TIP, Du et al. 2024, 2407.07582).

One column of each row is swapped for another row's, the row is fused, and a small head tells whole
rows from swapped ones. So the fusion learns to look at columns together, which no loss of single
columns asks of it.
"""

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
    """Loss `matching/photo`: of a column that is drawn anew for each batch.

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
        """Binary cross entropy over rows that have the column and another one, as they are and with
        the column of another row; zero where fewer than two rows have it.
        """
        tokens, losses = body.encode(batch), Losses()
        shown = {n: has_any(batch.present[n]) for n in body.inputs}
        drawn = body.inputs[int(torch.randint(len(body.inputs), ()))] if self.training else None
        for name in body.inputs if drawn is None else [drawn]:
            others_B = torch.stack([shown[n] for n in shown if n != name]).any(0)
            rows = (shown[name] & others_B).nonzero().squeeze(1)
            loss = self.tell_apart(body, tokens, name, rows)
            losses.add(method_loss("matching", name), loss, loss.new_tensor(len(rows)))
        return losses

    def tell_apart(
        self, body: Body, tokens: dict[str, Tokens], name: str, rows: Tensor
    ) -> Tensor:
        """The loss of one column, of these rows."""
        if len(rows) < 2:
            fused_BD = body.fuse(tokens).summary_BKD.mean(1)
            return self.head(fused_BD).sum() * 0.0
        some = {n: of_rows(t, rows) for n, t in tokens.items()}
        order = partners(some[name].summary_BD, hard=self.options.hard)
        swapped = {**some, name: of_rows(some[name], order)}
        logits = [
            self.head(body.fuse(t).summary_BKD.mean(1)).squeeze(1) for t in (some, swapped)
        ]
        logits_2N = torch.stack(logits)
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
