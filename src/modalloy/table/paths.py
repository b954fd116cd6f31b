"""A column of paths in, the media type, its encoder and what the files suggest out."""

import re
from pathlib import Path
from typing import Any

from modalloy.config import usual_fronts
from modalloy.errors import TableError
from modalloy.table.endings import (
    PICTURES,
    SOUNDS,
    UNREAD_OTHERS,
    UNREAD_PICTURES,
    ends_in,
)
from modalloy.table.endings import (
    SERIES as SERIES_FILES,
)
from modalloy.table.guessed import SENSORS, Guess, encoder
from modalloy.table.look import Look, counted
from modalloy.table.names import words

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
        ends = sorted({m[0].split("#")[0].lower() for c in look.some if (m := pattern.search(c))})
        paths = f"{counted(hits)} of {counted(len(look.filled))} cells are paths ending in "
        reason = paths + ", ".join(ends)
        if not kind:
            return Guess("ignore", f"{reason}, a format that is not read")
        files = [folder / c.rpartition("#")[0] if "#" in c else folder / c for c in look.some[:20]]
        there = [f for f in files if f.is_file()]
        if not there:
            tried = f"none of the {len(files)} tried is a file in {folder}"
            return Guess("ignore", f"{reason}, but {tried}")
        if not all(f.resolve().is_relative_to(folder.resolve()) for f in there):
            reason += "; outside the table's folder, so set allow_outside: true"
        elif any(Path(c).is_absolute() for c in look.some):
            reason += "; absolute, so set allow_outside: true"
        if kind == "series" and (fault := _unread(look.some[:20], folder)):
            return Guess("ignore", f"{reason}, but {fault}")
        if kind == "audio" and ends == [".wav"] and set(words(look.name)) & SENSORS:
            return Guess("series", f"{reason}; the name speaks of a sensor", _rate(there[0]))
        return _with_encoder(kind, reason, there)
    return None


def are_paths(look: Look) -> bool:
    """Whether some cell is a path by its ending."""
    return any(look.matching(p) for p in (SERIES, IMAGE, AUDIO, FOREIGN))


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


def _unread(cells: list[str], folder: Path) -> str | None:
    """Why no file of a series can be read under the name that it is given, or None."""
    from modalloy.table.media import read_series_file

    fault = None
    for cell in cells:
        path, mark, channel = cell.rpartition("#")
        file = folder / (path if mark else cell)
        if not file.is_file():
            continue
        try:
            read_series_file(file, channel if mark else None, 1)
        except TableError as error:
            fault = fault or str(error)
        else:
            return None
    return fault


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
