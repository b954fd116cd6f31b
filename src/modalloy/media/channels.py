"""Channels of samples by name, in the order that a run remembers."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modalloy.errors import TableError

FEW = 0.1  # share of files with names under which the others go by place
USUAL = 0.8  # share of files that the channels of a column are in
VARIED = 0.5  # under this share headings name something else, such as the file
SHOWN = 8  # names that a sentence holds


class Samples(NamedTuple):
    """Samples of one cell, (C, L) float64 with NaN where one is missing.

    names: of its channels; None where it has none, or where the cell says which channel is meant.
    beside: for each channel what it counts, such as rows or time, or "". dropped: what else in the
    file is no channel. sure: its channels are known to come first in the array. notes: what is to
    be said of the file. parted: what parts the columns of a CSV file, in words, "" of other files.
    """

    x_CL: np.ndarray
    names: tuple[str, ...] | None = None
    beside: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    sure: bool = False
    notes: tuple[str, ...] = ()
    parted: str = ""

    @property
    def counted(self) -> tuple[str, ...]:
        """What the file holds beside its channels."""
        return (*self.dropped, *(b for b in self.beside if b))

    def channels(self) -> "Samples":
        """The samples without what only counts."""
        if not any(self.beside):
            return self
        kept = [i for i, b in enumerate(self.beside) if not b]
        names = None if self.names is None else tuple(self.names[i] for i in kept)
        return self._replace(x_CL=self.x_CL[kept], names=names, beside=())


class Channels(NamedTuple):
    """What a run remembers of the channels of one column.

    names: in the order that the model sees, () where they are known by their place alone. alike:
    whether all files of training list them in this order; without names, whether that is because
    no file has a heading, and not because headings differ from file to file.
    """

    names: tuple[str, ...] = ()
    alike: bool = True


def settle(found: Sequence[Samples]) -> Channels:
    """The channels of a column by those of its files: the most that nearly all of them have."""
    named = [s.channels().names or () for s in found if s.names is not None]
    if len(named) <= FEW * len(found):
        return Channels()
    keys = {names: _keys(names) for names in named}
    sets = Counter(frozenset(keys[names]) for names in named)
    cover = {one: sum(n for s, n in sets.items() if s >= one) / len(named) for one in sets}
    usual = [one for one in sets if cover[one] >= USUAL]
    if usual:
        best = max(usual, key=lambda one: (len(one), sets[one]))
    else:
        best = max(sets, key=lambda one: (cover[one], len(one)))
    if cover[best] < VARIED and len({len(names) for names in named}) == 1:
        return Channels((), alike=False)
    orders = Counter(names for names in named if frozenset(keys[names]) == best)
    names = orders.most_common(1)[0][0]
    lists = {tuple(k for k in keys[other] if k in best) for other in named}
    return Channels(names, all(keys[names] == one for one in lists if len(one) == len(names)))


def arrange(samples: Samples, channels: Channels) -> tuple[Samples, str]:
    """The channels that a run knows, in its order, and what is to be said of them.

    Raises TableError for samples that lack one, or whose order nothing tells.
    """
    found = samples.channels()
    have, want = found.names, channels.names
    if not want:
        told = have is not None and channels.alike and len(have) > 1
        said = f"its columns {_some(have or ())} are taken in this order: training has no headings"
        return found, said if told else ""
    if have is None:
        return found, _unnamed(found, channels)
    places = [_match(name, have) for name in want]
    lacking = [name for name, place in zip(want, places, strict=True) if place is None]
    if lacking:
        plural = "s" * (len(lacking) > 1)
        raise TableError(
            f"lacks the channel{plural} {_some(lacking)} of training; it has {_some(have)}"
        )
    kept = [p for p in places if p is not None]
    more = [name for i, name in enumerate(have) if i not in kept]
    said = f"left out {_some(more)}, no channel of training" if more else ""
    return found._replace(x_CL=found.x_CL[kept], names=want), said


def _unnamed(found: Samples, channels: Channels) -> str:
    """What is said of samples without names where training has some. Raises TableError."""
    names = _some(channels.names)
    if found.sure and len(found.x_CL) != len(channels.names):
        raise TableError(f"has {len(found.x_CL)} channels without names, expected {names}")
    if not channels.alike:
        raise TableError(
            f"has no heading, and the files of training list {names} in different orders: give it "
            "a heading"
        )
    return f"its channels have no names and are taken as {names}" if len(channels.names) > 1 else ""


def _match(name: str, have: Sequence[str]) -> int | None:
    """The one name that is the same but for capitals, blanks and a unit that only one has."""
    wanted = _key(name)
    alike = [i for i, n in enumerate(have) if _key(n) == wanted]
    if not alike:
        alike = [
            i for i, n in enumerate(have)
            if _key(bare(n)) == _key(bare(name)) and (bare(n) == n or bare(name) == name)
        ]  # fmt: skip
    return alike[0] if len(alike) == 1 else None


def bare(name: str) -> str:
    """A heading without its unit: `force` of `force [N]`."""
    head, mark, _ = name.rstrip().rpartition("[" if name.rstrip().endswith("]") else "(")
    return head.strip() if mark and head.strip() and name.rstrip()[-1] in "])" else name


def _keys(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names without what files write in one way or another: capitals, blanks and units."""
    plain = tuple(_key(bare(n)) for n in names)
    return plain if len(set(plain)) == len(plain) else tuple(map(_key, names))


def _key(name: str) -> str:
    return " ".join(name.casefold().split())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
