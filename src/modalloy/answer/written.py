"""Answers to a table of any size, straight into a file: its rows go by, and memory stays."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.answer_file import ROWS, AnswerFile, check_place
from modalloy.answer.frame import frame_of
from modalloy.answer.network import BATCH
from modalloy.answer.predictor import Predictor
from modalloy.answer.saved import saved_together
from modalloy.answer.table_caveats import Odd
from modalloy.machine.progress import Bar
from modalloy.table.open_table import open_table


@dataclass(frozen=True)
class Written:
    """What a file of answers holds. rows: how many. notes, caveats, saved: as `frame` has them in
    its `attrs`.
    """

    rows: int
    notes: list[str]
    caveats: list[str]
    saved: dict[str, Any] | None = None
    attrs: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        told = {"notes": self.notes, "caveats": self.caveats}
        told |= {} if self.saved is None else {"saved": self.saved}
        object.__setattr__(self, "attrs", told)


def write_answers(
    predictor: Predictor,
    rows: Any,
    out: Path,
    *,
    inputs: Collection[str] | None = None,
    part: slice | None = None,
    batch: int = BATCH,
    at_once: int = ROWS,
    quiet: bool = True,
) -> Written:
    """Answer the rows of a table into `out`, a `.parquet` or `.csv`, and say what was found.

    The file is the one that `frame` and `write_frame` make of all rows together. at_once: rows that
    are in memory together, each with its cells and answers. Other arguments and errors as for
    `Predictor.answers`.
    """
    check_place(out)
    loader, found = predictor.open(open_table(rows), inputs=inputs, part=part, quiet=quiet)
    which = np.arange(loader.table.rows)[slice(None) if part is None else part]
    odd: dict[str, Odd] = {}
    saved: list[dict[str, Any]] = []
    with AnswerFile(out) as file, Bar("answering", len(which), quiet=quiet) as bar:
        for start in range(0, max(1, len(which)), at_once):
            some = which[start : start + at_once]
            asked = some if len(some) else np.arange(1)  # one row shows how its answers look
            given = {"batch": batch, "tick": bar.advance, "picked": len(some)}
            said = predictor.say(loader.anew(), asked, **given)
            job, targets = predictor.run.job, predictor.run.targets
            file.write(frame_of(said, job, targets).iloc[: len(some)])
            if len(some):
                odd = counted(odd, said.status)
            saved += [] if said.saved is None else [said.saved]
        caveats = predictor.caveats(loader, found, odd)
        together = None
        if saved and predictor.plan is not None:
            together = saved_together(predictor.plan, saved)
        notes = [*loader.table.notes, *predictor.engine.notes]
        told = Written(len(which), notes, caveats, together)
        file.finish(told.attrs)
    return told


def counted(before: dict[str, Odd], status: dict[str, list[str]]) -> dict[str, Odd]:
    """What cells were worth so far, with those of some more rows."""
    return {n: before.get(n, Odd()).and_then(Odd.of(said)) for n, said in status.items()}
