"""Wheels of packages into a folder, by pip, and whether they are all there."""

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse

from modalloy.errors import JobError, RunError
from modalloy.offline.wanted import Pin

SAID = 3  # lines of what pip says that are told
QUIET = ("--disable-pip-version-check", "--no-input", "--quiet")


def fetch(asked: Sequence[str], folder: Path) -> None:
    """Let pip write a wheel of each into a folder, from the index that it is set to.

    asked: requirements with a version, or paths of sources and wheels. What these need is not
    fetched: every package is named by whoever asks. JobError where there is no pip; RunError with
    what pip says where it fails.
    """
    if find_spec("pip") is None:
        raise JobError("wheelhouse needs pip in this environment; run: python -m ensurepip")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", *QUIET]
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), "--", *asked],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line.upper()]
        told = " ".join((lines or done.stderr.splitlines())[-SAID:])
        raise RunError(f"wheelhouse: pip could not make the wheels: {told or 'it says nothing'}")


def source_of(package: str, given: Path | None) -> str:
    """Where the product's own wheel is made from: what is given, else the folder that it was
    installed from.

    An index is never asked for it: whoever took its name there would be installed. JobError where
    nothing tells where it came from, and for a path that is not there.
    """
    if given is not None:
        if not given.exists():
            raise JobError(f"--source: there is no {given}; give a clone's folder, or a wheel.")
        return str(given.resolve())
    written = distribution(package).read_text("direct_url.json")
    address = urlparse(json.loads(written)["url"]) if written else None
    place = Path(unquote(address.path)) if address and address.scheme == "file" else None
    if place is None or not place.exists():
        where = f" ({place} is gone)" if place is not None else ""
        raise JobError(
            f"wheelhouse: nothing tells which folder {package} was installed from{where}; give its "
            "clone, or its wheel, with --source."
        )
    return str(place)


def refuse_lacking(folder: Path, pins: Sequence[Pin]) -> None:
    """RunError unless the folder holds one wheel of every package, in its version."""
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import Version

    have = set()
    for path in folder.glob("*.whl"):
        try:
            name, version, *_ = parse_wheel_filename(path.name)
        except InvalidWheelFilename as error:
            raise RunError(f"{path.name}: is no name of a wheel.") from error
        have.add((name, version))
    lacking = [p for p in pins if (canonicalize_name(p.name), Version(p.version)) not in have]
    if lacking:
        raise RunError(f"wheelhouse: pip wrote no wheel of {', '.join(map(str, lacking))}.")
