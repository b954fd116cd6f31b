"""One space for all columns: vectors of one row lie near one another, those of others further away.

Any number of columns, any of them missing: a row takes part in what it has both sides of, and in
nothing else. Between the fused row and a column, half of the rows are fused without that column, so
that the fused vector says what the others tell of it.
"""

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor

from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.build_space import build_space
from modalloy.model.encoders.encoder import Encoder, beside
from modalloy.model.layers.shared_norms import Shared
from modalloy.model.space import Seen
from modalloy.model.tokens import Batch, Tokens
from modalloy.objectives.everywhere import everywhere
from modalloy.objectives.gram import compared, gram
from modalloy.objectives.losses import Losses
from modalloy.objectives.names import method_loss
from modalloy.objectives.neighbours import neighbours
from modalloy.objectives.pairwise import infonce, sigmoid
from modalloy.objectives.pretext import Pretext


class Contrast(Shared, Pretext):
    """Losses of a space, by `options.loss`.

    `contrast/photo~note`: of two columns (of all that a volume is spanned by, under `gram`);
    `contrast/photo`: of a column and the fused row; `contrast/photo~photo`: how far a projection
    has moved a column's neighbours.
    """

    def __init__(self, body: Body, options: config.Contrast) -> None:
        super().__init__()
        self.space, self.options = build_space(body, options), options
        self.space.log_scale.requires_grad_(options.learn_temperature)

    def forward(self, body: Body, batch: Batch) -> Losses:
        """See the class; each is a mean over the rows that have all that it compares."""
        self.space.bound()
        near = [n for n in self.space.inputs if self.keeps_neighbours(body, n)]
        seen = self.space.see(body, batch, trunks=near)
        losses = Losses()
        mixed = mixed_up(seen, self.options.mixup) if self.training else seen
        z, present = self.space.project(mixed), mixed.present
        match self.options.loss:
            case "gram":
                self.add_volumes(losses, z, present)
            case "infonce" | "sigmoid":
                for a, b in combinations(z, 2):
                    both_B = present[a] & present[b]
                    self.add(losses, (a, b), z[a][both_B], z[b][both_B])
        if self.space.row is not None:
            self.add_row(losses, body, seen)
        for name in near:
            self.add_neighbours(losses, body, seen, name)
        return losses

    def add(self, losses: Losses, inputs: tuple[str, ...], a_NS: Tensor, b_NS: Tensor) -> None:
        """The loss between two vectors of each of these rows, over the rows of all processes."""
        a_NS, b_NS = self.all_rows(a_NS), self.all_rows(b_NS)
        if self.options.loss == "sigmoid":
            loss = sigmoid(a_NS, b_NS, self.space.scale, self.space.bias)
        else:
            loss = infonce(a_NS, b_NS, self.space.scale)
        losses.add(method_loss("contrast", *inputs), loss, loss.new_tensor(len(a_NS)))

    def add_volumes(self, losses: Losses, z: dict[str, Tensor], present: dict[str, Tensor]) -> None:
        """Volumes of all columns together, each column in turn as the anchor, or the one asked for;
        a row takes part that has the anchor and one other column, where another row has the same.
        """
        anchors = [self.options.anchor] if self.options.anchor else list(z)
        for anchor in anchors:
            others = [n for n in z if n != anchor]
            shown_BK = torch.stack([present[n] for n in others], dim=1)
            rows_B = present[anchor] & shown_BK.any(1)
            others_NKS = self.all_rows(torch.stack([z[n][rows_B] for n in others], dim=1))
            anchor_NS, shown_NK = self.all_rows(z[anchor][rows_B]), self.all_rows(shown_BK[rows_B])
            loss = gram(anchor_NS, others_NKS, shown_NK, self.space.scale)
            name = method_loss("contrast", anchor, *others)
            count = compared(shown_NK).any(1).sum()
            losses.add(name, loss, count.to(loss.dtype))

    def add_row(self, losses: Losses, body: Body, seen: Seen) -> None:
        """The fused row against one column, drawn for each row, that half of the rows hide; without
        training against every column in turn, hidden from all rows.
        """
        names = list(seen.latents)
        have = torch.stack([seen.present[n] for n in names], dim=1)
        drawn_B = torch.randint(len(names), (len(have),)).to(have.device)
        hide_B = (torch.rand(len(have)) < 0.5).to(have.device)
        row_BS = None
        for at, name in enumerate(names):
            mine_B, hidden_B = drawn_B == at, hide_B
            if not self.training:
                mine_B = hidden_B = torch.ones_like(hide_B)
            if row_BS is None or not self.training:
                only = (
                    {name: hidden_B}
                    if not self.training
                    else {n: hide_B & (drawn_B == k) for k, n in enumerate(names)}
                )
                row_BS = self.space.project_row(body, hidden(body, seen.tokens, only))
            others_B = have[:, [k for k in range(len(names)) if k != at]].any(1)
            rows_B = mine_B & have[:, at] & (others_B | ~hidden_B)
            z_BS = self.space.heads[name](seen.latents[name])
            self.add(losses, (name,), row_BS[rows_B], z_BS[rows_B])

    def keeps_neighbours(self, body: Body, name: str) -> bool:
        """Whether a column's neighbours are known from an encoder that does not change."""
        return self.options.neighbours > 0 and body.encoder(name).still

    def add_neighbours(self, losses: Losses, body: Body, seen: Seen, name: str) -> None:
        """How far the projection has moved the neighbours of rows, as the trunk knows them."""
        shown_B = seen.present[name]
        rows = shown_B.nonzero().squeeze(1)
        after_NS = self.space.heads[name](seen.latents[name])[rows]
        some = rows if len(rows) else torch.arange(1, device=rows.device)  # to know its width
        values = {k: v[some] for k, v in seen.batch.values[name].items()}
        encoder = body.encoder(name)
        with body.number_type(name):
            before_NF = encoder.pooled_features(encoder.trunk_features(values))[: len(rows)]
        before_NF = before_NF.float()
        before_NF, after_NS = self.all_rows(before_NF), self.all_rows(after_NS)
        loss = neighbours(before_NF, after_NS, levels=self.options.levels)
        loss = self.options.neighbours * loss
        losses.add(method_loss("contrast", name, name), loss, loss.new_tensor(len(after_NS)))

    def all_rows(self, x_N: Tensor) -> Tensor:
        """The rows of all processes, where several train this model together."""
        return everywhere(x_N, together=self.together and self.training)


def mixed_up(seen: Seen, alpha: float) -> Seen:
    """Latent vectors of rows mixed with those of other rows, by one share for all columns of a row
    (FuseMix, Vouitsis et al. 2023, 2312.10144); a mixed row has what both rows have.

    Frozen encoders give latents that are affine in their features, so that this is the same as to
    mix the cached features. alpha: of the beta distribution of shares; 0 mixes nothing.
    """
    if not alpha:
        return seen
    count = len(next(iter(seen.present.values())))
    beta = torch.distributions.Beta(alpha, alpha).sample((count, 1))
    order = torch.randperm(count)
    latents, present = {}, {}
    for name, x_BF in seen.latents.items():
        share_B1, other = beta.to(x_BF), order.to(x_BF.device)
        latents[name] = share_B1 * x_BF + (1.0 - share_B1) * x_BF[other]
        present[name] = seen.present[name] & seen.present[name][other]
    return seen._replace(latents=latents, present=present)


def hidden(
    body: Body, tokens: Mapping[str, Tokens], hide: Mapping[str, Tensor]
) -> dict[str, Tokens]:
    """The tokens as though these rows lacked these inputs: input -> (B,) bool."""
    own = {n: hide_rows(body.encoder(n), tokens[n], rows_B) for n, rows_B in hide.items()}
    return {**tokens, **own}


def hide_rows(encoder: Encoder, tokens: Tokens, hide_B: Tensor) -> Tokens:
    """The tokens of an input as though these rows lacked it."""
    absent = encoder.absent(len(hide_B))
    count = absent.x_BTD.shape[1]  # plain columns have a token each
    x_BTD = torch.zeros_like(tokens.x_BTD)
    x_BTD[:, :count] = absent.x_BTD.to(x_BTD.dtype)
    mask_BT = torch.zeros_like(tokens.mask_BT)
    mask_BT[:, :count] = absent.mask_BT
    return tokens._replace(
        x_BTD=torch.where(beside(hide_B, x_BTD), x_BTD, tokens.x_BTD),
        mask_BT=torch.where(beside(hide_B, mask_BT), mask_BT, tokens.mask_BT),
        summary_BD=torch.where(
            beside(hide_B, tokens.summary_BD),
            absent.summary_BD.to(tokens.summary_BD.dtype),
            tokens.summary_BD,
        ),
    )
