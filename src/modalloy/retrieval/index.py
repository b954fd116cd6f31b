"""The vectors of all rows of a table on disk, half-precision and memory-mapped, beside their run.

An index is bound to what made its vectors and to the cells that they were made of: one of another
run is refused, one of a table that has changed is built anew.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap

from modalloy.answer.loader import Loader
from modalloy.answer.space_rows import row_vectors
from modalloy.errors import RunError
from modalloy.model.body import Body
from modalloy.model.space import Space
from modalloy.retrieval.short_index import ROTATION, Short, shorten_index
from modalloy.retrieval.shortened import shortened
from modalloy.runs.run import Run
from modalloy.runs.space import vectors_made_by
from modalloy.table.fingerprints import fingerprints
from modalloy.table.table import Table

FOLDER = "index"  # of a run, for all tables
HEADING, PRESENT, CENTRES, ROW = "index.json", "present.npy", "centres.npy", "row.npy"
AT_ONCE = 1024  # rows that are held while an index is built
FORM, SHORT_FORM = 1, 2  # of whole vectors, and of shortened ones
KEYS = {"form", "made_by", "cells", "rows", "size", "columns", "aligned", "source"}
OWN = re.compile(  # files of an index, finished or left by a process that was killed
    r"(index\.json|(present|centres|rotation|row|column\d+)\.npy(\.short)?|(row|column\d+)\.usearch|"
    r"threshold\d+\.json)(\.\d+\.part)?"
)


class Bound(NamedTuple):
    """What an index belongs to: what made its vectors, and the cells that they are of."""

    made_by: str
    cells: str


@dataclass(frozen=True)
class Index:
    """Vectors of N rows of a table.

    columns: input -> (N, S) float16, zeros where a row lacks it; row: (N, S) of whole rows. Both
    stay on disk. present: (N, M) bool, inputs in the order of `columns`. centres: of a run without
    a space the mean of each kind of vector, (M + 1, S), whole rows last; vectors are taken from it
    before they are brought to length 1. Zeros of a run with a space. aligned: vectors of different
    columns may be compared. rotation: (S before, S) that shortened them, None where nothing did;
    short: what that costs.
    """

    folder: Path
    columns: Mapping[str, np.ndarray]
    row: np.ndarray
    present: np.ndarray
    centres: np.ndarray
    aligned: bool
    source: str
    rotation: np.ndarray | None = None
    short: Short | None = None

    def __len__(self) -> int:
        return len(self.row)

    def matrix(self, name: str | None) -> np.ndarray:
        """Vectors of a column, of whole rows for None."""
        return self.row if name is None else self.columns[name]

    def has(self, name: str | None) -> np.ndarray:
        """Which rows have something to be found by there, (N,) bool."""
        if name is None:
            return np.asarray(self.present.any(1))
        return self.present[:, list(self.columns).index(name)]

    def placed(self, name: str | None, x_BS: np.ndarray) -> np.ndarray:
        """Vectors of `row_vectors` as they are held here: centred, shortened, of length 1."""
        at = len(self.columns) if name is None else list(self.columns).index(name)
        placed_BS = unit(x_BS - self.centres[at])
        return placed_BS if self.rotation is None else shortened(placed_BS, self.rotation)


def unit(x_BS: np.ndarray) -> np.ndarray:
    """Vectors of length 1; what has no length stays."""
    length = np.linalg.norm(x_BS, axis=1, keepdims=True)
    return (x_BS / np.where(length > 0, length, 1.0)).astype(np.float32)


def bound_to(run: Run, table: Table) -> Bound:
    """What an index of these rows by this run is bound to."""
    prints = fingerprints(table, run.job)
    return Bound(vectors_made_by(run), hashlib.sha256(prints.astype("<i8").tobytes()).hexdigest())


def place_of(run: Run, table: Table) -> Path:
    """Where the index of a table lies, when nobody says it."""
    return run.path / FOLDER / hashlib.sha256(str(table.source).encode()).hexdigest()[:12]


def find_index(folder: Path, bound: Bound) -> Index | None:
    """The index in a folder; None where there is none, or where it is of other cells.

    RunError where another run built it, and where it is damaged.
    """
    if not (folder / HEADING).is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise RunError(f"{folder}: holds other files and no index; give another folder.")
        return None
    heading = read_heading(folder)
    if heading["made_by"] != bound.made_by:
        raise RunError(
            f"{folder}: this index was built by another run (or by this one before its weights "
            "changed), so its vectors mean nothing here; build it anew with --rebuild, or name "
            "another folder."
        )
    return None if heading["cells"] != bound.cells else open_index(folder, heading)


def read_heading(folder: Path) -> dict[str, Any]:
    """What an index says of itself; RunError where that cannot be read."""
    try:
        heading = json.loads((folder / HEADING).read_text(encoding="utf-8"))
        if not is_heading(heading):
            raise ValueError("keys")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder}: {HEADING} is not that of an index; remove the folder or name another one."
        ) from error
    if heading["form"] not in (FORM, SHORT_FORM):
        raise RunError(f"{folder}: is an index of another version; add --rebuild.")
    return heading


def is_heading(found: Any) -> bool:
    """Whether this is what an index says of itself, in any version."""
    return isinstance(found, dict) and found.keys() >= KEYS


def open_index(folder: Path, heading: Mapping[str, Any]) -> Index:
    """The index with its matrices left on disk; RunError where one of them is damaged."""
    rows, size, names = heading["rows"], heading["size"], heading["columns"]
    try:
        held = {n: np.load(folder / f"column{i}.npy", mmap_mode="r") for i, n in enumerate(names)}
        row = np.load(folder / ROW, mmap_mode="r")
        present, centres = np.load(folder / PRESENT), np.load(folder / CENTRES)
        short = Short(**heading["short"]) if heading["form"] == SHORT_FORM else None
        rotation = None if short is None else np.load(folder / ROTATION)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder}: the index is damaged; add --rebuild.") from error
    shapes = {m.shape for m in (row, *held.values())}
    if shapes != {(rows, size)} or present.shape != (rows, len(names)):
        raise RunError(f"{folder}: the index is damaged; add --rebuild.")
    if rotation is not None and rotation.shape != (centres.shape[1], size):
        raise RunError(f"{folder}: the index is damaged; add --rebuild.")
    given = (heading["aligned"], heading["source"], rotation, short)
    return Index(folder, held, row, present, centres, *given)


def build_index(
    body: Body,
    space: Space | None,
    loader: Loader,
    folder: Path,
    bound: Bound,
    *,
    share: float | None = None,
    tick: Callable[[int], None] = lambda n: None,
) -> Index:
    """Write the index of a loader's rows, whole or not at all, in place of an older one.

    Never more than some rows are held. share: of the nearest rows that shorter vectors have to
    keep; whole vectors for None. RunError where the folder cannot be written.
    """
    names = [i for i in body.inputs if loader.shows(i) and (space is None or i in space.inputs)]
    rows = loader.table.rows
    size = body.job.fuse.width if space is None else space.size
    heading = {"form": FORM, **bound._asdict(), "rows": rows, "size": size, "columns": names}
    heading |= {"aligned": space is not None, "source": str(loader.table.source)}
    with replacing(folder) as new:
        kinds = [f"column{i}.npy" for i in range(len(names))] + [ROW]
        held = [open_memmap(new / k, "w+", np.float16, (rows, size)) for k in kinds]
        present = np.zeros((rows, len(names)), dtype=bool)
        sums = np.zeros((len(held), size))
        for start in range(0, rows, AT_ONCE):
            some = np.arange(start, min(start + AT_ONCE, rows))
            found = row_vectors(body, space, loader, some, inputs=names, tick=tick)
            assert found.row is not None, "whole rows were asked for"
            for at, vectors in enumerate([*(found.columns[n] for n in names), found.row]):
                held[at][some] = vectors
                sums[at] += vectors.sum(0, dtype=np.float64)
            present[some] = np.stack([found.present[n] for n in names], axis=1)
        counts = np.append(present.sum(0), present.any(1).sum()).reshape(-1, 1)
        centres = (sums / np.maximum(counts, 1)).astype(np.float32)
        centres = centres if space is None else np.zeros_like(centres)
        if space is None:
            for at, matrix in enumerate(held):
                have = present.any(1) if at == len(names) else present[:, at]
                centre(matrix, centres[at], np.asarray(have))
        for matrix in held:
            matrix.flush()
        if share is not None:
            matrices = dict(zip(kinds, held, strict=True))
            have = {k: np.asarray(present[:, i]) for i, k in enumerate(kinds[:-1])}
            have[ROW] = np.asarray(present.any(1))
            whole = ROW if space is not None else None
            short, size = shorten_index(new, matrices, have, share, whole=whole)
            heading |= {"form": SHORT_FORM, "size": size, "short": short._asdict()}
        np.save(new / PRESENT, present)
        np.save(new / CENTRES, centres)
        (new / HEADING).write_text(json.dumps(heading, indent=1), encoding="utf-8")
    return open_index(folder, heading)


def centre(matrix_NS: np.ndarray, centre_S: np.ndarray, have_N: np.ndarray) -> None:
    """Take vectors from their mean and bring them to length 1, some at a time, in place."""
    for start in range(0, len(matrix_NS), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        x_BS = unit(matrix_NS[some].astype(np.float32) - centre_S)
        matrix_NS[some] = np.where(have_N[some, None], x_BS, 0.0)


def refuse_others(folder: Path) -> None:
    """RunError for a folder that holds anything but an index, which nobody may remove."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RunError(f"{folder}: is a file; name a folder for the index.")
    held = list(folder.iterdir())
    others = sorted(p.name for p in held if not (OWN.fullmatch(p.name) and p.is_file()))
    if others:
        raise RunError(
            f"{folder}: holds '{others[0]}', which is no part of an index, and building one would "
            "remove it; name another folder."
        )
    if held:
        try:
            heading = json.loads((folder / HEADING).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            heading = None
        if not is_heading(heading):
            raise RunError(
                f"{folder}: its files are not those of an index, and building one would remove "
                "them; name another folder."
            )


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of an index in the end, and not if anything fails.

    RunError where something else than an index lies there.
    """
    refuse_others(folder)
    folder = folder.resolve()
    new = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        new.mkdir(parents=True)
        yield new
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(new, folder)
    except OSError as error:
        raise RunError(
            f"{folder}: the index cannot be written ({error.strerror}); name another folder."
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
