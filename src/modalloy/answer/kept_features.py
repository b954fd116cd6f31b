"""What a frozen encoder says of each row: kept on disk, or made anew where there was no room."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from modalloy.answer.by_content import ByContent
from modalloy.answer.cache import Cache
from modalloy.answer.content_store import ContentStore
from modalloy.answer.padding import pad_together
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.recipe import recipe_of
from modalloy.model.tokens import tensors
from modalloy.readers.batch import Arrays
from modalloy.readers.reader import Reader

AT_ONCE = 8  # rows that a frozen trunk sees together on a processor; more are no faster there
AT_ONCE_THERE = 32  # and on an accelerator
LONGEST = {"text": "max_tokens", "tokens": "max_tokens", "audio": "length", "series": "length"}
UNSEEN = ("present", "words")  # no trunk computes with them
FINEST = 4  # samples or pieces between two lengths that rows are padded to
PAIRED = "paired"  # of a text: one vector of all of its pieces
MAPS = "map"  # of pictures: none of the tasks on kept features asks for them
BLANK = -1  # where a cache keeps what rows without the input have


class Shape(NamedTuple):
    """What rows must have in common to run together: sizes of the arrays, and any padding."""

    sizes: tuple[tuple[int, ...], ...]
    full: bool


class FrozenFeatures:
    """The features of one input, as many as its cache has room for.

    A row's features are the same bits whichever rows are asked for together, so that nothing
    depends on how many were kept: rows run in float32, in groups of one fixed size (filled up with
    copies) whose arrays have one shape; kernels choose their order of summation by these alone.
    Each row's arrays hold `present` (1,) beside the features; rows without the input have zeros.

    store: where features are kept by the content of cells for later runs and verbs too, of
    encoders with a pretrained trunk; None keeps them for this one alone.
    """

    def __init__(
        self, encoder: Encoder, reader: Reader, kept: Cache, store: ContentStore | None = None
    ) -> None:
        self.encoder, self.reader, self.kept = encoder, reader, kept
        self.blank: Arrays | None = None  # of a row without the input; None before any was seen
        self.by_content: ByContent | None = None
        self.keep_in(store)

    def keep_in(self, store: ContentStore | None) -> None:
        """Keep features by content in a store from now on."""
        self.by_content = None
        if store is not None and self.encoder.trunk is not None and not self.encoder.fits:
            recipe = recipe_of(self.encoder, self.at_once)
            self.by_content = ByContent(store, self.reader, recipe)

    def get(self, row: int) -> Arrays | None:
        """The arrays of a row, or None where they were not kept."""
        return self.kept.get(row)

    def make(self, rows: Sequence[Arrays]) -> list[Arrays | None]:
        """The arrays of each of these rows, from its own arrays as they were read.

        None for one without the input while none was seen.
        """
        made: list[Arrays | None] = [None] * len(rows)
        alike: dict[Shape, list[int]] = {}
        for i, arrays in enumerate(rows):
            if arrays["present"].all():
                alike.setdefault(self.shape(arrays), []).append(i)
        for some in alike.values():
            for start in range(0, len(some), self.at_once):
                which = some[start : start + self.at_once]
                for i, arrays in zip(which, self.run([rows[i] for i in which]), strict=True):
                    made[i] = arrays
        return [self.blank if m is None else m for m in made]

    @property
    def at_once(self) -> int:
        """Rows that the trunk sees together."""
        device = next(self.encoder.parameters()).device
        return AT_ONCE if device.type == "cpu" else AT_ONCE_THERE

    def shape(self, arrays: Arrays) -> Shape:
        """The sizes that a row is padded to, which say with whom it runs.

        Rows without padding run apart: attention leaves out a mask that hides nothing.
        """
        most = getattr(self.reader, LONGEST.get(self.reader.kind, ""), 0)
        own = [a.shape for n, a in arrays.items() if n not in UNSEEN]
        if not most:
            return Shape(tuple(own), True)
        sizes = tuple((*s[:-1], padded(s[-1], most)) if s else s for s in own)
        return Shape(sizes, sizes == tuple(own))

    @torch.no_grad()
    def run(self, rows: list[Arrays]) -> list[Arrays]:
        """The arrays of at most `at_once` rows of one shape that all have the input."""
        filled = [*rows, *[rows[-1]] * (self.at_once - len(rows))]
        sizes = iter(self.shape(rows[0]).sizes)
        least = {n: a.shape if n in UNSEEN else next(sizes) for n, a in rows[0].items()}
        values = pad_together(filled, least)
        values.pop("present")
        device = next(self.encoder.parameters()).device
        features = self.encoder.features({n: v.to(device) for n, v in tensors(values).items()})
        found = {n: v.cpu().numpy() for n, v in features.items() if not n.startswith(MAPS)}
        made = [own_part({n: a[i] for n, a in found.items()}, row) for i, row in enumerate(rows)]
        if self.by_content is not None:
            self.by_content.keep(rows, made)
        self.see(made[0])
        return made

    def see(self, arrays: Arrays) -> None:
        """Learn from the features of a row what those of rows without the input look like."""
        if self.blank is None:
            self.blank = blank_like(arrays)

    def keep(self, row: int, arrays: Arrays) -> bool:
        """Keep the arrays of a row; whether there was room."""
        if not arrays["present"].all():
            if not self.kept.put(BLANK, arrays):
                return False
            self.kept.repeat(row, BLANK)
            return True
        return self.kept.put(row, arrays)

    def repeat(self, row: int, earlier: int) -> None:
        """Let a row have what an earlier one has."""
        self.kept.repeat(row, earlier)


def padded(length: int, most: int) -> int:
    """The length that a row is padded to: one of few, at most a quarter longer than its own."""
    step = max(FINEST, 1 << max(0, (length - 1).bit_length() - 3))
    return max(length, min(-(-length // step) * step, most))


def own_part(arrays: Arrays, row: Arrays) -> Arrays:
    """Features of a row without what it was padded by, marked as present.

    Of a recording, the steps that exist are only known by what was made of it.
    """
    out = dict(arrays)
    if "mask" in arrays:  # features of each piece or step
        length = len(row["mask"]) if "mask" in row else int(arrays["mask"].sum())
        each = {n: a for n, a in arrays.items() if n != PAIRED}
        out |= {n: row[n] if n in row else a[:length].copy() for n, a in each.items()}
    return {**out, "present": np.ones(1, bool)}


def blank_like(arrays: Arrays) -> Arrays:
    """Zeros for a row without the input, as short as can be."""
    each = "mask" in arrays
    short = {n: a[:1] if each and n != PAIRED else a for n, a in arrays.items()}
    return {n: np.zeros_like(a) for n, a in short.items()}
