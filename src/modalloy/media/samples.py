"""Channels of a sampled signal from NumPy, MATLAB, CSV and WAV files, bounded in size."""

import math
import zipfile
from pathlib import Path

import numpy as np

from modalloy.errors import TableError
from modalloy.media.blob import Blob, File, handle
from modalloy.media.channels import Samples
from modalloy.media.decode import MAX_BYTES, explained
from modalloy.media.endings import SERIES
from modalloy.media.matlab import list_arrays, load_array
from modalloy.media.sample_csv import read_csv
from modalloy.media.sound import read_wave


def read_series_file(
    path: File, channel: str | None, limit: int, *, rate_hz: float | None = None
) -> Samples:
    """The last `limit` samples of every channel of a file.

    channel: name of a variable (.npz .mat) or column (.csv), or index of a channel counted from 0.
    rate_hz: refuse a WAV file of another rate. Two-dimensional arrays count their shorter side as
    channels. Raises TableError.
    """
    with explained(path, "series"):
        if path.suffix.lower() == ".wav":
            wave_CL, found_hz, _ = read_wave(path)
            if rate_hz is not None and abs(found_hz - rate_hz) > 0.01 * rate_hz:
                raise TableError(
                    f"{path} has {found_hz} samples a second, not rate_hz: {rate_hz:g}"
                )
            x_CL = pick_channel(wave_CL, channel, path, channels_first=True)
            found = Samples(x_CL, sure=True)
        else:
            found = read_arrays(path, channel)
        return found._replace(x_CL=np.array(found.x_CL[:, -limit:], dtype=np.float64))


def read_arrays(path: File, channel: str | None) -> Samples:
    """Channels of a .npy .npz .mat or .csv file; one of them where `channel` says which.

    TableError for what we refuse; a broken file raises whatever its library does.
    """
    match path.suffix.lower():
        case ".npy":
            return Samples(_npy(path, channel))
        case ".npz":
            return _npz(path, channel)
        case ".mat":
            return _mat(path, channel)
        case ".csv":
            found = read_csv(path, channel)
            return found._replace(x_CL=pick_channel(found.x_CL, None, path, channels_first=True))
        case other:
            raise TableError(f"{path} ends in {other or 'nothing'}, not in {' '.join(SERIES)}")


def pick_channel(
    x: np.ndarray, channel: str | None, path: File, *, channels_first: bool = False
) -> np.ndarray:
    """An array with its channels first, (C, L), or one of them by its index.

    Its shorter side holds the channels, unless `channels_first` is known.
    """
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


def _npy(path: File, channel: str | None) -> np.ndarray:
    return pick_channel(_loaded(path), channel, path)


def _loaded(path: File) -> np.ndarray:
    if isinstance(path, Blob):
        return np.load(handle(path), allow_pickle=False)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _npz(path: File, channel: str | None) -> Samples:
    with zipfile.ZipFile(handle(path)) as archive:
        sizes = {m.filename.removesuffix(".npy"): m.file_size for m in archive.infolist()}
    name, index = _variable(list(sizes), channel, path)
    if sizes[name] > MAX_BYTES:
        raise TableError(f"{path}: {name} has {sizes[name] >> 20} MB, more than {MAX_BYTES >> 20}")
    with np.load(handle(path), allow_pickle=False) as arrays:
        return _named(pick_channel(arrays[name], index, path), name, channel)


def _mat(path: File, channel: str | None) -> Samples:
    shapes = list_arrays(path)
    name, index = _variable(list(shapes), channel, path)
    if math.prod(shapes[name]) * 8 > MAX_BYTES:
        raise TableError(f"{path}: {name} has more than {MAX_BYTES >> 23} million numbers")
    return _named(pick_channel(load_array(path, name, MAX_BYTES), index, path), name, channel)


def _named(x_CL: np.ndarray, name: str, channel: str | None) -> Samples:
    """A single channel goes by the name of its array, unless the cell says which is meant."""
    return Samples(x_CL, (name,) if len(x_CL) == 1 and channel is None else None)


def _variable(names: list[str], channel: str | None, path: File) -> tuple[str, str | None]:
    """The array that is meant, and the index of its channel where `channel` was one."""
    if channel in names:
        return str(channel), None
    if len(names) == 1 and (channel is None or channel.isdecimal()):
        return names[0], channel
    found = ", ".join(names[:12]) or "none"
    wish = f"no array {channel}" if channel else f"{len(names)} arrays"
    named = isinstance(path, Path)
    advice = f"write {path.name}#name with one of" if named else "give bytes that hold one of"
    raise TableError(f"{path} has {wish}; {advice}: {found}")


def split_channel(cell: str) -> tuple[str, str | None]:
    """The path of a cell, and the channel that follows its `#`, if one does."""
    path, mark, channel = cell.rpartition("#")
    named = mark and path.lower().endswith(SERIES)
    return (path, channel.strip() or None) if named else (cell, None)
