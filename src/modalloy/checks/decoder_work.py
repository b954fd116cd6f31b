"""Floating-point operations and bytes of one row in a decoder that writes texts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.cells.cells import empty
from modalloy.checks.flops import LETTERS, WORDS, Work
from modalloy.errors import JobError
from modalloy.job.config import Fuse, Generate
from modalloy.readers.written_pieces import causal_config

SMOLLM2 = {  # as its file says
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "intermediate_size": 1536,
    "vocab_size": 49_152,
}


class Sizes(NamedTuple):
    """Width, layers, width of the layers' small networks, and pieces."""

    width: int
    layers: int
    inner: int
    pieces: int

    @property
    def parameters(self) -> float:
        """Of the layers and the pieces, without norms; three maps in each small network."""
        return self.layers * (4 * self.width**2 + 3 * self.width * self.inner) + self.table

    @property
    def table(self) -> float:
        """Of the pieces alone."""
        return float(self.pieces * self.width)


def decoder_work(options: Any, fuse: Fuse, tokens: float, cells: Sequence[Any]) -> Work | None:
    """The work of a task's decoder; None for tasks that write nothing.

    tokens: of a row, that it looks at. cells: a sample of right answers.
    """
    if not isinstance(options, Generate):
        return None
    lengths = [1 + len(str(cell)) / LETTERS for cell in cells if not empty(cell)]
    pieces = min(options.max_tokens + 1.0, float(np.mean(lengths)) if lengths else 1.0)
    if options.decoder == "scratch":
        width, layers = WORDS[options.size]
        sizes = Sizes(width, layers, 4 * width, options.vocabulary)
        looks = 4.0 * layers * width * fuse.width * tokens  # keys and values of the row
        seen = 0.0
    else:
        sizes = sizes_of(options.decoder)
        looks, seen = 6.0 * fuse.width**2 * tokens, float(options.prefix)
    flop = 2.0 * sizes.parameters * (pieces + seen) + looks
    beside = options.decoder != "scratch" and options.tune != "full"
    table = 0.0 if options.decoder == "scratch" else sizes.table
    return Work(
        "decoder", flop / 1e9, sizes.parameters, tokens=pieces + seen, words=table, beside=beside
    )


def sizes_of(decoder: str) -> Sizes:
    """Sizes of a pretrained network; those of a small one where its folder does not say."""
    try:
        told = SMOLLM2 if decoder == "smollm2" else causal_config(decoder.removeprefix("hf:"))
    except JobError:  # `check` says so of the target
        told = {}
    width = int(told.get("hidden_size") or told.get("n_embd") or 576)
    layers = int(told.get("num_hidden_layers") or told.get("n_layer") or 12)
    inner = int(told.get("intermediate_size") or 4 * width)
    return Sizes(width, layers, inner, int(told.get("vocab_size") or 32_000))
