"""Rows as vectors: of each column and of the whole row, in a run's space or as its encoders go."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.answer.network import BATCH, batches, by_length
from modalloy.model.body import Body
from modalloy.model.space import Space
from modalloy.model.tokens import Batch, arrays


class Vectors(NamedTuple):
    """B rows as vectors.

    columns: input -> (B, S) float32, zeros where a row lacks it. present: input -> (B,) bool. row:
    (B, S) of whole rows, zeros of a row that has nothing; None where it was not asked for. In a
    space all have length 1; without one they are summaries as they come, of their own column alone.
    """

    columns: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    row: np.ndarray | None


@torch.no_grad()
def row_vectors(
    body: Body,
    space: Space | None,
    loader: Loader,
    which: np.ndarray,
    *,
    inputs: Collection[str] | None = None,
    whole: bool = True,
    batch: int = BATCH,
    tick: Callable[[int], None] = lambda n: None,
) -> Vectors:
    """The vectors of some rows, in their order; body and space are in evaluation mode.

    inputs: those to read and run, all that the loader shows for None. whole: of whole rows too, of
    which inputs that are not read are missing. In a space without a place for fused rows, a whole
    row is the mean direction of its columns.
    """
    shown = [i for i in body.inputs if loader.shows(i) and (inputs is None or i in inputs)]
    order = by_length(loader, which, shown)
    parts: list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]] = []
    for given in batches(loader, which[order], batch, shown):
        parts.append(batch_vectors(body, space, Batch.of(given, body.device), shown, whole))
        tick(len(given))
    back = np.argsort(order, kind="stable")
    size = body.job.fuse.width if space is None else space.size

    def joined(at: int, name: str, blank: np.ndarray) -> np.ndarray:
        return np.concatenate([*(p[at][name] for p in parts), blank])[back]

    none, nothing = np.zeros((0, size), np.float32), np.zeros(0, bool)
    return Vectors(
        {n: joined(0, n, none) for n in shown},
        {n: joined(1, n, nothing) for n in shown},
        joined(0, WHOLE, none) if whole else None,
    )


WHOLE = "\0row"  # beside the names of inputs, which hold no such letter


def batch_vectors(
    body: Body, space: Space | None, batch: Batch, shown: list[str], whole: bool
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Vectors of one batch by input, `WHOLE` beside them; and which rows have each input."""
    if space is None:
        tokens = body.encode(batch, shown)
        z = {n: tokens[n].summary_BD for n in shown}
        present = {n: batch.present[n] for n in shown}
        present = {n: p.any(1) if p.ndim > 1 else p for n, p in present.items()}
        row = body.fuse(tokens).summary_BKD.mean(1) if whole else None
    else:
        seen = space.see(body, batch, shown)
        z, present = space.project(seen), seen.present
        row = None
        if whole and space.row is not None:
            row = space.project_row(body, seen.tokens)
    z = {n: torch.where(present[n].unsqueeze(1), x.float(), 0.0) for n, x in z.items()}
    if whole and row is None:
        row = torch.nn.functional.normalize(torch.stack(list(z.values())).sum(0), dim=1)
    if row is not None:
        any_B1 = torch.stack(list(present.values())).any(0).unsqueeze(1)
        z[WHOLE] = torch.where(any_B1, row.float(), 0.0)
    return arrays(z), arrays(present)
