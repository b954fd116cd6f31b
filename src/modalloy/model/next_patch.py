"""A causal transformer over patches that predicts each from those before it, and draws.

It is told of the row what its body has made of the part that was seen: the fused summary and the
tokens of the column (the prefix of AIM, El-Nouby et al. 2024, 2401.08541).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from modalloy.model.layers.block import Block, attention
from modalloy.model.layers.gaussians import Mixture, MixtureHead, Range
from modalloy.model.tokens import Fused, Tokens

HEAD = 16  # numbers of a head of attention, or more where that does not divide the width


class Context(NamedTuple):
    """What is known of a row before its patches are predicted.

    others: the summary of all other columns. fused: of them and of the seen part of this one, whose
    tokens are `tokens`. seen_B: how many patches that part has; 0 where there is none. shown_B:
    whether what follows the seen part may also look at the patches of it, beside its tokens.
    """

    others: Fused
    fused: Fused
    tokens: Tokens
    seen_B: Tensor
    shown_B: Tensor


class Past(NamedTuple):
    """Keys and values of the tokens so far, in one block."""

    k_BhTd: Tensor
    v_BhTd: Tensor


class Drawing(NamedTuple):
    """What was drawn, and of each patch the mean that it has after those drawn before it. The mean
    of many such means is what is expected; it takes fewer of them than of draws."""

    drawn_BNP: Tensor
    mean_BNP: Tensor


class NextPatch(nn.Module):
    """The mixture over each patch, given the row's context and the patches before it.

    before: the patches that each patch is next to, (N, M), all of them earlier ones, -1 for none;
    they are its token's input, beside its place and the row's summary. inside: width of the body.
    numbers: P, of a patch. The sequence is the column's tokens, then a token a patch; `sight` says
    which see which.
    """

    before_NM: Tensor

    def __init__(
        self,
        before: Tensor,
        numbers: int,
        inside: int,
        span: Range,
        *,
        width: int,
        layers: int,
        components: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.patches, beside = before.shape
        self.register_buffer("before_NM", before, persistent=False)
        self.span = span
        self.inward = nn.Linear(beside * (numbers + 1), width)
        self.place_NW = nn.Parameter(torch.randn(self.patches, width) * 0.1)
        self.norm, self.told = nn.LayerNorm(inside), nn.Linear(inside, width)
        self.column_norm, self.column = nn.LayerNorm(inside), nn.Linear(inside, width)
        heads = max(h for h in range(1, max(1, width // HEAD) + 1) if width % h == 0)
        self.blocks = nn.ModuleList(LookingBack(width, heads, dropout) for _ in range(layers))
        self.head = MixtureHead(width, numbers, components, span)

    def forward(self, context: Context, x_BNP: Tensor) -> Mixture:
        """Mixtures over all patches; that over a patch says nothing of it or a later one."""
        column_BSW = self.column(self.column_norm(context.tokens.x_BTD))
        patch_BNW = self.tokens(context, x_BNP, 0, self.patches)
        x_BTW, mask_B1TT = torch.cat([column_BSW, patch_BNW], 1), sight(context, self.patches)
        for block in self.blocks:
            x_BTW, _ = block(x_BTW, mask_B1TT)
        return self.head(x_BTW[:, column_BSW.shape[1] :])

    def tokens(self, context: Context, x_BNP: Tensor, start: int, end: int) -> Tensor:
        """The tokens of some patches, (B, n, W), from the patches next to each and a summary.

        Where the seen part is not shown, what follows it has nothing of its patches.
        """
        at_nM, own_n = self.before_NM[start:end], torch.arange(start, end, device=x_BNP.device)
        seen_B11 = context.seen_B[:, None, None]
        bare_BnM = (
            (own_n[:, None] >= seen_B11) & (at_nM < seen_B11) & ~context.shown_B[:, None, None]
        )
        there_BnM1 = ((at_nM >= 0) & ~bare_BnM).unsqueeze(-1).to(x_BNP.dtype)
        beside_BnMP = x_BNP[:, at_nM.clamp_min(0)] * there_BnM1
        z_BnW = self.inward(torch.cat([beside_BnMP, there_BnM1], -1).flatten(2))
        follows_Bn1 = follows(context, own_n)[..., None]
        others_B1W, whole_B1W = (
            self.told(self.norm(fused.summary_BKD.mean(1, keepdim=True)))
            for fused in (context.others, context.fused)
        )
        return z_BnW + self.place_NW[start:end] + torch.where(follows_Bn1, whole_B1W, others_B1W)

    @torch.no_grad()
    def draw(
        self, context: Context, x_BNP: Tensor, u_BNO: Tensor, temperature: float = 1.0
    ) -> Drawing:
        """The patches with all that was not seen drawn, one after the other.

        x_BNP: of which the seen patches are kept. u_BNO, temperature: as in `Mixture.draw`.
        """
        x_BTW = self.column(self.column_norm(context.tokens.x_BTD))
        mask_B1TT, told, pasts = sight(context, self.patches), x_BTW.shape[1], []
        drawn_BNP, mean_BNP = x_BNP.clone(), x_BNP.clone()
        for block in self.blocks:
            x_BTW, past = block(x_BTW, mask_B1TT[:, :, :told, :told])
            pasts.append(past)
        for k in range(self.patches):
            x_B1W, t = self.tokens(context, drawn_BNP, k, k + 1), told + k
            for i, block in enumerate(self.blocks):
                x_B1W, pasts[i] = block(x_B1W, mask_B1TT[:, :, t : t + 1, : t + 1], pasts[i])
            found, seen_B1 = self.head(x_B1W), (k < context.seen_B)[:, None]
            own_BP = found.draw(u_BNO[:, k : k + 1], temperature, self.span)[:, 0]
            drawn_BNP[:, k] = torch.where(seen_B1, x_BNP[:, k], own_BP)
            mean_BNP[:, k] = torch.where(seen_B1, x_BNP[:, k], found.mean(self.span)[:, 0])
        return Drawing(drawn_BNP, mean_BNP)


class LookingBack(Block):
    """A block each of whose tokens has a sight of its own; it can go on token by token."""

    def forward(  # pyrefly: ignore[bad-override] its masks are of pairs of tokens
        self, x_BTW: Tensor, mask_B1TS: Tensor, past: Past | None = None
    ) -> tuple[Tensor, Past]:
        """The tokens after those of the past, and the past with them."""
        z_BTW = self.norm_attention(x_BTW)
        q, k, v = (self.split(linear(z_BTW)) for linear in (self.query, self.key, self.value))
        if past is not None:
            k, v = torch.cat([past.k_BhTd, k], 2), torch.cat([past.v_BhTd, v], 2)
        found = self.out(attention(q, k, v, mask_B1TS).transpose(1, 2).flatten(2))
        x_BTW = x_BTW + self.drop(found)
        hidden = self.drop(nn.functional.gelu(self.up(self.norm_mlp(x_BTW))))
        return x_BTW + self.drop(self.down(hidden)), Past(k, v)


def follows(context: Context, at_N: Tensor) -> Tensor:
    """Which patches follow a part that was seen, (B, N)."""
    return (at_N >= context.seen_B[:, None]) & (context.seen_B[:, None] > 0)


def sight(context: Context, patches: int) -> Tensor:
    """Which tokens each token sees, (B, 1, T, T): the column's, then N of patches.

    The column's tokens are made of the seen part, so that only they themselves and what follows
    that part see them. A patch's token sees those before it and itself; what follows the seen part
    sees the tokens within it only where these are shown.
    """
    exists_BS, at_N = context.tokens.mask_BT, torch.arange(patches, device=context.seen_B.device)
    told, follows_BN = exists_BS.shape[1], follows(context, at_N)
    within_BSS = exists_BS[:, None].expand(-1, told, -1)
    before_BNS = follows_BN[:, :, None] & exists_BS[:, None]
    inside_BN = at_N < context.seen_B[:, None]
    bare_BNN = follows_BN[:, :, None] & inside_BN[:, None] & ~context.shown_B[:, None, None]
    patch_BNN = (at_N[:, None] >= at_N) & ~bare_BNN
    top_BST = torch.cat([within_BSS, torch.zeros_like(before_BNS.transpose(1, 2))], 2)
    return torch.cat([top_BST, torch.cat([before_BNS, patch_BNN], 2)], 1).unsqueeze(1)
