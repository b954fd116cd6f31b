"""A model server's folder and the bundle beside it: both are new afterwards, or both as before."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from modalloy.deploy.beside import beside
from modalloy.deploy.model_server import TOLD, Server, write_server
from modalloy.errors import BundleError
from modalloy.graphs.branch import Branch
from modalloy.machine.files import locked

# What `write_server` writes.
OURS = re.compile(
    r"graphs\.json|config\.json|graph_\d+(/config\.pbtxt|/1(/model\.(onnx|xml|bin))?)?"
)


def folder_beside(out: Path, server: Server) -> Path:
    """Where the folder of a server lies: beside the bundle whose graphs it serves."""
    return beside(out, f"-{server}")


def refuse_folder(folder: Path) -> None:
    """BundleError where something lies at a folder that no export has written."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not (folder / TOLD).is_file():
        raise BundleError(
            f"{folder}: is there already; remove it, or give the bundle another name."
        )
    for found in sorted(folder.rglob("*")):
        name = found.relative_to(folder).as_posix()
        if found.is_symlink() or not OURS.fullmatch(name):
            raise BundleError(
                f"{folder}: is not overwritten, because '{name}' in it is not of an export; move "
                "it elsewhere, or give the bundle another name."
            )


@contextmanager
def server_beside(
    folder: Path, server: Server, branches: Mapping[str, Branch], files: Mapping[str, bytes]
) -> Iterator[None]:
    """The folder in place of an older one, while the bundle is written within.

    Where that fails, the older folder is there again, or none. files: of the branches. BundleError
    where it cannot be written.
    """
    new, old = (folder.with_name(f"{folder.name}.{name}.part") for name in ("new", "old"))
    with telling(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    busy = f"{folder}: another export is writing it; wait for that."
    with locked(folder.with_name(f"{folder.name}.lock"), busy):
        try:
            with telling(folder):
                settle(folder, new, old)
                write_server(new, server, branches, files)
                exchange(folder, new, old)
            try:
                yield
            except BaseException:
                os.rename(folder, new)
                raise
        finally:
            settle(folder, new, old)


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """BundleError where the system does not let a folder be written."""
    try:
        yield
    except OSError as error:
        raise BundleError(
            f"{folder}: cannot be written ({error.strerror}); what was there before still is, and "
            "the bundle as well."
        ) from error


def exchange(folder: Path, new: Path, old: Path) -> None:
    """Put the new folder in the place of the one that is there, which is kept beside it."""
    if folder.exists():
        os.rename(folder, old)
    os.rename(new, folder)


def settle(folder: Path, new: Path, old: Path) -> None:
    """Leave one whole folder, whenever a writer ended: the older one where no new one has come."""
    if old.exists() and not folder.exists():
        os.rename(old, folder)
    for left in (new, old):
        if left.exists():
            shutil.rmtree(left)
