"""Row-to-column matching: does this cell belong to this row? (TIP, Du et al. 2024, 2407.07582).

One column of each row, drawn anew each time, is swapped for another row's, the row is fused, and a
small head tells whole rows from swapped ones. So the fusion learns to look at columns together,
which no loss of single columns asks of it.
"""

from collections.abc import Mapping, Sequence

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
SAME = 2e-4  # share of the mean squared length that summaries of one cell differ by, or less


class Matching(Pretext):
    """Losses `matching/photo`: of the rows whose picture is swapped, and so on.

    TIP takes negatives by the similarity between both modalities; here those whose cell looks like
    the row's own are drawn more often (`hard`), which needs no other objective beside this one.
    The same cell again is no swap, and never drawn.
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
        partner_BM = torch.stack([self.partner(batch, tokens[n], n) for n in names], dim=1)
        whole_B = self.logits(body, tokens)
        drawn_B = torch.randint(len(names), (len(have_BM),)).to(have_BM.device)
        swapped_B, known_BM = whole_B, partner_BM >= 0
        for at in range(len(names)):
            others_B = have_BM[:, [k for k in range(len(names)) if k != at]].any(1)
            known_BM[:, at] &= others_B
            if self.training:
                known_BM[:, at] &= drawn_B == at
        if self.training:
            swapped_B = self.logits(body, swapped(tokens, names, partner_BM, known_BM))
        for at, name in enumerate(names):
            if not self.training:
                own_BM = torch.zeros_like(known_BM)
                own_BM[:, at] = known_BM[:, at]
                swapped_B = self.logits(body, swapped(tokens, names, partner_BM, own_BM))
            rows_B = known_BM[:, at]
            loss = tell_apart(whole_B[rows_B], swapped_B[rows_B])
            losses.add(method_loss("matching", name), loss, loss.new_tensor(int(rows_B.sum())))
        return losses

    def logits(self, body: Body, tokens: dict[str, Tokens]) -> Tensor:
        """How much each row looks like a whole one, (B,)."""
        return self.head(body.fuse(tokens).summary_BKD.mean(1)).squeeze(1)

    def partner(self, batch: Batch, tokens: Tokens, name: str) -> Tensor:
        """The row whose cell each row may be given, (B,); -1 where there is none, or no cell."""
        present = batch.present[name]
        able = has_any(present).nonzero().squeeze(1)
        found_B = torch.full((len(present),), -1, device=able.device)
        if len(able):
            cells = {k: x[able] for k, x in {**batch.values[name], "present": present}.items()}
            own = partners(tokens.summary_BD[able], same_cells(cells), hard=self.options.hard)
            found_B[able] = torch.where(own >= 0, able[own], -1)
        return found_B


def swapped(
    tokens: dict[str, Tokens], names: Sequence[str], partner_BM: Tensor, swap_BM: Tensor
) -> dict[str, Tokens]:
    """The tokens where some rows have the column of their partner."""
    found = dict(tokens)
    for at, name in enumerate(names):
        swap_B = swap_BM[:, at]
        if swap_B.any():
            order = torch.arange(len(swap_B), device=swap_B.device)
            found[name] = of_rows(tokens[name], torch.where(swap_B, partner_BM[:, at], order))
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
def partners(summary_ND: Tensor, same_NN: Tensor, *, hard: bool) -> Tensor:
    """For each row another one, (N,); `hard`: rows that look alike are drawn more often.

    Never one whose cell or summary is the row's own, for nothing would be swapped; -1 where there
    is no other.
    """
    x_ND = summary_ND.float()
    x_ND = x_ND - x_ND.mean(0)
    weight_NN = torch.ones_like(same_NN, dtype=torch.float32)
    if hard:
        unit_ND = F.normalize(x_ND, dim=1)
        weight_NN = torch.exp((unit_ND @ unit_ND.T - 1.0) / HARDNESS) + 1e-6
    # Differences as they are: what a product of matrices leaves of equal rows is not 0.
    apart_NN = torch.cdist(x_ND, x_ND, compute_mode="donot_use_mm_for_euclid_dist").square()
    same_NN = same_NN | (apart_NN <= SAME * x_ND.square().sum(1).mean())
    weight_NN = weight_NN.masked_fill(same_NN, 0.0).fill_diagonal_(0.0).cpu()
    found_N, any_N = torch.full((len(x_ND),), -1), weight_NN.any(1)
    if any_N.any():
        found_N[any_N] = torch.multinomial(weight_NN[any_N], 1).squeeze(1)
    return found_N.to(summary_ND.device)


def same_cells(cells: Mapping[str, Tensor]) -> Tensor:
    """Which of N rows hold the same values, (N, N) bool."""
    found: list[Tensor] = []
    for x in (x for x in cells.values() if x.numel()):
        x_NF = (x.float() if x.is_floating_point() else x).reshape(len(x), -1)
        code_N = torch.unique(x_NF, dim=0, return_inverse=True)[1]
        found.append(code_N.unsqueeze(1) == code_N)
    return torch.stack(found).all(0)


def of_rows(tokens: Tokens, rows: Tensor) -> Tokens:
    """The tokens of these rows, in this order."""
    return Tokens(
        tokens.x_BTD[rows],
        tokens.mask_BT[rows],
        tokens.summary_BD[rows],
        None if tokens.words_BW is None else tokens.words_BW[rows],
        tuple(m[rows] for m in tokens.maps),
    )
