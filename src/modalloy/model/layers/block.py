"""The one transformer block and the one residual layer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.layers.dropout import dropout


class Block(nn.Module):
    """Pre-norm transformer block of plain linear maps.

    Vaswani et al. 2017 (1706.03762) with the norm moved in front (Xiong et al. 2020, 2002.04745).
    `nn.TransformerEncoderLayer` is not used: its fast path reads weights directly and so skips
    adapters that are put around its linear maps.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        assert width % heads == 0, f"width {width} is not a multiple of {heads} heads"
        self.heads = heads
        self.dropout = dropout
        self.norm_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """The tokens after attention over the tokens where the mask is True; (B, T, D)."""
        x_BTD = x_BTD + self.drop(self.attend(self.norm_attention(x_BTD), mask_BT))
        hidden = self.drop(F.gelu(self.up(self.norm_mlp(x_BTD))))
        return x_BTD + self.drop(self.down(hidden))

    def attend(self, x_BTD: Tensor, mask_BT: Tensor | None) -> Tensor:
        """Multi-head self-attention, (B, T, D)."""
        q, k, v = (self.split(linear(x_BTD)) for linear in (self.query, self.key, self.value))
        mask = None if mask_BT is None else mask_BT[:, None, None, :]
        return self.out(attention(q, k, v, mask).transpose(1, 2).flatten(2))

    def split(self, x_BTD: Tensor) -> Tensor:
        """Heads apart: (B, T, D) -> (B, h, T, D / h)."""
        return x_BTD.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def drop(self, x: Tensor) -> Tensor:
        """Dropout without a module: the block holds nothing but its linear maps and norms."""
        return dropout(x, self.dropout, self.training)


def attention(q_BhTd: Tensor, k_BhTd: Tensor, v_BhTd: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention without dropout on its weights.

    On a CPU in float32 whatever the matrix work around it uses: the backward pass of PyTorch's
    bfloat16 kernel took eight times as long in a profile.
    """
    if q_BhTd.device.type != "cpu":
        return F.scaled_dot_product_attention(q_BhTd, k_BhTd, v_BhTd, attn_mask=mask)
    with torch.autocast("cpu", enabled=False):
        q, k, v = q_BhTd.float(), k_BhTd.float(), v_BhTd.float()
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


class Residual(nn.Module):
    """Pre-norm residual layer: x + down(gelu(up(norm(x)))), for any leading shape (..., D)."""

    def __init__(self, width: int, dropout: float = 0.0, *, expand: int = 2) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, expand * width)
        self.down = nn.Linear(expand * width, width)

    def forward(self, x_D: Tensor) -> Tensor:
        """The same shape after one layer."""
        hidden = dropout(F.gelu(self.up(self.norm(x_D))), self.dropout, self.training)
        return x_D + dropout(self.down(hidden), self.dropout, self.training)


def sinusoids(tokens: int, width: int) -> Tensor:
    """Fixed positions of tokens, (T, D) for an even D (Vaswani et al. 2017)."""
    half = width // 2
    rates = torch.exp(-torch.arange(half) * (torch.log(torch.tensor(10_000.0)) / max(half - 1, 1)))
    angles = torch.arange(tokens)[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], 1)
