"""Which piece may come next where only some texts are allowed: a prefix tree over their pieces."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


class Tree:
    """Texts as paths from the root, node 0; a path goes on by one of its node's pieces alone."""

    def __init__(self, texts: Iterable[Sequence[int]], end: int) -> None:
        self.end = end
        self.children: list[dict[int, int]] = [{}]
        for ids in texts:
            node = 0
            for piece in (*ids, end):
                if piece not in self.children[node]:
                    self.children[node][piece] = len(self.children)
                    self.children.append({})
                node = self.children[node][piece]

    def step(self, node: int, piece: int) -> int:
        """The node after a piece; where the text has ended, the same."""
        return self.children[node].get(piece, node)

    def forbid(self, logits_NV: Tensor, nodes: Sequence[int]) -> Tensor:
        """The logits with -inf for every piece that no allowed text goes on with."""
        open_NV = torch.zeros_like(logits_NV, dtype=torch.bool)
        for row, node in enumerate(nodes):
            open_NV[row, list(self.children[node]) or [self.end]] = True
        return logits_NV.masked_fill(~open_NV, -torch.inf)
