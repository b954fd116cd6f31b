"""Writes the folder of a bundle in the place of an older one, which readers find until it is whole.

All files are written beside those that they replace, under names that no part can have, then
`manifest.json` takes its place, then they do. A reader looks for a part in both places and takes
the one whose hash the manifest lists, so it makes no difference where a writer was killed.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from modalloy.bundle.archive import Archive
from modalloy.bundle.content import Part, content, held, refuse_change, sync_folder, write_file
from modalloy.bundle.manifest import Manifest
from modalloy.bundle.names import LOCK, MANIFEST, SIGNATURE, WRITING, is_waiting, staged


def write_folder(path: Path, members: Mapping[str, Part], manifest: Manifest) -> None:
    """Write members into a folder that is empty or holds a bundle; manifest: that they have."""
    path.mkdir(exist_ok=True)
    with held(path / LOCK):
        older = _settled(path) if (path / MANIFEST).is_file() else None
        places = {name: path / name for name in members if name != MANIFEST}
        for name, place in places.items():
            data = content(members[name])
            refuse_change(name, data, manifest.sha256)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_file(path / _staged(name, manifest), data)
        if older is not None:
            for name in _members(older) - places.keys():
                os.replace(path / name, path / _staged(name, older))
        _sync(path)
        write_file(path / WRITING, content(members[MANIFEST]))
        os.replace(path / WRITING, path / MANIFEST)
        sync_folder(path)
        for name, place in places.items():
            os.replace(path / _staged(name, manifest), place)
        _clean(path)
        _sync(path)


def _settled(path: Path) -> Manifest:
    """The manifest of a bundle, after what a killed writer left has been put in its place."""
    archive = Archive.open(path)
    manifest = archive.manifest
    for name in archive.names:
        waiting = path / staged(name)
        if waiting.is_file() and archive.place_of(name) == staged(name):
            os.replace(waiting, path / name)
    signature = path / staged(SIGNATURE, manifest.identity)
    if signature.is_file():
        os.replace(signature, path / SIGNATURE)
    return manifest


def _members(manifest: Manifest) -> set[str]:
    """Names of all files that a manifest speaks of, but its own."""
    return {*manifest.sha256, *([SIGNATURE] if manifest.signed_by else [])}


def _staged(name: str, manifest: Manifest) -> str:
    return staged(name, manifest.identity if name == SIGNATURE else "")


def _clean(path: Path) -> None:
    """Remove what has no place in the new bundle: its own leftovers and a killed writer's."""
    for found in sorted(path.rglob("*"), reverse=True):
        if found.is_dir():
            if not any(found.iterdir()):
                found.rmdir()
        elif is_waiting(found.name) and found.name != LOCK:
            found.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    for folder in [path, *(p for p in path.rglob("*") if p.is_dir())]:
        sync_folder(folder)
