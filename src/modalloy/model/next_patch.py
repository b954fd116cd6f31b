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

HEAD = 32  # numbers of a head of attention, or more where that does not divide the width


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


class NextPatch(nn.Module):
    """The mixture over each patch, given the row's context and the patches before it.

    patches, numbers: N and P, at most. inside: width of the body. The sequence is the context, then
    a token a patch: the patch before it, and its place. Which tokens see which says `sight`.
    """

    def __init__(
        self,
        patches: int,
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
        self.patches, self.numbers, self.span = patches, numbers, span
        self.inward = nn.Linear(numbers, width)
        self.start_W = nn.Parameter(torch.randn(width) * 0.02)
        self.place_NW = nn.Parameter(torch.randn(patches, width) * 0.1)
        self.kind_3W = nn.Parameter(torch.randn(3, width) * 0.1)
        self.norms = nn.ModuleList(nn.LayerNorm(inside) for _ in range(2))
        self.told = nn.ModuleList(nn.Linear(inside, width) for _ in range(2))
        heads = max(h for h in range(1, max(1, width // HEAD) + 1) if width % h == 0)
        self.blocks = nn.ModuleList(LookingBack(width, heads, dropout) for _ in range(layers))
        self.head = MixtureHead(width, numbers, components, span)

    def forward(self, context: Context, x_BNP: Tensor) -> Mixture:
        """Mixtures over all patches; that over a patch says nothing of it or a later one."""
        told_BSW, mask_B1TT = self.tell(context)
        x_BTW = torch.cat([told_BSW, self.tokens(x_BNP)], 1)
        for block in self.blocks:
            x_BTW, _ = block(x_BTW, mask_B1TT)
        return self.head(x_BTW[:, told_BSW.shape[1] :])

    def tell(self, context: Context) -> tuple[Tensor, Tensor]:
        """Tokens of the context, (B, S, W), and which tokens see which, (B, 1, T, T)."""
        norm, column_norm = self.norms
        fused, column = self.told
        others_BKW = fused(norm(context.others.summary_BKD)) + self.kind_3W[0]
        whole_BKW = fused(norm(context.fused.summary_BKD)) + self.kind_3W[1]
        column_BTW = column(column_norm(context.tokens.x_BTD)) + self.kind_3W[2]
        return torch.cat([others_BKW, whole_BKW, column_BTW], 1), sight(context, self.patches)

    def tokens(self, x_BNP: Tensor) -> Tensor:
        """A token a patch, of the patch before it, (B, N, W)."""
        before_BNW = self.inward(x_BNP[:, :-1])
        start_B1W = self.start_W.expand(len(x_BNP), 1, -1)
        return torch.cat([start_B1W, before_BNW], 1) + self.place_NW

    @torch.no_grad()
    def draw(
        self, context: Context, x_BNP: Tensor, u_BNO: Tensor | None, temperature: float = 1.0
    ) -> Tensor:
        """The patches with all that was not seen drawn, (B, N, P), one after the other.

        x_BNP: of which the seen patches are kept. u_BNO: numbers between 0 and 1 to draw by, P + 1
        a patch; None takes the expected patch each time.
        """
        told_BSW, mask_B1TT = self.tell(context)
        total = told_BSW.shape[1]
        x_BTW, pasts = told_BSW, []
        for block in self.blocks:
            x_BTW, past = block(x_BTW, mask_B1TT[:, :, :total, :total])
            pasts.append(past)
        drawn, before_B1W = [], self.start_W.expand(len(x_BNP), 1, -1)
        for k in range(self.patches):
            x_B1W, t = before_B1W + self.place_NW[k], total + k
            for i, block in enumerate(self.blocks):
                x_B1W, pasts[i] = block(x_B1W, mask_B1TT[:, :, t : t + 1, : t + 1], pasts[i])
            found = self.head(x_B1W)
            if u_BNO is None:
                own_BP = found.mean(self.span)[:, 0]
            else:
                own_BP = found.draw(u_BNO[:, k : k + 1], temperature, self.span)[:, 0]
            drawn.append(torch.where((k < context.seen_B)[:, None], x_BNP[:, k], own_BP))
            before_B1W = self.inward(drawn[-1]).unsqueeze(1)
        return torch.stack(drawn, 1)


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


def sight(context: Context, patches: int) -> Tensor:
    """Which tokens each token sees, (B, 1, T, T): the context's, then N of patches.

    The summary of the other columns sees itself, and everything sees it. The rest of the context is
    made of the seen part, so that only itself and what follows that part see it. A patch's token
    sees those before it and itself; what follows the seen part sees the tokens within it only where
    these are shown.
    """
    exists_BT, seen_B1 = context.tokens.mask_BT, context.seen_B[:, None]
    members, told = context.others.summary_BKD.shape[1], 0
    told = 2 * members + exists_BT.shape[1]
    at_N = torch.arange(patches, device=exists_BT.device)
    follows_BN = (at_N >= seen_B1) & (seen_B1 > 0)
    patch_BNN = (at_N[:, None] >= at_N).expand(len(seen_B1), -1, -1)
    bare_BNN = follows_BN[:, :, None] & (at_N < seen_B1)[:, None] & ~context.shown_B[:, None, None]
    exists_BS = nn.functional.pad(exists_BT, (2 * members, 0), value=True)
    within_BSS = exists_BS[:, None].expand(-1, told, -1).clone()
    within_BSS[:, :members, members:] = False
    before_BNS = follows_BN[:, :, None] & exists_BS[:, None]
    before_BNS[:, :, :members] = True
    blind_BSN = torch.zeros_like(before_BNS.transpose(1, 2))
    top_BST = torch.cat([within_BSS, blind_BSN], 2)
    low_BNT = torch.cat([before_BNS, patch_BNN & ~bare_BNN], 2)
    return torch.cat([top_BST, low_BNT], 1).unsqueeze(1)
