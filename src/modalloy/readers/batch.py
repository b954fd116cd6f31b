"""Some rows as numpy arrays, as they travel from readers to a network - whichever runs it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np

from modalloy.errors import JobError
from modalloy.readers.build import TABULAR
from modalloy.readers.reader import Reader

TABLE = "table"  # the one input that carries all number, category and time columns
Arrays = dict[str, np.ndarray]


@dataclass
class ArrayBatch:
    """Some rows as arrays; an *input* is one media column, or `TABLE` for all tabular columns.

    values: input -> name -> array with rows first. present: input -> bool, (B,) for a media column,
    (B, N) for `TABLE` in the order number, category, time. targets: task -> name -> array with rows
    first; each has `known` (B,) bool, and `y`. rows: row numbers in the table, (B,).
    """

    values: dict[str, Arrays]
    present: Arrays
    targets: dict[str, Arrays] = field(default_factory=dict)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(next(iter(self.present.values()), self.rows))

    def without(self, columns: Collection[str], tabular: Collection[str]) -> "ArrayBatch":
        """The same rows as though the cells of these columns were missing.

        plain: the columns of `TABLE`, in the order of its cells.
        """
        kept_N = np.array([name not in columns for name in tabular], dtype=bool)
        present = {
            i: p & kept_N if i == TABLE else np.zeros_like(p) if i in columns else p
            for i, p in self.present.items()
        }
        return ArrayBatch(self.values, present, self.targets, self.rows)


def inputs_of(readers: Mapping[str, Reader]) -> list[str]:
    """Names of the inputs: `TABLE` first where a column is tabular, then each media column."""
    media = [n for n, r in readers.items() if r.kind not in TABULAR]
    return ([TABLE] if len(media) < len(readers) else []) + media


def chosen_inputs(asked: Iterable[str] | None, readers: Mapping[str, Reader]) -> list[str]:
    """The inputs asked for in the order of all, or all of them for None.

    JobError for a name that is none: tabular columns are one input and can only be asked for
    together.
    """
    inputs = inputs_of(readers)
    if asked is None:
        return inputs
    wanted = set(asked)
    for name in sorted(wanted.difference(inputs)):
        if name in readers:
            raise JobError(
                f"'{name}' is no input of its own: all number, category and time columns are one, "
                f"so ask for '{TABLE}', or hide single cells with hide_cells."
            )
        raise JobError(unknown("input", name, inputs))
    return [name for name in inputs if name in wanted]


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """What to say of a name that means nothing here."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"there is no {kind} '{name}'; there are: {', '.join(names)}.{hint}"
