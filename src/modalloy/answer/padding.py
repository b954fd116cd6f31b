"""Pads arrays of single rows to one shape."""

from collections.abc import Mapping, Sequence

import numpy as np

from modalloy.readers.batch import Arrays

PAD = {"words": -1, "y": -100, "classes": -1}


def pad_together(
    rows: Sequence[Arrays], least: Mapping[str, tuple[int, ...]] | None = None
) -> Arrays:
    """Arrays of single rows, zero-padded at their ends to the largest, with rows first.

    least: a shape for each name that is reached in any case.
    """
    out = {}
    for name in rows[0]:
        arrays = [np.asarray(r[name]) for r in rows]
        shapes = [a.shape for a in arrays] + ([least[name]] if least else [])
        if all(shape == shapes[0] for shape in shapes):
            out[name] = np.stack(arrays)
            continue
        shape = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
        whole = np.full((len(rows), *shape), PAD.get(name, 0), arrays[0].dtype)
        for i, a in enumerate(arrays):
            whole[(i, *(slice(0, s) for s in a.shape))] = a
        out[name] = whole
    return out
