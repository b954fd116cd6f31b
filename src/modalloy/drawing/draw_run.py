"""The whole way of `draw`: a pretrained run, rows perhaps; drawn cells and a contact sheet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modalloy.answer.opened import Opened, open_rows
from modalloy.drawing.artist import Artist, Drawn
from modalloy.drawing.sheet import as_png, contact_sheet
from modalloy.errors import JobError, RunError, TableError
from modalloy.job.inputs import heard, input_columns
from modalloy.machine.files import write_safely
from modalloy.model.layers.named import Named, key
from modalloy.model.tokens import Batch
from modalloy.objectives.autoregress import Autoregress
from modalloy.runs.run import PRETEXTS, Run
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

MOST_ROWS = 200  # of one sheet


class Asked(NamedTuple):
    """What is to be drawn; see `verbs.draw`."""

    column: str | None
    complete: float | None
    rows: int
    each: int
    temperature: float
    seed: int


@dataclass(frozen=True)
class Drawing:
    """Cells that a run has drawn. column: theirs; numbers: of their rows in the table. notes: what
    is to be said of the table whose rows steered.
    """

    column: str
    numbers: np.ndarray
    drawn: Drawn
    notes: Sequence[str] = ()

    @property
    def samples(self) -> list[list[np.ndarray]]:
        """The draws of each row: pixels (c, H, W), samples (C, L), log10 powers (bands, frames)."""
        return self.drawn.samples

    @property
    def expected(self) -> list[np.ndarray]:
        """What is expected of each row, of the same form."""
        return self.drawn.expected

    def save(self, path: str | Path) -> None:
        """Write the contact sheet; JobError for another ending than `.png`."""
        check_sheet(Path(path))
        sheet = contact_sheet(self.drawn, self.numbers.tolist())
        write_safely(Path(path), as_png(sheet))


def draw_run(run: Run, table: Table | None, asked: Asked) -> Drawing:
    """Draw cells of one column; see `verbs.draw`."""
    check_asked(asked, like=table is not None)
    artist = artist_of(run)
    name = artist.column(asked.column)
    opened = rows_of(run, table, asked.rows)
    loader, notes = opened.loader, () if table is None else tuple(opened.notes())
    numbers = np.arange(min(asked.rows, loader.table.rows))
    batch = Batch.of(loader.batch(numbers), artist.body.device)
    if asked.complete is not None and not bool(batch.present[name].any()):
        raise TableError(
            f"{loader.table.source}: column '{name}' is empty in these {len(numbers)} rows, so "
            "there is nothing to complete; leave --complete out to draw it whole."
        )
    drawn = artist.draw(
        name,
        batch,
        anew=1.0 if asked.complete is None else asked.complete,
        each=asked.each,
        temperature=asked.temperature,
        seed=asked.seed,
        numbers=numbers.tolist(),
    )
    return Drawing(name, numbers, drawn, notes)


def rows_of(run: Run, table: Table | None, rows: int) -> Opened:
    """The first rows of a table as the run reads them, or rows that hold nothing.

    TableError for a table without any column that is read.
    """
    if table is None:
        spoken = heard(run.job)  # a table holds the recordings, not what is heard in them
        columns = {spoken.get(c, c) for some in input_columns(run.job).values() for c in some}
        table = open_table([dict.fromkeys(sorted(columns))] * rows)
    return open_rows(run, table, part=slice(0, rows))


def check_asked(asked: Asked, *, like: bool) -> None:
    """JobError for what cannot be drawn."""
    for why in faults(asked, like=like):
        raise JobError(why)


def faults(asked: Asked, *, like: bool) -> Iterator[str]:
    """What is wrong with what is asked for, a sentence each."""
    if asked.complete is not None and not like:
        yield "complete: needs rows to complete; name their table with --like."
    if asked.complete is not None and not 0.0 < asked.complete <= 1.0:
        yield f"complete: {asked.complete:g} is no share; give more than 0 and at most 1."
    if not 1 <= asked.rows <= MOST_ROWS:
        yield f"rows: {asked.rows} do not go on a sheet; give 1 to {MOST_ROWS}."
    if not 1 <= asked.each <= MOST_ROWS:
        yield f"each: {asked.each} do not go on a sheet; give 1 to {MOST_ROWS}."
    if not 0.0 < asked.temperature <= 10.0:
        yield f"temperature: {asked.temperature:g} is none; give more than 0, 1 being as learned."


def check_sheet(path: Path) -> None:
    """Refuse a file that a sheet could not be written to."""
    if path.suffix.lower() != ".png":
        raise JobError(f"{path}: a contact sheet is written as .png.")
    if not path.absolute().parent.is_dir():
        raise JobError(f"{path}: there is no folder {path.parent}; make it first.")


def artist_of(run: Run) -> Artist:
    """The artist of a run; RunError for one that never learned to draw."""
    from safetensors.torch import load

    options = run.job.pretrain.autoregress
    if PRETEXTS not in run.parts or options is None or options.weight == 0:
        raise RunError(
            f"{run.path}: has not learned to draw; write `pretrain: {{autoregress: {{}}}}` into "
            "its job, run `modalloy pretrain`, and draw with the run that this writes."
        )
    body = run.body()
    method = Autoregress(body, options).to(body.device)
    state = load(run.part(PRETEXTS))
    names = Named({"autoregress": method})  # among the other ways by which the run has learned
    names.load_state_dict(
        {n: x for n, x in state.items() if n.startswith(key("autoregress") + ".")}
    )
    return Artist(body, method)
