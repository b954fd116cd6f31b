"""Tokens of one text in, the logits of a BIO tag a word out."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.job import config
from modalloy.model.tasks.linear import MemberLinear
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch, Fused, Tokens

UNKNOWN = -100  # `y` beyond a row's last word


class Tag(Task):
    """Each word is its first piece's token, moved by what the whole row says.

    Where the row has other columns it is scaled by that, too
    (Perez et al. 2018, FiLM, 1709.07871): so a word may mean one thing beside one category and
    another beside another, which moving all words of a row alike cannot say. It does not begin at
    nothing: from there, a tag that depends on both was not found in 400 steps.
    """

    def __init__(
        self,
        name: str,
        options: config.Tag,
        target: Any,
        width: int,
        members: int,
        label_smoothing: float,
    ) -> None:
        super().__init__(name)
        self.on = options.on
        self.smoothing = label_smoothing
        self.norm = nn.LayerNorm(width)
        self.row = nn.Linear(width, width)
        for part in (self.row.weight, self.row.bias):
            nn.init.zeros_(part)  # begins as the words alone
        self.register_load_state_dict_pre_hook(scaled_by_nothing)
        self.head = MemberLinear(members, width, len(target.names))
        self.scale = nn.Linear(width, width)

    @classmethod
    def build(
        cls,
        name: str,
        options: config.Tag,
        target: Any,
        width: int,
        members: int,
        *,
        label_smoothing: float,
        channels: Mapping[str, Sequence[int]],
    ) -> Self:
        """The head of one task; see `build_task`."""
        return cls(name, options, target, width, members, label_smoothing)

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """`logits` (B, K, W, C) and `words` (B, W), True where a word was read."""
        text = tokens[self.on]
        words_BW = text.words_BW
        if words_BW is None:  # every row's text is absent
            words_BW = text.mask_BT.new_zeros(text.x_BTD.shape[0], 0, dtype=torch.long)
        index = words_BW.clamp_min(0).unsqueeze(-1).expand(-1, -1, text.x_BTD.shape[2])
        x_BWD = self.norm(text.x_BTD.gather(1, index))
        if len(tokens) > 1:
            x_BWD = x_BWD * (1 + self.scale(fused.summary_BKD.mean(1)).unsqueeze(1))
        row_BKD = self.row(fused.summary_BKD)
        head = self.head
        # Linear in both, so words and rows are projected apart: (B, K, W, D) is never built.
        word_BKWC = torch.einsum("bwd,kdc->bkwc", x_BWD, head.weight_KDC)
        return {"logits": word_BKWC + head(row_BKD).unsqueeze(2), "words": words_BW >= 0}

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """Mean over the words that were read and whose tag is known, and over members."""
        logits_BWKC = outputs["logits"].float().transpose(1, 2)
        known_BW = self.known(outputs, target)
        width = known_BW.shape[1]
        y_BW = target["y"][:, :width]
        logits_NKC = logits_BWKC[:, :width][known_BW]
        if not len(logits_NKC):
            return outputs["logits"].float().flatten()[:0].sum()
        y_NK = y_BW[known_BW].unsqueeze(1).expand(logits_NKC.shape[:2])
        return F.cross_entropy(
            logits_NKC.flatten(0, 1), y_NK.flatten(), label_smoothing=self.smoothing
        )

    def count(self, outputs: Outputs, target: Target) -> Tensor:
        """Words that were read and whose tag is known."""
        return self.known(outputs, target).sum()

    def known(self, outputs: Outputs, target: Target) -> Tensor:
        """Which words were read and have a known tag, (B, W), as far as both go."""
        read_BW = outputs["words"]
        width = min(read_BW.shape[1], target["y"].shape[1])
        tagged_BW = target["y"][:, :width] != UNKNOWN
        return read_BW[:, :width] & tagged_BW & target["known"].unsqueeze(1)


def scaled_by_nothing(module: nn.Module, weights: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Weights of a run from before rows scaled their words: they answer as they did."""
    assert isinstance(module, Tag)
    if f"{prefix}row.weight" in weights:
        for name, own in module.scale.state_dict().items():
            weights.setdefault(f"{prefix}scale.{name}", torch.zeros_like(own))
