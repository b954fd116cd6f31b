"""The seven ways to fuse the tokens of all inputs into one summary, and the consistency loss.

Every way first brings each summary to the same scale (LayerNorm), so that no input wins by its
size. An absent input takes part with its learned absent token.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.layers.block import Block, Residual
from modalloy.model.layers.dropout import dropout
from modalloy.model.tokens import Fused, Tokens


def build_fusion(options: config.Fuse, inputs: Sequence[str], width: int) -> "Fuser":
    """The fusion that the job asks for. JobError where heads do not divide the width."""
    match options:
        case config.Concat():
            return ConcatFuser(options, inputs, width)
        case config.Sum():
            return SumFuser(options, inputs, width)
        case config.Multilinear():
            return MultilinearFuser(options, inputs, width)
        case config.Gated():
            return GatedFuser(options, inputs, width)
        case config.Attention():
            return AttentionFuser(options, inputs, width)
        case config.Bottleneck():
            return BottleneckFuser(options, inputs, width)
        case config.Tabm():
            return TabmFuser(options, inputs, width)
        case _:
            assert_never(options)


class Fuser(nn.Module, ABC):
    """Final subclasses write `fuse`, and set `members` where they are an ensemble."""

    members: int = 1

    def __init__(self, options: config.Fusion, inputs: Sequence[str], width: int) -> None:
        super().__init__()
        self.inputs = tuple(inputs)
        self.width = width
        self.dropout = options.dropout
        # Lists in the order of the inputs: a column may have a name that no module can have.
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in inputs)
        self.norm_out = nn.LayerNorm(width)

    @abstractmethod
    def fuse(self, summary_BMD: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        """The fused summary, (B, D), or (B, K, D) of an ensemble."""

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        """One summary a row and member."""
        pairs = zip(self.inputs, self.norms, strict=True)
        summary_BMD = torch.stack([norm(tokens[i].summary_BD) for i, norm in pairs], 1)
        z = self.norm_out(self.fuse(summary_BMD, tokens))
        return Fused(z if z.ndim == 3 else z.unsqueeze(1))

    def drop(self, x: Tensor) -> Tensor:
        """Dropout in training."""
        return dropout(x, self.dropout, self.training)


class ConcatFuser(Fuser):
    """Summaries side by side, a linear map, residual layers."""

    def __init__(self, options: config.Concat, inputs: Sequence[str], width: int) -> None:
        super().__init__(options, inputs, width)
        self.join = nn.Linear(len(inputs) * width, width)
        self.layers = residuals(options.layers, width, options.dropout)

    def fuse(self, summary_BMD: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        """(B, D)."""
        return self.layers(self.join(self.drop(summary_BMD.flatten(1))))


class SumFuser(Fuser):
    """Summaries added, residual layers."""

    def __init__(self, options: config.Sum, inputs: Sequence[str], width: int) -> None:
        super().__init__(options, inputs, width)
        self.layers = residuals(options.layers, width, options.dropout)

    def fuse(self, summary_BMD: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        """(B, D)."""
        return self.layers(self.drop(summary_BMD).sum(1) / len(self.inputs) ** 0.5)


class MultilinearFuser(Fuser):
    """Low-rank product of all summaries, each with a 1 appended (Liu et al. 2018, 1806.00064).

    z = sum_r w_r prod_m [z_m; 1] W_mr + b. We start the weights of the appended 1 at one, so that
    the product begins near 1 + sum_m W_mr z_m and does not vanish with many inputs. Residual layers
    follow: a product of linear maps cannot multiply an input by itself ("is there *no* red part?").
    """

    def __init__(self, options: config.Multilinear, inputs: Sequence[str], width: int) -> None:
        super().__init__(options, inputs, width)
        factors = torch.randn(len(inputs), options.rank, width + 1, width) * width**-0.5
        factors[:, :, -1] = 1.0
        self.factors_MREO = nn.Parameter(factors)
        self.weight_R = nn.Parameter(torch.full((options.rank,), options.rank**-0.5))
        self.bias_O = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width)
        self.layers = residuals(options.layers, width, options.dropout)

    def fuse(self, summary_BMD: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        """(B, D)."""
        return self.layers(self.norm(self.product(summary_BMD)))

    def product(self, summary_BMD: Tensor) -> Tensor:
        """The low-rank product, (B, D)."""
        one_BME = F.pad(self.drop(summary_BMD), (0, 1), value=1.0)
        projected_BMRO = torch.einsum("bme,mreo->bmro", one_BME, self.factors_MREO)
        return torch.einsum("bro,r->bo", projected_BMRO.prod(1), self.weight_R) + self.bias_O


class GatedFuser(Fuser):
    """Gated multimodal unit: each summary weighed by a gate that sees all (Arevalo et al. 2017)."""

    def __init__(self, options: config.Gated, inputs: Sequence[str], width: int) -> None:
        super().__init__(options, inputs, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in inputs)
        self.gate = nn.Linear(len(inputs) * width, len(inputs) * width)
        self.layers = residuals(options.layers, width, options.dropout)

    def fuse(self, summary_BMD: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        """(B, D)."""
        summary_BMD = self.drop(summary_BMD)
        pairs = zip(self.hidden, summary_BMD.unbind(1), strict=True)
        hidden_BMD = torch.stack([linear(z).tanh() for linear, z in pairs], 1)
        gate_BMD = self.gate(summary_BMD.flatten(1)).sigmoid().view_as(hidden_BMD)
        return self.layers((gate_BMD * hidden_BMD).sum(1))


class AttentionFuser(Fuser):
    """One transformer over a summary token, each input's summary and the tokens of all inputs."""

    def __init__(self, options: config.Attention, inputs: Sequence[str], width: int) -> None:
        super().__init__(options, inputs, width)
        check_heads(options.heads, width)
        self.token_norms = nn.ModuleList(nn.LayerNorm(width) for _ in inputs)
        self.kind_MD = nn.Parameter(torch.randn(len(inputs), width) * 0.02)
        self.start_D = nn.Parameter(torch.randn(width) * 0.02)
        blocks = [Block(width, options.heads, options.dropout) for _ in range(options.layers)]
        self.blocks = nn.ModuleList(blocks)

    def fuse(self, summary_BMD: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        """(B, D)."""
        start_B1D = self.start_D + summary_BMD.mean(1, keepdim=True)
        x_BTD, mask_BT = (
            [start_B1D, summary_BMD + self.kind_MD],
            [visible(start_B1D, 1 + len(self.inputs))],
        )
        for name, norm, kind_D in zip(self.inputs, self.token_norms, self.kind_MD, strict=True):
            x_BTD.append(norm(tokens[name].x_BTD) + kind_D)
            mask_BT.append(tokens[name].mask_BT)
        x, mask = torch.cat(x_BTD, 1), torch.cat(mask_BT, 1)
        for block in self.blocks:
            x = block(x, mask)
        return x[:, 0]


class BottleneckFuser(Fuser):
    """A transformer for each input; they meet in a few shared tokens (MBT, Nagrani et al. 2021).

    After each layer the shared tokens are the mean of what the inputs made of them (2107.00135).
    The summary joins each input's summary token and the mean shared token.
    """

    def __init__(self, options: config.Bottleneck, inputs: Sequence[str], width: int) -> None:
        super().__init__(options, inputs, width)
        check_heads(options.heads, width)
        self.token_norms = nn.ModuleList(nn.LayerNorm(width) for _ in inputs)
        self.shared_SD = nn.Parameter(torch.randn(options.bottlenecks, width) * 0.02)
        self.layers = nn.ModuleList(
            nn.ModuleList(Block(width, options.heads, options.dropout) for _ in inputs)
            for _ in range(options.layers)
        )
        self.join = nn.Linear((len(inputs) + 1) * width, width)

    def fuse(self, summary_BMD: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        """(B, D)."""
        own, masks = [], []
        shared_BSD = self.shared_SD.expand(summary_BMD.shape[0], -1, -1)
        always_BS = visible(shared_BSD, shared_BSD.shape[1] + 1)
        for m, (name, norm) in enumerate(zip(self.inputs, self.token_norms, strict=True)):
            own.append(torch.cat([summary_BMD[:, m : m + 1], norm(tokens[name].x_BTD)], 1))
            masks.append(torch.cat([always_BS, tokens[name].mask_BT], 1))
        for blocks in self.layers:
            shares = []
            for m, block in enumerate(blocks.children()):
                x_BTD = block(torch.cat([shared_BSD, own[m]], 1), masks[m])
                share, own[m] = x_BTD.split([shared_BSD.shape[1], own[m].shape[1]], 1)
                shares.append(share)
            shared_BSD = torch.stack(shares).mean(0)
        ends = [x_BTD[:, 0] for x_BTD in own]
        return self.join(torch.cat([*ends, shared_BSD.mean(1)], 1))


class TabmFuser(Fuser):
    """K networks over the summaries that share matrices (TabM, Gorishniy et al. 2024)."""

    def __init__(self, options: config.Tabm, inputs: Sequence[str], width: int) -> None:
        super().__init__(options, inputs, width)
        self.members = options.members
        widths = [len(inputs) * width] + [width] * options.layers
        self.layers = nn.ModuleList(
            MemberLinear(a, b, options.members, first=i == 0)
            for i, (a, b) in enumerate(pairwise(widths))
        )

    def fuse(self, summary_BMD: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        """(B, K, D)."""
        x_BKD = summary_BMD.flatten(1).unsqueeze(1).expand(-1, self.members, -1)
        for layer in self.layers:
            x_BKD = self.drop(F.relu(layer(x_BKD)))
        return x_BKD


class MemberLinear(nn.Module):
    """One matrix for K members, each with its own scales of inputs and outputs (Wen et al. 2020).

    Members differ at the start by random signs before the first layer alone, as in TabM.
    """

    def __init__(self, inputs: int, outputs: int, members: int, *, first: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        signs_KI = torch.randint(0, 2, (members, inputs)) * 2.0 - 1.0
        self.before_KI = nn.Parameter(signs_KI if first else torch.ones(members, inputs))
        self.after_KO = nn.Parameter(torch.ones(members, outputs))
        bound = inputs**-0.5
        self.bias_KO = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(self, x_BKI: Tensor) -> Tensor:
        """(B, K, inputs) -> (B, K, outputs)."""
        return self.linear(x_BKI * self.before_KI) * self.after_KO + self.bias_KO


class Consistency(nn.Module):
    """Mean over rows and entries of (sum_m W_m z_m - z)^2: the parts must add up to the whole.

    The article's fusion loss ||Wx M(x) + Wy M(y) - M(z)||^2, divided by the width so that its
    weight means the same at every width.
    """

    def __init__(self, inputs: Sequence[str], width: int) -> None:
        super().__init__()
        self.inputs = tuple(inputs)
        self.maps = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in inputs)

    def forward(self, summaries: Mapping[str, Tensor], fused_BD: Tensor) -> Tensor:
        """A scalar; summaries: input -> (B, D)."""
        pairs = zip(self.inputs, self.maps, strict=True)
        parts_BD = torch.stack([linear(summaries[i]) for i, linear in pairs]).sum(0)
        return F.mse_loss(parts_BD, fused_BD)


def residuals(layers: int, width: int, dropout: float) -> nn.Sequential:
    """Residual layers one after the other."""
    return nn.Sequential(*(Residual(width, dropout) for _ in range(layers)))


def visible(like_BTD: Tensor, tokens: int) -> Tensor:
    """A mask of tokens that always exist."""
    return torch.ones(like_BTD.shape[0], tokens, dtype=torch.bool, device=like_BTD.device)


def check_heads(heads: int, width: int) -> None:
    """Attention needs a width that its heads divide."""
    if width % heads:
        raise JobError(
            f"fuse: heads: {heads} does not divide width: {width}; "
            "choose a number of heads that does, such as 4"
        )
