"""A cell that names a file in; a picture, a sound, samples or one clear sentence out."""

import os
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image, ImageOps

from modalloy.errors import TableError

PICTURES = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
SERIES = (".npy", ".npz", ".mat", ".csv", ".wav")
MAX_PIXELS = 40_000_000
MAX_SECONDS = 600.0
MAX_BYTES = 1 << 29
RATES_HZ = (10, 10_000_000)
WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)


def resolve(cell: Any, folder: Path, allow_outside: bool) -> Path:
    """The file that a cell names, relative to the table's folder.

    Raises TableError for what is no path, no file, too large, or outside the folder unless
    `allow_outside`: absolute, `..` or a link that leads away.
    """
    if not isinstance(cell, str | os.PathLike):
        raise TableError(f"expected a path to a file, found {_short(cell)}")
    given = Path(cell)
    if given.is_absolute() and not allow_outside:
        raise TableError(
            f"path {given} is absolute; write it relative to {folder} or set allow_outside"
        )
    try:
        path = (folder / given).resolve()
        inside = allow_outside or path.is_relative_to(folder.resolve())
        file, size = path.is_file(), path.stat().st_size if path.is_file() else 0
    except (OSError, ValueError, RuntimeError) as error:
        raise TableError(f"path {_short(str(cell))} cannot be looked up: {error}") from error
    if not inside:
        raise TableError(
            f"path {given} leads outside the table's folder {folder}; set allow_outside to read it"
        )
    if not file:
        raise TableError(f"no file {given} in {folder}")
    if size == 0:
        raise TableError(f"{path} is empty")
    if size > MAX_BYTES:
        raise TableError(f"{path} has {size >> 20} MB, more than {MAX_BYTES >> 20}")
    return path


def open_image(path: Path, draft: int | None = None, *, white: float | None = None) -> Image.Image:
    """An upright 8-bit picture of mode L or RGB; transparent parts are laid on white.

    draft: decode a JPEG at the smallest of its scales that keeps this many pixels a side.
    white: value shown as white in pictures of 16 bits or floats; None takes the smallest usual bit
        depth that holds the brightest pixel, which `info["peak"]` tells.
    `info["original_size"]` is (width, height) before drafting. Raises TableError.
    """
    with _explained(path, "picture"), Image.open(path, formats=PICTURES) as file:
        width, height = file.size
        if width * height > MAX_PIXELS:
            raise TableError(
                f"{path} has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} megapixels"
            )
        if draft is not None:
            file.draft(None, (draft, draft))
        drafted = file.size
        picture = ImageOps.exif_transpose(file)
        turned = drafted != picture.size and drafted[::-1] == picture.size
        peak = _peak(picture)
        picture = _eight_bits(picture, white if white is not None else _usual_white(peak))
    size = (height, width) if turned else (width, height)
    picture.info = {"original_size": size, "peak": peak}
    return picture


def read_audio(path: Path, seconds: float | None = None) -> tuple[np.ndarray, int]:
    """Mono samples (L,) float32 in [-1, 1] and their rate in hertz; at most the first `seconds`.

    Raises TableError, for more than ten minutes before decoding.
    """
    wave_CL, rate_hz = _samples(path, seconds)
    return np.clip(wave_CL.mean(axis=0), -1.0, 1.0), rate_hz


def read_series_file(path: Path, channel: str | None, limit: int) -> np.ndarray:
    """The last `limit` samples of every channel, (C, L) float64; NaN where a sample is missing.

    channel: name of a variable (.npz .mat) or column (.csv), or index of a channel counted from 0.
    Two-dimensional arrays count their shorter side as channels. Raises TableError.
    """
    match path.suffix.lower():
        case ".npy":
            read: Callable[[Path, str | None], np.ndarray] = _npy
        case ".npz":
            read = _npz
        case ".mat":
            read = _mat
        case ".csv":
            read = _csv
        case ".wav":
            read = _wav
        case other:
            raise TableError(f"{path} ends in {other or 'nothing'}, not in {' '.join(SERIES)}")
    with _explained(path, "series"):
        x_CL = read(path, channel)
        return np.array(x_CL[:, -limit:], dtype=np.float64)


# --- pictures ----------------------------------------------------------------------------------


def _peak(picture: Image.Image) -> float:
    """Brightest finite value."""
    if picture.mode[0] not in "IF":
        return 255.0
    x_HW = np.asarray(picture)
    return float(np.max(x_HW, initial=0.0, where=np.isfinite(x_HW)))


def _usual_white(peak: float) -> float:
    return next((w for w in WHITES if w >= peak), peak)


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


def _samples(path: Path, seconds: float | None = None) -> tuple[np.ndarray, int]:
    """Samples (C, L) float32 and rate in hertz."""
    with _explained(path, "recording"), soundfile.SoundFile(os.fspath(path)) as file:
        rate_hz, frames = file.samplerate, file.frames
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
    if not np.isfinite(wave_LC).all():
        raise TableError(f"{path} holds samples that are not numbers")
    return wave_LC.T, rate_hz


def _cut_wav(path: Path) -> bool:
    """Whether a WAV file is shorter than its header says; libsndfile reads on without a word."""
    with path.open("rb") as file:
        head = file.read(8)
    size = int.from_bytes(head[4:], "little")
    # Programs that write to a pipe do not know the size and put the largest number.
    streamed = size >= 0x7FFFFFFF
    return head[:4] == b"RIFF" and not streamed and size > path.stat().st_size


# --- series ------------------------------------------------------------------------------------


def _npy(path: Path, channel: str | None) -> np.ndarray:
    return _pick(np.load(path, mmap_mode="r", allow_pickle=False), channel, path)


def _npz(path: Path, channel: str | None) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        sizes = {m.filename.removesuffix(".npy"): m.file_size for m in archive.infolist()}
    name, index = _variable(list(sizes), channel, path)
    if sizes[name] > MAX_BYTES:
        raise TableError(f"{path}: {name} has {sizes[name] >> 20} MB, more than {MAX_BYTES >> 20}")
    with np.load(path, allow_pickle=False) as arrays:
        return _pick(arrays[name], index, path)


def _mat(path: Path, channel: str | None) -> np.ndarray:
    import scipy.io  # a quarter of a second that most tables never need

    numeric = {
        name: int(np.prod(shape, dtype=np.float64)) * 8
        for name, shape, kind in scipy.io.whosmat(path)
        if kind in ("double", "single", "logical") or "int" in kind
    }
    name, index = _variable(list(numeric), channel, path)
    if numeric[name] > MAX_BYTES:
        raise TableError(f"{path}: {name} has more than {MAX_BYTES >> 23} million numbers")
    return _pick(scipy.io.loadmat(path, variable_names=[name])[name], index, path)


def _csv(path: Path, channel: str | None) -> np.ndarray:
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        first = file.readline()
    mark = max(",;\t", key=first.count)
    header = None if all(_is_number(f) for f in first.strip().split(mark)) else 0
    frame = pd.read_csv(path, sep=mark, header=header, encoding="utf-8-sig", low_memory=False)
    if channel is not None and channel not in map(str, frame.columns):
        if not channel.isdecimal() or int(channel) >= frame.shape[1]:
            names = ", ".join(map(str, frame.columns[:12]))
            raise TableError(f"{path} has no column {channel}; it has {names}")
        frame = frame.iloc[:, [int(channel)]]
    elif channel is not None:
        frame = frame.loc[:, [str(c) == channel for c in frame.columns]]
    texts = [str(c) for c in frame.columns if frame[c].dtype.kind not in "biuf"]
    if texts:
        raise TableError(
            f"{path}: column {texts[0]} holds more than numbers; name one by {path.name}#column"
        )
    return _pick(frame.to_numpy(dtype=np.float64).T, None, path, channels_first=True)


def _wav(path: Path, channel: str | None) -> np.ndarray:
    return _pick(_samples(path)[0], channel, path, channels_first=True)


def _variable(names: list[str], channel: str | None, path: Path) -> tuple[str, str | None]:
    """The array that is meant, and the index of its channel where `channel` was one."""
    if channel in names:
        return str(channel), None
    if len(names) == 1 and (channel is None or channel.isdecimal()):
        return names[0], channel
    found = ", ".join(names[:12]) or "none"
    wish = f"no array {channel}" if channel else f"{len(names)} arrays"
    raise TableError(f"{path} has {wish}; write {path.name}#name with one of: {found}")


def _pick(
    x: np.ndarray, channel: str | None, path: Path, *, channels_first: bool = False
) -> np.ndarray:
    """Channels first, (C, L), one of them where asked."""
    if x.dtype.kind not in "biuf" or x.ndim > 2 or x.size == 0 or x.size * 8 > MAX_BYTES:
        raise TableError(
            f"{path} holds an array of shape {x.shape} and type {x.dtype}; a series is one or two "
            f"dimensions of at most {MAX_BYTES >> 23} million numbers"
        )
    x_CL = np.atleast_2d(x)
    if not channels_first and x_CL.shape[0] > x_CL.shape[1]:
        x_CL = x_CL.T
    if channel is None:
        return x_CL
    if not channel.isdecimal() or int(channel) >= len(x_CL):
        raise TableError(f"{path} has no channel {channel}; it has {len(x_CL)}, counted from 0")
    return x_CL[[int(channel)]]


# --- errors ------------------------------------------------------------------------------------


def _short(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Quiet:
    """Hides decoders' warnings while any thread decodes: `catch_warnings` is not thread-safe."""

    def __init__(self) -> None:
        self.lock, self.inside, self.scope = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.scope = warnings.catch_warnings()
                self.scope.__enter__()
                warnings.filterwarnings("ignore", module=r"(PIL|scipy\.io|numpy|modalloy\.table)\b")
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.scope.__exit__(None, None, None)


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
    # Decoders fed with broken bytes raise anything: struct.error, KeyError, zlib.error ...
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        why = why if len(why) <= 160 else f"{why[:157]}..."
        raise TableError(f"{path} cannot be read as a {what}: {why}") from error
