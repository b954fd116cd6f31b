"""Finding the file that a path means, however people and other machines wrote it."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote

from modalloy.errors import TableError

BLANKS = " \t\r\n\v\f\u00a0\u202f\u200b\u200e\u200f\ufeff"  # also those that nobody sees
QUOTES = "\"'"
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
DRIVE = re.compile(r"^[A-Za-z]:(?=/|$)")
Way = Literal["written", "spelled", "moved"]
Key = Callable[[str], str]


class Found(NamedTuple):
    """A file, and how it was found.

    way: `written` where the path is as it stands in the cell; `spelled` where only blanks, slashes,
    quotation marks, `%20`, letter case or the spelling of umlauts differ; `moved` where the path
    begins in another place (`C:\\project\\img\\1.png`) and its end is in the folder.
    """

    path: Path
    way: Way


def find(text: str, folder: Path, *, anywhere: bool = False) -> Found | None:
    """The file that a text means, None without one.

    Whoever fits best is taken, and only alone: first the path as it is written, then without the
    marks around it, then with umlauts composed, then in any letter case; at last its end, where its
    beginning is of another machine or repeats the folder's own name. `anywhere` looks up absolute
    paths as well. Raises TableError where two files fit equally well, OSError for paths that the
    system refuses.
    """
    if text and (folder / text).is_file() and (anywhere or not Path(text).is_absolute()):
        return Found(folder / text, "written")
    places = [_parts(spelling) for spelling in _spellings(text)]
    if anywhere:
        absolute = [parts for away, parts in places if away]
        if hit := _nearest(text, Path("/"), absolute):
            return Found(hit, "spelled")
    if hit := _nearest(text, folder, [parts for away, parts in places if not away]):
        return Found(hit, "spelled")
    own = [_folded(name) for name in folder.resolve().parts]
    ends = {k: parts for away, parts in places for k in _starts(away, parts, own)}
    for start in sorted(ends):
        if hit := _nearest(text, folder, [ends[start][start:]]):
            return Found(hit, "moved")
    return None


def hint(text: str, folder: Path) -> str:
    """What may fix a path that means no file, as the end of a sentence; nothing if unknown."""
    if ADDRESS.match(text.strip(BLANKS)):
        return "; it is an address: download the file into the folder and write its path"
    places = [_parts(spelling) for spelling in _spellings(text)]
    if any(away for away, _ in places):
        return "; it begins on another machine: write it relative to the table's folder"
    for _, parts in places:
        folders = [folder]
        for depth, part in enumerate(parts[:-1]):
            folders = [d for d in _step(folders, part, _folded) if d.is_dir()]
            if not folders:
                return f"; there is no folder {'/'.join(parts[: depth + 1])}"
        like = [n for d in folders for n in _stems(str(d), _changed(d)).get(_stem(parts), ())]
        if like:
            return f"; there is {' and '.join(sorted(like)[:3])}"
    return ""


def shown(path: Path, folder: Path) -> str:
    """A file's path from the table's folder on, where it lies in it."""
    inside = path.is_relative_to(folder.resolve())
    return (path.relative_to(folder.resolve()) if inside else path).as_posix()


# --- spellings ---------------------------------------------------------------------------------


def _spellings(text: str) -> list[str]:
    """The ways to read a text as a path with slashes, the plainest first."""
    bare = text.strip(BLANKS).strip(QUOTES).strip(BLANKS)
    if bare[:5].lower() == "file:":
        bare = re.sub(r"^/*(?=/[A-Za-z]:)/|^///", "/", bare[5:]).replace("//localhost/", "/")
        bare = bare[1:] if DRIVE.match(bare[1:]) else bare
    found = [bare, unquote(bare)]
    found += [s.replace("\\", "/") for s in found]
    return list(dict.fromkeys(found))


def _parts(path: str) -> tuple[bool, list[str]]:
    """Whether a path is absolute, in any system's way, and its parts; none of those that climb."""
    bare = DRIVE.sub("", path)
    parts = [p for p in bare.split("/") if p not in ("", ".")]
    return bare != path or bare.startswith("/"), [] if ".." in parts else parts


def _starts(away: bool, parts: list[str], own: list[str]) -> Iterator[int]:
    """How many parts at the beginning of a path may be those of another place.

    A file's name alone says too little, unless the folder before it is called as the table's.
    """
    for count in range(1, len(parts)):
        head = [_folded(p) for p in parts[:count]]
        if head == own[-count:] or (away and (count < len(parts) - 1 or head[-1:] == own[-1:])):
            yield count


# --- files that are nearly called so -----------------------------------------------------------


def _nearest(text: str, folder: Path, places: list[list[str]]) -> Path | None:
    """The one file at the best of these places; TableError where there are two."""
    for key in (None, _composed, _folded):
        hits = {hit for parts in places if parts for hit in _at(folder, parts, key)}
        if len(hits) > 1:
            names = " and ".join(str(h.relative_to(folder)) for h in sorted(hits)[:3])
            raise TableError(f"{text!r:.80} fits {names} in {folder} alike: write one of them")
        if hits:
            return hits.pop()
    return None


def _at(folder: Path, parts: list[str], key: Key | None) -> list[Path]:
    """Files at a place below a folder; `key` makes names alike that count as one."""
    if key is None:
        path = folder.joinpath(*parts)
        return [path] if path.is_file() else []
    found = [folder]
    for part in parts:
        found = _step(found, part, key)
    return [path for path in found if path.is_file()]


def _step(folders: list[Path], part: str, key: Key) -> list[Path]:
    found = []
    for folder in folders:
        names = _names(str(folder), _changed(folder), key)
        found += [folder / name for name in names.get(key(part), ())]
    return found


@lru_cache(maxsize=512)
def _names(folder: str, changed_ns: int, key: Key) -> Mapping[str, list[str]]:
    """The names in a folder, by their key; read anew when the folder has changed."""
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)) if changed_ns >= 0 else []:
        found.setdefault(key(name), []).append(name)
    return found


@lru_cache(maxsize=64)
def _stems(folder: str, changed_ns: int) -> Mapping[str, list[str]]:
    """The names in a folder, by their key without the ending."""
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)) if changed_ns >= 0 else []:
        found.setdefault(_stem([name]), []).append(name)
    return found


def _changed(folder: Path) -> int:
    """When a folder's names changed last, -1 where there is no folder that may be listed."""
    listed = folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
    return folder.stat().st_mtime_ns if listed else -1


def _stem(parts: list[str]) -> str:
    name = _folded(parts[-1]) if parts else ""
    return os.path.splitext(name)[0]


def _composed(name: str) -> str:
    """An umlaut as one letter; macOS writes two."""
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    """A name without its capitals, its kinds of blanks and what an address hides as `%20`."""
    plain = unicodedata.normalize("NFKC", unquote(name)).casefold()
    return " ".join(unicodedata.normalize("NFC", plain).strip(BLANKS).split())
