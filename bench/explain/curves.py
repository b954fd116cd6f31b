"""Deletion and insertion curves (Petsiuk et al. 2018, 1806.07421): what is left of a probability as
parts of a cell are made flat, or put back, the strongest first or in any order.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.inside import CELLS, WINDOWS, Inside, look_at, spans_of
from modalloy.attribution.network_score import NetworkScore
from modalloy.attribution.outcome import Outcome
from modalloy.readers.text import SPECIAL, TextReader

STEPS = 10  # of each curve
ORDERS = 4  # by chance, beside the one by strength


class Areas(NamedTuple):
    """Less is better: the area under a deletion curve, above its end, and the area that an
    insertion curve lacks below its end; by strength, and by chance.
    """

    deletion: float
    deletion_by_chance: float
    insertion: float
    insertion_by_chance: float


def areas(asked: AskedRow, outcome: Outcome, column: str, draw: np.random.Generator) -> Areas:
    """Of one cell of one row."""
    reader = asked.run.readers[column]
    inside = look_at(asked, outcome, column, reader)
    score = NetworkScore(asked, outcome, column)
    name, x, flat, unit = parts_of(score, inside)
    count = int(unit.max()) + 1
    strength = np.bincount(unit[unit >= 0].ravel(), inside_values(inside, unit), count)
    orders = [np.argsort(-strength), *(draw.permutation(count) for _ in range(ORDERS))]
    left, lacking = [], []
    for order in orders:
        place = np.empty(count, dtype=int)
        place[order] = np.arange(count)
        place = np.append(place, count)  # of what is never taken away
        first = [place[unit] < round(k * count / STEPS) for k in range(STEPS + 1)]
        gone = np.stack(first)
        taken = chances(score, name, swap(x, flat, gone))
        given = chances(score, name, swap(x, flat, ~gone & (unit >= 0)))
        left.append(float((taken - taken[-1]).mean()))
        lacking.append(float((given[-1] - given).mean()))
    return Areas(left[0], float(np.mean(left[1:])), lacking[0], float(np.mean(lacking[1:])))


def parts_of(score: NetworkScore, inside: Inside) -> tuple[str, Tensor, Tensor, np.ndarray]:
    """The value that a cell is, what it is where it is flat, and the part that each place is of,
    -1 where it is of none.
    """
    match inside.kind:
        case "image":
            x = score.values["pixels"].float()
            flat = x.flatten(2).median(-1).values[..., None, None].expand_as(x)
            side = x.shape[-1]
            line = np.repeat(np.arange(min(CELLS, side)), [b - a for a, b in spans_of(side, CELLS)])
            return "pixels", x, flat, line[:, None] * CELLS + line
        case "text" | "tokens":
            x = score.values["ids"]
            reader = score.asked.run.readers[inside.column]
            assert isinstance(reader, TextReader)
            cells = score.asked.loader.cells(reader.columns, np.array([score.asked.row]))
            _, word_L = reader.words_of(cells[reader.name][0])
            framed = score.values["shape"] == SPECIAL
            return "ids", x, torch.where(framed, x, 0), np.array(word_L)
        case _:
            name = "x" if "x" in score.values else "wave"
            x = score.values[name]
            spans = spans_of(x.shape[-1], WINDOWS)
            line = np.repeat(np.arange(len(spans)), [b - a for a, b in spans])
            if x.ndim > 2:
                line = np.arange(x.shape[1])[:, None] * len(spans) + line
            return name, x, torch.zeros_like(x), line


def inside_values(inside: Inside, unit: np.ndarray) -> np.ndarray:
    """What each place says, in the order of the places that are of a part."""
    if inside.kind in ("text", "tokens"):
        count = np.bincount(unit[unit >= 0], minlength=len(inside.part))
        return (inside.part / np.maximum(count, 1))[unit[unit >= 0]]
    return inside.part[unit >= 0].ravel()


def swap(x: Tensor, flat: Tensor, gone_S: np.ndarray) -> Tensor:
    """The cell with some places flat, once for each step."""
    gone = torch.from_numpy(gone_S)
    if x.ndim == gone.ndim + 1:  # a picture's channels go together
        gone = gone[:, None]
    return torch.where(gone, flat, x)


def chances(score: NetworkScore, name: str, x: Tensor) -> np.ndarray:
    """The network's probability of what is explained."""
    return 1 / (1 + np.exp(-score.many(name, x)))
