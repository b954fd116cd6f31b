"""A run that can draw, loaded once: cells of rows, whole ones or from where they were cut off."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from modalloy.errors import JobError
from modalloy.job.options import did_you_mean
from modalloy.model.body import Body
from modalloy.model.canvases.canvas import Canvas, seen_of
from modalloy.model.next_patch import Drawing
from modalloy.model.tokens import Batch
from modalloy.objectives.autoregress import Autoregress, begin

MEAN_OF = 16  # draws that the expected cell is the mean of


class Drawn(NamedTuple):
    """What was drawn for R rows, each cell as its column's reader has it (see `Canvas.whole`).

    given: the cell of each row, None where it has none. seen_R: up to which of its N patches they
    were shown to the model. expected: the mean by 16 draws as was learned. samples: for each row
    some draws.
    """

    canvas: Canvas
    given: list[np.ndarray | None]
    seen_R: np.ndarray
    expected: list[np.ndarray]
    samples: list[list[np.ndarray]]


class Artist:
    """A body and the decoders that learned beside it."""

    def __init__(self, body: Body, method: Autoregress) -> None:
        self.body, self.method = body.eval(), method.eval()

    @property
    def columns(self) -> list[str]:
        """The columns that it draws."""
        return list(self.method.canvases)

    def column(self, name: str | None) -> str:
        """A column that is drawn, the first for None; JobError for another one."""
        if name is None:
            return self.columns[0]
        if name not in self.columns:
            raise JobError(
                f"column: this run does not draw '{name}'.{did_you_mean(name, self.columns)} It "
                f"draws {', '.join(self.columns)}."
            )
        return name

    @torch.no_grad()
    def draw(
        self,
        name: str,
        batch: Batch,
        *,
        anew: float = 1.0,
        each: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        numbers: Sequence[int] | None = None,
    ) -> Drawn:
        """Cells of a column, the other columns of the rows as they are.

        anew: the share of each cell, from where it begins, that is drawn at its end; of pictures
        whole lines of patches, and everything where the row has no cell. each: draws a row.
        numbers: of the rows, which with the seed are all that chance depends on; their places in
        the batch otherwise.
        """
        canvas = self.method.canvases[name]
        cell = canvas.cut(batch.values[name])
        has_B = batch.present[name]
        first_B, end_B = cell.ends()
        lines_B = ((1.0 - anew) * (end_B - first_B) / canvas.line + 1e-6).floor().long()
        seen_B = seen_of(cell, lines_B * canvas.line).masked_fill(~has_B, 0)
        shown = replace(batch, present={**batch.present, name: has_B & (seen_B > 0)})
        context = begin(self.body, shown, name, canvas, seen_B, torch.ones_like(has_B))
        decoder = self.method.decoders[name]
        rows = list(range(len(batch))) if numbers is None else list(numbers)

        def draws(count: int, warmth: float) -> list[Drawing]:
            chances = (chance(canvas, rows, i, seed).to(seen_B.device) for i in range(count))
            return [decoder.draw(context, cell.x_BNP, u_BNO, warmth) for u_BNO in chances]

        expected_BNP = torch.stack([one.mean_BNP for one in draws(MEAN_OF, 1.0)]).mean(0)
        samples = [one.drawn_BNP for one in draws(each, temperature)]
        length_B = torch.where(has_B, end_B, canvas.patches).tolist()

        def whole(x_BNP: Tensor, row: int) -> np.ndarray:
            return canvas.whole(x_BNP[row, : length_B[row]].cpu().numpy())

        return Drawn(
            canvas,
            [whole(cell.x_BNP, b) if has_B[b] else None for b in range(len(batch))],
            seen_B.cpu().numpy(),
            [whole(expected_BNP, b) for b in range(len(batch))],
            [[whole(x_BNP, b) for x_BNP in samples] for b in range(len(batch))],
        )


def chance(canvas: Canvas, rows: Sequence[int], which: int, seed: int) -> Tensor:
    """Numbers between 0 and 1 to draw by, (B, N, P + 1), the same for a row beside any others."""
    shape = (canvas.patches, canvas.numbers + 1)
    drawn = [np.random.default_rng([seed, row, which]).random(shape, np.float32) for row in rows]
    return torch.from_numpy(np.stack(drawn))
