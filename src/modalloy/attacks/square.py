"""A black-box attack: random squares of pixels or stretches of samples, kept where they do harm."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from modalloy.attacks.attack import Found, answering, look
from modalloy.attacks.budget import Budget
from modalloy.attacks.goal import Harm, margin
from modalloy.attacks.moves import Moves
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

FEW = 8  # plain numbers of which any count is changed at once
HALVED = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries


@dataclass(frozen=True)
class Square:
    """Square attack in Linf (Andriushchenko et al. 2020, 1912.00049), by the margin of answers.

    Beside squares of pictures: stretches of samples, and shares of the plain numbers of a row, all
    of them one cell; each query changes one of these. Vectors of texts are left alone: nobody can
    write them. Stripes are left out where they do less harm than the row as it is, as in the
    adversarial robustness toolbox. queries: answers asked for, 2 at least. share: of a cell that
    the first of them changes; it is halved at the paper's shares of all queries. tasks: those
    attacked, all for None.
    """

    queries: int = 1000
    share: float = 0.8
    tasks: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return "Square"

    def __call__(
        self, model: Model, batch: Batch, budgets: Sequence[Budget], *, draw: torch.Generator
    ) -> Batch:
        """The rows after the last query."""
        moves = Moves.of(model, batch, [b for b in budgets if b.what == "linf"])
        if not moves.any:
            return batch
        measure = partial(margin, tasks=self.tasks)
        with answering(model):
            u_BM = self.search(lambda b: look(model, b, measure), moves, draw)
        return moves.batch(u_BM, handed=True)

    def search(
        self, answers: Callable[[Batch], Harm], moves: Moves, draw: torch.Generator
    ) -> Tensor:
        """The worst move found of each row, (B, M), for whoever answers a batch."""
        places = groups(moves)
        begin = torch.cat([first(s, len(moves.given), draw) for _, s in places], 1)
        u_BM = moves.project(begin.to(moves.low_BM))
        best = Found(moves.zero(), answers(moves.given))
        best = best.or_worse(u_BM, answers(moves.batch(u_BM, handed=True)))
        for query in range(2, self.queries):
            if bool(best.harm.wrong_B.all()):
                break
            u_BM = best.u_BM.clone()
            share = share_at(self.share, query, self.queries)
            for row in (~best.harm.wrong_B).nonzero()[:, 0].tolist():
                which = int(torch.randint(len(places), (), generator=draw))
                start, shape = places[which]
                stop = start + size_of(shape)
                cell = u_BM[row, start:stop].reshape(shape)
                u_BM[row, start:stop] = changed(cell, share, draw).reshape(-1)
            u_BM = moves.project(u_BM)
            best = best.or_worse(u_BM, answers(moves.batch(u_BM, handed=True)))
        return best.u_BM


def groups(moves: Moves) -> list[tuple[int, tuple[int, ...]]]:
    """Where each cell begins in a move, and its shape; plain numbers side by side are one cell."""
    found: list[tuple[int, tuple[int, ...]]] = []
    start = 0
    plain = False
    for part, size in zip(moves.parts, moves.sizes, strict=True):
        if not part.shape and plain:
            begin, (count,) = found[-1]
            found[-1] = begin, (count + 1,)
        else:
            found.append((start, part.shape or (1,)))
        plain = not part.shape
        start += size
    return found


def size_of(shape: tuple[int, ...]) -> int:
    """Numbers of a cell."""
    return int(torch.Size(shape).numel())


def signs(shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    """-1 or 1, each by chance."""
    return torch.randint(0, 2, shape, generator=draw).float() * 2 - 1


def first(shape: tuple[int, ...], rows: int, draw: torch.Generator) -> Tensor:
    """Where the search begins: stripes down each channel of a picture, chance elsewhere, (B, S)."""
    narrow = (shape[0], 1, shape[2]) if len(shape) == 3 else shape
    return signs((rows, *narrow), draw).expand(rows, *shape).reshape(rows, -1)


def share_at(first_share: float, query: int, queries: int) -> float:
    """The share of a cell that a query changes."""
    at = query / queries * 10_000
    return first_share / 2 ** sum(at > h for h in HALVED)


def changed(cell: Tensor, share: float, draw: torch.Generator) -> Tensor:
    """A cell with one square, stretch or share of it at either end of its budget."""
    cell = cell.clone()
    if len(cell.shape) == 3:
        channels, high, wide = cell.shape
        side = min(max(round((share * high * wide) ** 0.5), 1), high, wide)
        top = int(torch.randint(high - side + 1, (), generator=draw))
        left = int(torch.randint(wide - side + 1, (), generator=draw))
        cell[:, top : top + side, left : left + side] = signs((channels, 1, 1), draw).to(cell)
    elif len(cell.shape) == 2 or len(cell) > 256:
        length = cell.shape[-1]
        long = min(max(round(share * length), 1), length)
        start = int(torch.randint(length - long + 1, (), generator=draw))
        cell[..., start : start + long] = signs((*cell.shape[:-1], 1), draw).to(cell)
    else:
        count = min(max(round(share * len(cell)), 1), len(cell))
        if len(cell) <= FEW:  # from the row as it is, one at a time may never reach a corner
            count = int(torch.randint(1, len(cell) + 1, (), generator=draw))
        at = torch.randperm(len(cell), generator=draw)[:count]
        cell[at] = signs((count,), draw).to(cell)
    return cell
