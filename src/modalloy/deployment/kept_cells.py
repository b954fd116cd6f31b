"""Cells of rows as JSON and back; the bytes of media files lie beside, named by their content."""

import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from modalloy.errors import RunError, TableError
from modalloy.machine.files import write_safely
from modalloy.media.blob import is_bytes

MEDIA = "media"
SIGNS = (  # first bytes of a file -> its ending
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"fLaC", ".flac"),
    (b"OggS", ".ogg"),
    (b"ID3", ".mp3"),
    (b"\x93NUMPY", ".npy"),
    (b"PK\x03\x04", ".npz"),
    (b"MATLAB", ".mat"),
)


class MediaFolder:
    """Files by the SHA-256 of their content. fresh: those that no row is known to hold yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fresh: list[Path] = []

    def keep(self, data: bytes, ending: str = "") -> str:
        """The name of a file with this content, written where it is not there yet."""
        name = hashlib.sha256(data).hexdigest() + (ending or ending_of(data))
        place = self.folder / name
        if not place.is_file() or place.stat().st_size != len(data):
            try:
                self.folder.mkdir(exist_ok=True)
            except OSError as error:
                raise RunError(f"{self.folder}: cannot be made ({error.strerror}).") from error
            self.fresh.append(place)
            write_safely(place, data)
        return name

    def forget_fresh(self) -> None:
        """Remove files whose rows were not kept after all; nobody else may write meanwhile."""
        for place in self.fresh:
            place.unlink(missing_ok=True)
        self.fresh.clear()


def ending_of(data: bytes) -> str:
    """The ending of a file's name, by its first bytes."""
    if data[:4] == b"RIFF":
        return ".webp" if data[8:12] == b"WEBP" else ".wav"
    found = next((ending for sign, ending in SIGNS if data.startswith(sign)), None)
    return found or (".bin" if b"\0" in data[:4096] else ".csv")


def to_json(cell: Any, keep: Callable[[bytes, str], str]) -> Any:
    """A cell as JSON. keep: stores a file's bytes with its ending, and names it.

    Raises TableError for a cell that is nothing a table holds.
    """
    if cell is None or isinstance(cell, bool | str | int):
        return cell
    if isinstance(cell, float):
        return None if math.isnan(cell) else cell if math.isfinite(cell) else {"number": str(cell)}
    if is_bytes(cell):
        return {"file": keep(bytes(cell), "")}
    if isinstance(cell, Path):
        return {"file": keep(read_file(cell), cell.suffix.lower())}
    if isinstance(cell, date):  # a moment is a day, too; one without a value is no moment
        return None if cell != cell else {"time": cell.isoformat()}
    if isinstance(cell, Mapping):
        return {"fields": {str(k): to_json(v, keep) for k, v in cell.items()}}
    if hasattr(cell, "tolist"):  # numpy arrays and scalars
        return to_json(cell.tolist(), keep)
    if isinstance(cell, list | tuple | set | frozenset):
        return [to_json(part, keep) for part in cell]
    if type(cell).__name__ in ("NAType", "NaTType"):
        return None
    raise TableError(f"a cell holds {type(cell).__name__}, which no table does.")


def from_json(kept: Any) -> Any:
    """The cell that `to_json` kept; a file as its path from the log's folder."""
    if isinstance(kept, list):
        return [from_json(part) for part in kept]
    if not isinstance(kept, dict):
        return kept
    if "file" in kept:
        return f"{MEDIA}/{kept['file']}"
    if "number" in kept:
        return float(kept["number"])
    if "time" in kept:
        return datetime.fromisoformat(kept["time"])
    return {name: from_json(part) for name, part in kept["fields"].items()}


def read_file(path: Path) -> bytes:
    """The bytes of a media file that a row names."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror}).") from error
