"""The media type, encoder and options that files named in a column suggest."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalloy.cells.cells import Cells
from modalloy.checks.column_profile import Look, counted
from modalloy.checks.name_hints import words
from modalloy.errors import TableError
from modalloy.infer.guessed import SENSORS, Guess, encoder
from modalloy.job.config import usual_fronts
from modalloy.media.endings import PICTURES, SOUNDS, UNREAD_OTHERS, UNREAD_PICTURES, ends_in
from modalloy.media.endings import SERIES as SERIES_FILES
from modalloy.media.lookup import BLANKS, QUOTES, Found, find, hint, shown
from modalloy.media.samples import split_channel

if TYPE_CHECKING:
    from modalloy.media.channels import Samples

IMAGE = ends_in(PICTURES)
AUDIO = ends_in(SOUNDS)
FOREIGN = ends_in(UNREAD_PICTURES | UNREAD_OTHERS)
SERIES = re.compile(
    rf"{ends_in(set(SERIES_FILES) - SOUNDS, '(#.+)?').pattern}|{ends_in({'.wav'}, '#.+').pattern}",
    re.IGNORECASE,
)


def guess_paths(look: Look, folder: Path) -> Guess | None:
    """The type of a column of paths, by their endings and whether such files exist; else None."""
    kinds = ((SERIES, "series"), (IMAGE, "image"), (AUDIO, "audio"), (FOREIGN, ""))
    for pattern, kind in kinds:
        hits = look.matching(pattern)
        if hits < 0.95 * len(look.filled):
            continue
        hit = [m[0].split("#")[0] for c in look.some if (m := pattern.search(c))]
        ends = sorted({end.strip(BLANKS + QUOTES).lower() for end in hit})
        paths = f"{counted(hits)} of {counted(len(look.filled))} cells are paths ending in "
        reason = paths + ", ".join(ends)
        if not kind:
            return Guess("ignore", f"{reason}, a format that is not read")
        tried = [_found(c, folder, kind) for c in look.some[:20]]
        there = [f for f in tried if isinstance(f, Found)]
        if not there:
            why = f"none of the {len(tried)} tried is a file in {folder}{tried[0]}"
            return Guess("ignore", f"{reason}, but {why}")
        if not all(f.path.resolve().is_relative_to(folder.resolve()) for f in there):
            reason += "; outside the table's folder, so set allow_outside: true"
        elif any(f.way == "written" and Path(c).is_absolute() for c, f in _pairs(look, tried)):
            reason += "; absolute, so set allow_outside: true"
        reason += _mended(look, tried, folder)
        if kind == "series":
            fault, read = _unread(look.some[:20], folder)
            if fault:
                return Guess("ignore", f"{reason}, but {fault}")
            reason += _channels(read)
        if kind == "audio" and ends == [".wav"] and set(words(look.name)) & SENSORS:
            return Guess("series", f"{reason}; the name speaks of a sensor", _rate(there[0].path))
        return _with_encoder(kind, reason, [f.path for f in there])
    return None


def _found(cell: str, folder: Path, kind: str) -> Found | str:
    """The file that a cell means, absolute paths included; else what may fix it."""
    path = split_channel(cell)[0] if kind == "series" else cell
    try:
        return find(path, folder, anywhere=True) or hint(path, folder)
    except TableError as error:
        return f": {error}"


def _pairs(look: Look, tried: list[Found | str]) -> Iterator[tuple[str, Found]]:
    """Cells beside the files that they mean."""
    for cell, found in zip(look.some, tried, strict=False):
        if isinstance(found, Found):
            yield cell, found


def _mended(look: Look, tried: list[Found | str], folder: Path) -> str:
    """How paths that are written otherwise than their files are read, with one of them."""
    for way, what in (("moved", "only their ends were found"), ("spelled", "spelled otherwise")):
        for cell, found in _pairs(look, tried):
            if found.way == way:
                return f"; {what}: {cell!r:.60} is read from {shown(found.path.resolve(), folder)}"
    return ""


def are_paths(look: Look) -> bool:
    """Whether some cell is a path by its ending."""
    return any(look.matching(p) for p in (SERIES, IMAGE, AUDIO, FOREIGN))


def files_of(look: Look, folder: Path) -> list[Path]:
    """Some of the files that a column's cells mean."""
    tried = [_found(cell, folder, "image") for cell in look.some[:10]]
    return [f.path for f in tried if isinstance(f, Found)]


def largest_side(files: list[Path]) -> int:
    """Width or height in pixels, the most of at most ten pictures."""
    from PIL import Image, UnidentifiedImageError

    sides = [0]
    for file in files[:10]:
        try:
            with Image.open(file) as picture:
                sides.append(max(picture.size))
        except (UnidentifiedImageError, OSError):
            continue  # `check` lists files that cannot be read
    return max(sides)


def _unread(cells: list[str], folder: Path) -> tuple[str, list["Samples"]]:
    """Why no file of a series can be read under the name that it is given; else what some hold."""
    from modalloy.readers.series import read_path

    fault, read = "", []
    for cell in cells:
        try:
            read.append(read_path(cell, Cells({}, folder, allow_outside=True), 1, None)[0])
        except TableError as error:
            there = isinstance(_found(cell, folder, "series"), Found)
            fault = fault or (str(error) if there else "")
    return ("" if read else fault), read


def _channels(read: list["Samples"]) -> str:
    """The channels that files name, and what they count beside them."""
    from modalloy.media.channels import settle

    names = settle(read).names
    counted = sorted({c for one in read for c in one.counted})
    said = f"; channels {', '.join(names)}" if names else ""
    return f"{said}; {', '.join(counted)}: no channel" if counted else said


def _with_encoder(kind: str, reason: str, files: list[Path]) -> Guess:
    """The pretrained encoder that is installed, and options that the files themselves suggest."""
    if kind == "image":
        side = largest_side(files)
        small: dict[str, Any] = {"pixels": max(64, -(-side // 32) * 32)} if side <= 128 else {}
        return Guess(kind, f"{reason}; up to {side} pixels", {**encoder(kind), **small})
    if kind == "audio":
        longest = _longest_s(files)
        cut = {"seconds": float(min(30, -(-longest // 1)))} if longest > 10 else {}
        return Guess(kind, f"{reason}; up to {longest:.1f} s", {**encoder(kind), **cut})
    return Guess(kind, reason)


def _longest_s(files: list[Path]) -> float:
    import soundfile

    seconds = [0.0]
    for file in files[:10]:
        try:
            seconds.append(soundfile.info(str(file)).duration)
        except soundfile.LibsndfileError:
            continue  # `check` lists files that cannot be read
    return max(seconds)


def _rate(file: Path) -> dict[str, Any]:
    import soundfile

    rate_hz = float(soundfile.info(str(file)).samplerate)
    return {"rate_hz": rate_hz, "front": list(usual_fronts({"rate_hz": rate_hz, "rpm": None}))}
