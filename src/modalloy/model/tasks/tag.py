"""Tokens of one text in, a BIO tag a word out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.job import config
from modalloy.model.tasks.linear import MemberLinear
from modalloy.model.tasks.task import Outputs, Task
from modalloy.model.tokens import Batch, Fused, Tokens

UNKNOWN = -100  # `y` beyond a row's last word
FORBIDDEN = -1e9  # finite, so that a sum of them stays comparable


class Tag(Task):
    """Each word is its first piece's token, moved by what the whole row says.

    The answer is the best sequence that is well formed: no `I-X` but after `B-X` or `I-X`.
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
        self.on, self.names = options.on, tuple(target.names)
        self.smoothing = label_smoothing
        self.norm = nn.LayerNorm(width)
        self.row = nn.Linear(width, width)
        for part in (self.row.weight, self.row.bias):
            nn.init.zeros_(part)  # begins as the words alone
        self.head = MemberLinear(members, width, len(self.names))
        self.steps = allowed_steps(self.names)

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """`logits` (B, K, W, C) and `words` (B, W), True where a word was read."""
        text = tokens[self.on]
        words_BW = text.words_BW
        if words_BW is None:  # every row's text is absent
            words_BW = text.mask_BT.new_zeros(text.x_BTD.shape[0], 0, dtype=torch.long)
        index = words_BW.clamp_min(0).unsqueeze(-1).expand(-1, -1, text.x_BTD.shape[2])
        x_BWD = self.norm(text.x_BTD.gather(1, index))
        row_BKD = self.row(fused.summary_BKD)
        head = self.head
        # Linear in both, so words and rows are projected apart: (B, K, W, D) is never built.
        word_BKWC = torch.einsum("bwd,kdc->bkwc", x_BWD, head.weight_KDC)
        return {"logits": word_BKWC + head(row_BKD).unsqueeze(2), "words": words_BW >= 0}

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Mean over the words that were read and whose tag is known, and over members."""
        logits_BWKC = outputs["logits"].float().transpose(1, 2)
        known_BW = self.known(outputs, batch)
        width = known_BW.shape[1]
        y_BW = batch.targets[self.name]["y"][:, :width]
        logits_NKC = logits_BWKC[:, :width][known_BW]
        if not len(logits_NKC):
            return outputs["logits"].float().flatten()[:0].sum()
        y_NK = y_BW[known_BW].unsqueeze(1).expand(logits_NKC.shape[:2])
        return F.cross_entropy(
            logits_NKC.flatten(0, 1), y_NK.flatten(), label_smoothing=self.smoothing
        )

    def count(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Words that were read and whose tag is known."""
        return self.known(outputs, batch).sum()

    def known(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Which words were read and have a known tag, (B, W), as far as both go."""
        target, read_BW = batch.targets[self.name], outputs["words"]
        width = min(read_BW.shape[1], target["y"].shape[1])
        tagged_BW = target["y"][:, :width] != UNKNOWN
        return read_BW[:, :width] & tagged_BW & target["known"].unsqueeze(1)

    def answer(self, outputs: Outputs) -> dict[str, np.ndarray]:
        """`tags`, lists of tags up to the last word read, and `confidence` (B,).

        A word that was not read (beyond `max_tokens`) is `O`; words beyond the last one read are
        left to whoever knows how many there are. confidence: the mean probability of the chosen
        tags, 1 for a row without words.
        """
        p_BWC = outputs["logits"].detach().float().softmax(-1).mean(1).cpu().numpy()
        read_BW = outputs["words"].cpu().numpy()
        outside_C = np.array([n == "O" for n in self.names])
        # A word that was not read has no opinion: it is outside, whatever stands beside it.
        score_BWC = np.where(
            read_BW[..., None], np.log(p_BWC.clip(1e-30)), np.where(outside_C, 0.0, FORBIDDEN)
        )
        best_BW = best_path(score_BWC, *self.steps)
        chosen_BW = np.take_along_axis(p_BWC, best_BW[..., None], 2)[..., 0]
        count_B = read_BW.sum(1)
        sure_B = np.where(count_B, (chosen_BW * read_BW).sum(1) / np.maximum(count_B, 1), 1.0)
        tags = np.empty(len(best_BW), dtype=object)
        for i, (best_W, read_W) in enumerate(zip(best_BW, read_BW, strict=True)):
            length = read_W.nonzero()[0].max(initial=-1) + 1
            tags[i] = [self.names[c] for c in best_W[:length]]
        return {"tags": tags, "confidence": sure_B.astype(np.float32)}


def allowed_steps(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which tag may follow which, (C, C) from row to column, and which may come first, (C,)."""
    kinds = [n[2:] if n != "O" else None for n in names]
    inside = [n.startswith("I-") for n in names]
    follows = [[not i or a == b for b, i in zip(kinds, inside, strict=True)] for a in kinds]
    return np.array(follows), ~np.array(inside)


def best_path(score_BWC: np.ndarray, allowed_CC: np.ndarray, first_C: np.ndarray) -> np.ndarray:
    """The allowed sequence of highest total score in each row, (B, W) (Viterbi 1967)."""
    rows, words, classes = score_BWC.shape
    step_CC = np.where(allowed_CC, 0.0, FORBIDDEN)
    total_BC = np.tile(np.where(first_C, 0.0, FORBIDDEN), (rows, 1))
    back_WBC = np.zeros((words, rows, classes), dtype=np.int64)
    for w in range(words):
        if w:
            reach_BCC = total_BC[:, :, None] + step_CC
            back_WBC[w], total_BC = reach_BCC.argmax(1), reach_BCC.max(1)
        total_BC = total_BC + score_BWC[:, w]
    path_BW = np.zeros((rows, words), dtype=np.int64)
    at_B = total_BC.argmax(1)
    for w in range(words - 1, -1, -1):
        path_BW[:, w] = at_B
        at_B = back_WBC[w][np.arange(rows), at_B]
    return path_BW
