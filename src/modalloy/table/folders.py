"""Folders as tables: Parquet files together, or a row for each picture."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from modalloy.errors import TableError
from modalloy.media.endings import PICTURES, UNREAD_PICTURES
from modalloy.table.arrow_store import Stream
from modalloy.table.part_names import parts_named

SHOWN = 3  # names that a note gives as examples


def list_tables(path: Path) -> list[Path]:
    """The Parquet files of a folder, as Spark and Dask write them: `_` and `.` hide a file."""
    files = [f for f in path.rglob("*") if f.suffix.lower() in (".parquet", ".pq") and f.is_file()]
    shown = [f for f in files if not _begins(f.relative_to(path), "_.")]
    return sorted(shown, key=_natural)


def beside_tables(path: Path) -> tuple[str, ...]:
    """A note on the pictures of a folder that is read as Parquet files, because it holds one."""
    files = [f for f in _walk(path) if _is_picture(f) and not _begins(f, ".")]
    if not files:
        return ()
    return (
        f"{path}: holds Parquet files, which are the table; {_pictures(files)} beside them "
        f"are no rows of their own: {_some(files)}.",
    )


def read_pictures(path: Path) -> Stream:
    """A row for each picture: columns image, label (the folders between) and split.

    There is a split where the outer folders name parts of one. Files and folders that begin with a
    dot stay out, as everywhere; the notes say which files are no rows, and why. Raises TableError
    where no picture is left.
    """
    files, left_out = [], []
    for file in _walk(path):
        row = _is_picture(file) and not _begins(file, ".") and _in_utf8(file)
        (files if row else left_out).append(file)
    notes = tuple(_notes(path, left_out))
    if not files:
        told = "".join(f" {note}" for note in notes)
        kinds = " ".join(sorted(PICTURES))
        raise TableError(
            f"{path}: the folder holds neither Parquet files nor pictures ({kinds}).{told}"
        )
    columns, told = _columns(sorted(files, key=_natural))
    notes += tuple(f"{path}: {note}." for note in told)
    table = pa.table(columns)
    return Stream(table.schema, table.to_batches(), 0, notes)


def _columns(places: list[Path]) -> tuple[dict[str, list[Any]], list[str]]:
    """The columns of these pictures, and what is to be said of those that lack a part or a label.

    Outer folders are the parts of a split where all of them name one, or where they name two parts
    at least: one loose picture or a folder of examples beside them turns no part into a class.
    """
    columns: dict[str, list[Any]] = {"image": [p.as_posix() for p in places]}
    outer = list(dict.fromkeys(p.parts[0] for p in places if len(p.parts) > 1))
    part_of = dict(zip(outer, parts_named(outer), strict=True))
    known = {part for part in part_of.values() if part}
    split = bool(known) and (None not in part_of.values() or len(known) > 1)
    notes, apart = [], []
    if split:
        parts = [part_of[p.parts[0]] if len(p.parts) > 1 else None for p in places]
        columns["split"] = parts
        apart = [p for p, part in zip(places, parts, strict=True) if part is None]
    if apart:
        folders = ", ".join(f for f in outer if part_of[f])
        notes.append(
            f"{_pictures(apart)} outside of the folders of the split ({folders}): in no part of "
            f"it: {_some(apart)}"
        )
    labels = [_label(p, split=split) for p in places]
    if any(labels):
        columns["label"] = labels
        loose = set(apart)
        without = [p for p, x in zip(places, labels, strict=True) if x is None and p not in loose]
        if without:
            notes.append(
                f"{_pictures(without)} outside of any class folder: no label: {_some(without)}"
            )
    return columns, notes


def _label(place: Path, *, split: bool) -> str | None:
    """The folders between a picture and the outermost folder, or the folder of its part."""
    return "/".join(place.parts[int(split) : -1]) or None


def _pictures(files: list[Path]) -> str:
    return f"{len(files)} picture{'s' * (len(files) != 1)}"


def _walk(path: Path) -> Iterator[Path]:
    """Every file below a folder, and every linked folder, from there on."""

    def refuse(error: OSError) -> None:
        raise TableError(f"{error.filename}: the folder cannot be opened: {error.strerror}.")

    for root, folders, files in os.walk(path, onerror=refuse):
        place = Path(root).relative_to(path)
        # A link may lead in a circle or out of the folder; it is said, and not followed.
        yield from (place / f for f in folders if os.path.islink(os.path.join(root, f)))
        yield from (place / f for f in files)


def _notes(path: Path, left_out: list[Path]) -> Iterator[str]:
    """Why files became no rows, a sentence for each reason, with their number and examples."""
    why: dict[str, list[Path]] = {}
    for file in left_out:
        why.setdefault(_reason(path, file), []).append(file)
    for reason, files in sorted(why.items()):
        if not reason:
            continue
        kinds = Counter(f.suffix.lower() or "no ending" for f in files)
        told = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
        count = f"{len(files)} file{'s' * (len(files) != 1)}"
        yield f"{path}: left out {count} ({told}) {reason}: {_some(files)}."


def _some(files: list[Path]) -> str:
    """A few names, and how many more there are."""
    names = ", ".join(_shown(f) for f in sorted(files, key=_natural)[:SHOWN])
    return f"{names} and {len(files) - SHOWN} more" if len(files) > SHOWN else names


def _reason(path: Path, file: Path) -> str:
    """Why a file is no row; nothing where nobody would miss it."""
    if _begins(file, "."):
        return "hidden by a dot at the beginning of a name" if _is_picture(file) else ""
    if not _in_utf8(file):
        return "whose names are not UTF-8, rename them"
    if (path / file).is_dir():
        return "that link to folders, which are not entered"
    if file.suffix.lower() in UNREAD_PICTURES:
        return "of formats that are not read, save them as PNG or JPEG"
    return "not known as pictures by their ending"


def _in_utf8(file: Path) -> bool:
    """Whether a name can stand in a table; Linux allows any bytes."""
    try:
        file.as_posix().encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(file: Path) -> str:
    return file.as_posix() if _in_utf8(file) else ascii(file.as_posix())


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in PICTURES


def _begins(path: Path, marks: str) -> bool:
    """Whether some part of a path begins with one of these letters."""
    return any(part[0] in marks for part in path.parts)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts part.2 before part.10."""
    parts = re.split(r"([0-9]+)", path.as_posix())
    return [(int(p), "") if p.isascii() and p.isdigit() else (-1, p) for p in parts]
