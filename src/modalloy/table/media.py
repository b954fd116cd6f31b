"""A cell that names a file in; a picture, a sound, samples or one clear sentence out."""

import os
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import soundfile
from PIL import Image, ImageOps, UnidentifiedImageError

from modalloy.errors import TableError
from modalloy.table.channels import Samples
from modalloy.table.endings import PICTURES
from modalloy.table.lookup import Found, find, hint, shown
from modalloy.table.samples import MAX_BYTES, pick_channel, read_arrays

# A TGA file is known by its name alone.
KINDS = tuple(k for k in dict.fromkeys(PICTURES.values()) if k != "TGA")
MAX_PIXELS = 40_000_000
MAX_SECONDS = 600.0
OGG_PAGE = 65_307  # bytes of the largest page of an OGG file
RATES_HZ = (10, 10_000_000)
FLOATS = ("FLOAT", "DOUBLE")
CANCELLED = 0.5  # of the power that is left of unrelated channels
WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)


def resolve(cell: Any, folder: Path, allow_outside: bool) -> Path:
    """The file that a cell names, as `locate` finds it."""
    return locate(cell, folder, allow_outside).path


def locate(cell: Any, folder: Path, allow_outside: bool) -> Found:
    """The file that a cell names, relative to the table's folder, and how it was found.

    Raises TableError for what is no path, no file, too large, or outside the folder unless
    `allow_outside`: absolute, `..` or a link that leads away.
    """
    if not isinstance(cell, str | os.PathLike):
        raise TableError(f"expected a path to a file, found {_short(cell)}")
    given, text = Path(cell), os.fspath(cell)
    try:
        here = given.is_absolute() and not allow_outside and given.exists()
        found = None if here else find(str(text), folder, anywhere=allow_outside)
        path = (found.path if found else folder / given).resolve()
        inside = allow_outside or path.is_relative_to(folder.resolve())
        size = path.stat().st_size if found else 0
        why = "" if found else hint(str(text), folder)
    except (OSError, ValueError, RuntimeError) as error:
        raise TableError(f"path {_short(str(cell))} cannot be looked up: {error}") from error
    if found is None and given.is_absolute() and not allow_outside:
        raise TableError(
            f"path {given} is absolute; write it relative to {folder} or set allow_outside"
        )
    if not inside:
        raise TableError(
            f"path {given} leads outside the table's folder {folder}; set allow_outside to read it"
        )
    if found is None:
        raise TableError(f"no file {given} in {folder}{why}")
    if size == 0:
        raise TableError(f"{path} is empty")
    if size > MAX_BYTES:
        raise TableError(f"{path} has {size >> 20} MB, more than {MAX_BYTES >> 20}")
    return Found(path, found.way)


def told(found: Found, folder: Path) -> str:
    """Where a file was found, in case its path is of another place."""
    return f"found as {shown(found.path, folder)}" if found.way == "moved" else ""


def open_image(path: Path, draft: int | None = None, *, white: float | None = None) -> Image.Image:
    """An upright 8-bit picture of mode L or RGB; transparent parts are laid on white.

    draft: decode a JPEG at the smallest of its scales that keeps this many pixels a side.
    white: value shown as white in pictures of 16 bits or floats; None takes the smallest usual bit
        depth that holds the brightest pixel, which `info["peak"]` tells (None for other pictures).
    `info["original_size"]` is (width, height) before drafting; `info["several"]` tells whether the
    file holds more pages or frames than the first, which is the one that is shown. Raises
    TableError.
    """
    kinds = ("TGA",) if path.suffix.lower() == ".tga" else KINDS
    with _explained(path, "picture"), Image.open(path, formats=kinds) as file:
        width, height = file.size
        if width * height > MAX_PIXELS:
            raise TableError(
                f"{path} has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} megapixels"
            )
        if draft is not None:
            file.draft(None, (draft, draft))
        drafted = file.size
        # Phones put a preview or a brightness map behind a JPEG: that is no second page.
        several = file.format != "MPO" and bool(getattr(file, "is_animated", False))
        picture = ImageOps.exif_transpose(file)
        turned = drafted != picture.size and drafted[::-1] == picture.size
        peak = _peak(picture)
        picture = _eight_bits(picture, usual_white(peak or 0.0) if white is None else white)
    size = (height, width) if turned else (width, height)
    picture.info = {"original_size": size, "peak": peak, "several": several}
    return picture


class Sound(NamedTuple):
    """A recording as one channel, (L,) float32, and its samples a second.

    floating: its samples are floats, which no full scale bounds: they may be pascal or counts.
    Samples of other kinds lie in [-1, 1], but for what MP3 and OGG decode a little beyond.
    note: how channels became one where that was not their average.
    """

    wave: np.ndarray
    rate_hz: int
    floating: bool
    note: str

    @property
    def peak(self) -> float:
        """The loudest sample."""
        return float(np.abs(self.wave).max(initial=0.0))


def read_audio(path: Path, seconds: float | None = None, *, averaged: bool = False) -> Sound:
    """A recording, at most its first `seconds`; `averaged` joins channels whatever it costs.

    Raises TableError, for more than ten minutes before decoding.
    """
    wave_CL, rate_hz, floating = _samples(path, seconds)
    wave, note = one_channel(wave_CL)
    if averaged:
        wave, note = wave_CL.mean(axis=0), "its channels cancel each other" if note else ""
    return Sound(wave, rate_hz, floating, note)


def one_channel(wave_CL: np.ndarray) -> tuple[np.ndarray, str]:
    """The average of channels - or the loudest of them where they cancel each other - and why.

    They do where the average keeps less than half of the power that channels without any relation
    would leave in it: for two alike but for noise, at a correlation below -0.5.
    """
    mean_L = wave_CL.mean(axis=0)
    if len(wave_CL) == 1:
        return mean_L, ""
    power_C = wave_CL.var(axis=1, dtype=np.float64)
    unrelated = power_C.sum() / len(wave_CL) ** 2
    if mean_L.var(dtype=np.float64) >= CANCELLED * unrelated:
        return mean_L, ""
    loudest = int(power_C.argmax())
    return wave_CL[
        loudest
    ], f"its channels cancel each other, so that only channel {loudest} is heard"


def read_series_file(
    path: Path, channel: str | None, limit: int, *, rate_hz: float | None = None
) -> Samples:
    """The last `limit` samples of every channel of a file.

    channel: name of a variable (.npz .mat) or column (.csv), or index of a channel counted from 0.
    rate_hz: refuse a WAV file of another rate. Two-dimensional arrays count their shorter side as
    channels. Raises TableError.
    """
    with _explained(path, "series"):
        if path.suffix.lower() == ".wav":
            wave_CL, found_hz, _ = _samples(path)
            if rate_hz is not None and abs(found_hz - rate_hz) > 0.01 * rate_hz:
                raise TableError(
                    f"{path} has {found_hz} samples a second, not rate_hz: {rate_hz:g}"
                )
            x_CL = pick_channel(wave_CL, channel, path, channels_first=True)
            found = Samples(x_CL, sure=True)
        else:
            found = read_arrays(path, channel)
        return found._replace(x_CL=np.array(found.x_CL[:, -limit:], dtype=np.float64))


def spread(cells: Sequence[Any], count: int) -> list[Any]:
    """At most `count` of them, evenly spread."""
    return [cells[i] for i in np.linspace(0, len(cells) - 1, min(count, len(cells))).astype(int)]


# --- pictures ----------------------------------------------------------------------------------


def usual_white(peak: float) -> float:
    """Smallest of 1 and the largest values of 8, 10, 12, 14 and 16 bits that is not below it."""
    return next((w for w in WHITES if w >= peak), peak)


def _peak(picture: Image.Image) -> float | None:
    """Brightest finite value of a picture of 16 bits or floats."""
    if picture.mode[0] not in "IF":
        return None
    x_HW = np.asarray(picture)
    return float(np.max(x_HW, initial=0.0, where=np.isfinite(x_HW)))


def _eight_bits(picture: Image.Image, white: float) -> Image.Image:
    """Mode L where the picture is grey, else RGB."""
    if picture.mode[0] in "IF":
        x_HW = np.nan_to_num(np.asarray(picture, dtype=np.float32), nan=0.0, posinf=white)
        return Image.fromarray((np.clip(x_HW / white, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    if picture.has_transparency_data:
        grey = picture.mode in ("L", "LA", "La", "1")
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("L" if grey else "RGB")
    return picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")


# --- sounds ------------------------------------------------------------------------------------


def _samples(path: Path, seconds: float | None = None) -> tuple[np.ndarray, int, bool]:
    """Samples (C, L) float32, their rate in hertz, and whether the file holds them as floats."""
    with _explained(path, "recording"), soundfile.SoundFile(os.fspath(path)) as file:
        rate_hz, frames, floating = file.samplerate, file.frames, file.subtype in FLOATS
        if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
            raise TableError(f"{path} claims {rate_hz} samples a second")
        if frames <= 0:
            raise TableError(f"{path} holds no samples")
        if frames > MAX_SECONDS * rate_hz:
            raise TableError(f"{path} lasts {frames / rate_hz / 60:.1f} minutes, more than 10")
        if frames * file.channels * 4 > MAX_BYTES:
            raise TableError(f"{path} has {file.channels} channels of {frames} samples, too many")
        wanted = frames if seconds is None else min(frames, max(1, round(seconds * rate_hz)))
        wave_LC = file.read(wanted, dtype="float32", always_2d=True)
    if len(wave_LC) < wanted or _cut_wav(path):
        raise TableError(f"{path} is truncated: its header promises more samples than it holds")
    if _cut_ogg(path):
        raise TableError(f"{path} is truncated: its last page is not marked as the end")
    if not np.isfinite(wave_LC).all():
        raise TableError(f"{path} holds samples that are not numbers")
    return wave_LC.T, rate_hz, floating


def _cut_wav(path: Path) -> bool:
    """Whether a WAV file is shorter than its header says; libsndfile reads on without a word."""
    with path.open("rb") as file:
        head = file.read(8)
    size = int.from_bytes(head[4:], "little")
    # Programs that write to a pipe do not know the size and put the largest number.
    streamed = size >= 0x7FFFFFFF
    return head[:4] == b"RIFF" and not streamed and size > path.stat().st_size


def _cut_ogg(path: Path) -> bool:
    """Whether the last page of an OGG file (RFC 3533) is cut off or not marked as the last."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        file.seek(max(0, size - 2 * OGG_PAGE))
        end = file.read()
    at = end.rfind(b"OggS\0")
    page = end[max(at, 0) :]
    if at < 0 or len(page) < 27:
        return True
    segments = page[27 : 27 + page[26]]
    whole = len(segments) == page[26] and len(page) >= 27 + len(segments) + sum(segments)
    return not whole or not page[5] & 4  # the flag of a stream's end


# --- errors ------------------------------------------------------------------------------------


def _short(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Quiet:
    """Hides decoders' warnings while any thread decodes.

    Adds and removes one filter instead of `catch_warnings`, which puts a whole list back and so,
    beside a thread that does the same, leaves the wrong one for ever.
    """

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.filter = ("ignore", None, Warning, re.compile(r"(PIL|numpy|modalloy\.table)\b"), 0)

    def __enter__(self) -> None:
        filters = cast(list[Any], warnings.filters)
        with self.lock:
            self.inside += 1
            if self.filter not in filters:
                filters.insert(0, self.filter)

    def __exit__(self, *_: object) -> None:
        filters = cast(list[Any], warnings.filters)
        with self.lock:
            self.inside -= 1
            if self.inside == 0 and self.filter in filters:
                filters.remove(self.filter)


_quiet = _Quiet()


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence."""
    try:
        with _quiet:
            yield
    except TableError:
        raise
    except Image.DecompressionBombError as error:
        raise TableError(f"{path} has more than {MAX_PIXELS // 10**6} megapixels") from error
    except UnidentifiedImageError as error:
        kinds = ", ".join((*KINDS, "TGA"))
        raise TableError(
            f"{path} is no picture of the kinds {kinds}; save it as PNG or JPEG"
        ) from error
    # Decoders fed with broken bytes raise anything: struct.error, KeyError, zlib.error ...
    except Exception as error:
        why = " ".join(str(error).split()).removeprefix(f"Error opening {str(path)!r}: ")
        why = why or type(error).__name__
        why = why if len(why) <= 160 else f"{why[:157]}..."
        raise TableError(f"{path} cannot be read as a {what}: {why}") from error
