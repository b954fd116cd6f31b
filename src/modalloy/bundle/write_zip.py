"""Writes the zip file of a bundle: stored, with fixed dates and in the given order."""

import os
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from modalloy.bundle.content import Part, content, held, refuse_change, sync_folder
from modalloy.bundle.zip_form import CENTRAL, END, LOCAL, SIGNS
from modalloy.errors import BundleError

VERSION = 20  # of the form, which any unzipper reads
UNIX = 3 << 8
DATE = (0, 1 << 5 | 1)  # midnight of the first of January 1980, the earliest that the form knows
MODE = (stat.S_IFREG | 0o644) << 16
MOST = (1 << 32) - 2  # bytes of the whole file, as numbers of 32 bits say them


def write_zip(path: Path, members: Mapping[str, Part], sha256: Mapping[str, str]) -> None:
    """Write members into a zip file that takes its place when it is whole.

    sha256: of those that are listed; BundleError for one that has changed meanwhile, and where the
    form of the file cannot hold so much.
    """
    with held(path.with_name(path.name + ".lock")):
        for left in path.parent.glob(f"{_literal(path.name)}.[0-9]*.part"):
            left.unlink(missing_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with open(temporary, "wb") as file:
                _write(file, path, members, sha256)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except (OSError, BundleError):
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _write(
    file: BinaryIO, path: Path, members: Mapping[str, Part], sha256: Mapping[str, str]
) -> None:
    directory, at = bytearray(), 0
    for name, part in members.items():
        data = content(part)
        refuse_change(name, data, sha256)
        told = name.encode()
        if at + len(data) + len(directory) + 4 * (len(told) + CENTRAL.size) > MOST:
            raise BundleError(
                f"{path}: would be larger than a zip file can be (4 GiB); write a folder."
            )
        sums = (zlib.crc32(data), len(data), len(data))
        file.write(LOCAL.pack(SIGNS[0], VERSION, 0, 0, *DATE, *sums, len(told), 0) + told)
        file.write(data)
        directory += CENTRAL.pack(
            SIGNS[1], UNIX | VERSION, VERSION, 0, 0, *DATE, *sums, len(told), 0, 0, 0, 0, MODE, at
        )
        directory += told
        at += LOCAL.size + len(told) + len(data)
    count = len(members)
    file.write(directory + END.pack(SIGNS[2], 0, 0, count, count, len(directory), at, 0))


def _literal(name: str) -> str:
    """A file name as a pattern that means itself."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)
