"""A file of samples in, its channels out: NumPy, MATLAB and CSV files, bounded in size."""

import math
import zipfile
from pathlib import Path

import numpy as np

from modalloy.errors import TableError
from modalloy.table.endings import SERIES
from modalloy.table.matlab import list_arrays, load_array

MAX_BYTES = 1 << 29


def read_arrays(path: Path, channel: str | None) -> np.ndarray:
    """Channels (C, L) of a .npy .npz .mat or .csv file; one of them where `channel` says which.

    TableError for what we refuse; a broken file raises whatever its library does.
    """
    match path.suffix.lower():
        case ".npy":
            return _npy(path, channel)
        case ".npz":
            return _npz(path, channel)
        case ".mat":
            return _mat(path, channel)
        case ".csv":
            return _csv(path, channel)
        case other:
            raise TableError(f"{path} ends in {other or 'nothing'}, not in {' '.join(SERIES)}")


def pick_channel(
    x: np.ndarray, channel: str | None, path: Path, *, channels_first: bool = False
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


def _npy(path: Path, channel: str | None) -> np.ndarray:
    return pick_channel(np.load(path, mmap_mode="r", allow_pickle=False), channel, path)


def _npz(path: Path, channel: str | None) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        sizes = {m.filename.removesuffix(".npy"): m.file_size for m in archive.infolist()}
    name, index = _variable(list(sizes), channel, path)
    if sizes[name] > MAX_BYTES:
        raise TableError(f"{path}: {name} has {sizes[name] >> 20} MB, more than {MAX_BYTES >> 20}")
    with np.load(path, allow_pickle=False) as arrays:
        return pick_channel(arrays[name], index, path)


def _mat(path: Path, channel: str | None) -> np.ndarray:
    shapes = list_arrays(path)
    name, index = _variable(list(shapes), channel, path)
    if math.prod(shapes[name]) * 8 > MAX_BYTES:
        raise TableError(f"{path}: {name} has more than {MAX_BYTES >> 23} million numbers")
    return pick_channel(load_array(path, name, MAX_BYTES), index, path)


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
    x_CL = np.asarray(frame, dtype=np.float64).T
    return pick_channel(x_CL, None, path, channels_first=True)


def _variable(names: list[str], channel: str | None, path: Path) -> tuple[str, str | None]:
    """The array that is meant, and the index of its channel where `channel` was one."""
    if channel in names:
        return str(channel), None
    if len(names) == 1 and (channel is None or channel.isdecimal()):
        return names[0], channel
    found = ", ".join(names[:12]) or "none"
    wish = f"no array {channel}" if channel else f"{len(names)} arrays"
    raise TableError(f"{path} has {wish}; write {path.name}#name with one of: {found}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
