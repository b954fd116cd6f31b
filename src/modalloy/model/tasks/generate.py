"""Tokens of all inputs in, the pieces of a text out: known ones judged, or new ones written."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.job import config
from modalloy.model.decoders.allowed import Tree
from modalloy.model.decoders.causal import CausalDecoder
from modalloy.model.decoders.decoder import Decoder, Memory
from modalloy.model.decoders.scratch import ScratchDecoder
from modalloy.model.decoders.search import Manner, write
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch, Fused, Tokens

PADDED = -100  # `y` beyond the end of a text


class Generate(Task):
    """A decoder that looks at the fused summary and at every token of every input.

    inputs: their names, in the order of the model. Where the right answers come with the batch,
    each of their pieces is foretold from those before it, as for a loss; else a text is written.
    """

    def __init__(
        self,
        name: str,
        options: config.Generate,
        target: Any,
        width: int,
        label_smoothing: float,
        inputs: Sequence[str],
    ) -> None:
        super().__init__(name)
        self.smoothing = label_smoothing
        self.inputs = tuple(inputs)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in inputs)
        self.kind_MD = nn.Parameter(torch.randn(len(inputs), width) * 0.02)
        self.decoder = build_decoder(options, target, width)
        if self.trunk is not None and options.tune == "frozen":
            self.trunk.requires_grad_(False)
        self.manner: Manner = manner_of(options, target, self.decoder.logits)
        self.tree = Tree(target.ids_of(target.allowed), target.end) if target.allowed else None

    @classmethod
    def build(
        cls,
        name: str,
        options: config.Generate,
        target: Any,
        width: int,
        members: int,
        *,
        label_smoothing: float,
        channels: Mapping[str, Sequence[int]],
    ) -> Self:
        """The head of one task; see `build_task`."""
        return cls(name, options, target, width, label_smoothing, tuple(channels))

    @property
    def trunk(self) -> nn.Module | None:
        """The pretrained decoder."""
        return self.decoder.trunk

    @property
    def network(self) -> nn.Module | None:
        """The decoder without its output."""
        return self.decoder.network

    @property
    def blocks(self) -> list[nn.Module]:
        """The decoder's blocks."""
        return self.decoder.blocks

    def read_pretrained(self) -> None:
        """The decoder's weights, from where they come."""
        self.decoder.read_pretrained()

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """`logits` (B, L, V) of the right pieces where they are known; else `ids` (B, L), -1 behind
        the text, and `logp` (B, L) of each piece and of the end, 0 behind it.
        """
        memory = self.memory(fused, tokens)
        target = batch.targets.get(self.name)
        if target is not None:
            return {"logits": self.decoder(memory, target["y"].clamp_min(0))}
        written = write(self.decoder, memory, self.manner, self.tree)
        return {"ids": written.ids_BL, "logp": written.logp_BL}

    def memory(self, fused: Fused, tokens: Mapping[str, Tokens]) -> Memory:
        """The summary of each member, then the tokens of each input."""
        summary_BKD = fused.summary_BKD
        x = [summary_BKD]
        mask = [torch.ones_like(summary_BKD[:, :, 0], dtype=torch.bool)]
        for name, norm, kind_D in zip(self.inputs, self.norms, self.kind_MD, strict=True):
            x.append(norm(tokens[name].x_BTD) + kind_D)
            mask.append(tokens[name].mask_BT)
        return Memory(torch.cat(x, 1), torch.cat(mask, 1))

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """Mean cross entropy of the pieces of known texts, ends included."""
        logits_BLV = outputs["logits"].float()
        known_BL = self.known(target)
        if not known_BL.any():
            return logits_BLV.flatten()[:0].sum()
        return F.cross_entropy(
            logits_BLV[known_BL], target["y"][known_BL], label_smoothing=self.smoothing
        )

    def count(self, outputs: Outputs, target: Target) -> Tensor:
        """Pieces of known texts."""
        return self.known(target).sum()

    def known(self, target: Target) -> Tensor:
        """Which pieces are of known texts, (B, L)."""
        return (target["y"] != PADDED) & target["known"].unsqueeze(1)


def build_decoder(options: config.Generate, target: Any, width: int) -> Decoder:
    """The decoder that a task asks for, with weights from nothing."""
    if not target.network:
        vocabulary, longest = target.vocabulary, target.longest + 1
        return ScratchDecoder(target.start, vocabulary, longest, width, options.size)
    given = (target.start, target.network, options.decoder, target.vocabulary)
    return CausalDecoder(*given, options.prefix, width)


def manner_of(options: config.Generate, target: Any, logits: int) -> Manner:
    """How a task's texts are written. logits: of its decoder."""
    limits = Manner(target.longest, target.end, target.never(logits), options.min_tokens)
    match options.search:
        case "greedy":
            return limits
        case "beam":
            return limits._replace(beams=options.beams, length_penalty=options.length_penalty)
        case "sample":
            return limits._replace(
                seed=options.draw, temperature=options.temperature, top_p=options.top_p
            )
