"""The verb that fills a folder with wheels, with their sums and the line that installs them."""

import json
import platform
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from modalloy.errors import RunError
from modalloy.machine.files import whole_folder, write_safely
from modalloy.machine.installed import OWN
from modalloy.machine.limits import disk_free_bytes
from modalloy.machine.sums import Differing, differing, sums_of
from modalloy.offline.wanted import Wanted, wanted
from modalloy.offline.wheels import fetch, refuse_lacking, source_of

PACKAGE = OWN
SUMS, ABOUT, SCRIPT = "SHA256SUMS", "wheelhouse.json", "install.sh"
FORM = 1
INSTALL = """#!/bin/sh
# Installs {asked} from this folder alone: no network is asked.
set -e
here=$(cd "$(dirname "$0")" && pwd)
(cd "$here" && sha256sum --check --quiet {sums})
exec "${{PYTHON:-python3}}" -m pip install --no-index --find-links "$here" '{asked}' "$@"
"""


class Wheelhouse(NamedTuple):
    """What was written, or with `dry` would be. path: None where nothing was."""

    path: Path | None
    wanted: Wanted
    made_for: str

    def text(self) -> str:
        """Packages, machine, and how to install."""
        lines = [self.wanted.text(), f"For {self.made_for}."]
        if self.path is not None:
            script = f"sh {quote(self.path.name)}/{SCRIPT}"
            lines += [
                f"Copy {self.path} to the other machine; there: {script}",
                f"or: {line_of(self.wanted, self.path.name)}",
            ]
        return "\n".join(lines)


class Checked(NamedTuple):
    """Whether a wheelhouse holds what was written. fits: whether it is for this Python and system,
    in words."""

    files: int
    differing: Differing
    fits: str
    ok: bool

    def text(self) -> str:
        """For a terminal."""
        head = f"{self.files} files are as they were written."
        if self.differing.any:
            head = "Files are not as they were written:"
        return "\n".join([head, *(f"  {one}" for one in self.differing.lines()), self.fits])


def wheelhouse(
    out: str | Path,
    *,
    extras: Sequence[str] = (),
    source: str | Path | None = None,
    dry: bool = False,
) -> Wheelhouse:
    """Write the wheels of this installation into a folder that installs without a network.

    They are for this Python and this system, each in the version that is installed here, fetched by
    pip from the index that it is set to; the product's own is built from its source. out: a folder
    that is not there yet, or empty. extras: of the product. source: its clone or its wheel, where
    it was not installed from a folder. dry: only say what would be fetched.

    Raises JobError for an extra that there is not, what is not installed here, and no pip; RunError
    where the folder holds files, the disk has too little room, or pip fails.
    """
    found = wanted([extras] if isinstance(extras, str) else list(extras), package=PACKAGE)
    if dry:
        return Wheelhouse(None, found, in_words(here()))
    place = Path(out)
    own = source_of(PACKAGE, None if source is None else Path(source))
    refuse_full(place, found)
    with whole_folder(place) as part:
        fetch([own], part)
        refuse_lacking(part, [found.own])
        if found.others:
            fetch([str(pin) for pin in found.others], part)
        refuse_lacking(part, [found.own, *found.others])
        write_beside(part, found)
    return Wheelhouse(place, found, in_words(here()))


def refuse_full(place: Path, found: Wanted) -> None:
    """RunError where the disk has less room than the packages take when they are installed."""
    above = next(p for p in (place.absolute(), *place.absolute().parents) if p.is_dir())
    free = disk_free_bytes(above)
    if free < found.bytes:
        raise RunError(
            f"{place}: {free / 1e6:,.0f} MB are free there, and {len(found.others) + 1} packages "
            f"take up to {found.bytes / 1e6:,.0f} MB; free some, or give another folder."
        )


def write_beside(part: Path, found: Wanted) -> None:
    """What stands beside the wheels: for whom they are, how they install, and their sums."""
    pins = {pin.name: pin.version for pin in (found.own, *found.others)}
    told = {"form": FORM, "asked": found.asked(), **here(), "packages": pins}
    write_safely(part / ABOUT, json.dumps(told, indent=1).encode())
    script = INSTALL.format(asked=found.asked(), sums=SUMS)
    write_safely(part / SCRIPT, script.encode())
    (part / SCRIPT).chmod(0o755)
    lines = [f"{digest}  {name}\n" for name, digest in sums_of(part).items()]
    write_safely(part / SUMS, "".join(lines).encode())


def verify_wheelhouse(folder: str | Path) -> Checked:
    """Whether every file of a wheelhouse is as it was written, and whether it is for this machine.

    Sums show that files were changed by accident on their way; whoever changes one on purpose can
    write the sums anew. RunError where the folder holds no sums, or none that can be read.
    """
    place = Path(folder)
    try:
        lines = (place / SUMS).read_text(encoding="utf-8").splitlines()
        told = json.loads((place / ABOUT).read_bytes())
        listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        made_for = in_words(told)
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
        raise RunError(f"{place}: is no wheelhouse ({why}).") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{place}: {SUMS} or {ABOUT} is not what was written there.") from error
    found, own = differing(place, listed, but=(SUMS,)), in_words(here())
    fits = f"It is for {made_for}" + (", as here." if own == made_for else f"; here is {own}.")
    return Checked(len(listed), found, fits, not found.any)


def here() -> dict[str, Any]:
    """The Python and the system that wheels are for."""
    return {
        "python": f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}",
        "platform": sysconfig.get_platform(),
        "libc": " ".join(platform.libc_ver()).strip(),
    }


def in_words(told: dict[str, Any]) -> str:
    """`cpython 3.11 on linux-x86_64 (glibc 2.36)`."""
    libc = f" ({told['libc']} or newer)" if told["libc"] else ""
    return f"{told['python']} on {told['platform']}{libc}"


def line_of(found: Wanted, folder: str) -> str:
    """The line that installs from a folder."""
    return f"pip install --no-index --find-links {quote(folder)} {quote(found.asked())}"
