"""Writes a bundle, zip or folder; killed anywhere, the older one is left or the new one."""

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modalloy.bundle.archive import Archive
from modalloy.bundle.content import Part, content
from modalloy.bundle.forms import refuse_wrong_form
from modalloy.bundle.manifest import Manifest
from modalloy.bundle.names import MANIFEST, SIGNATURE, is_waiting, refuse_names, refuse_part
from modalloy.bundle.signature import sign as signature_of
from modalloy.bundle.signature import signer
from modalloy.bundle.sizes import refuse_sizes
from modalloy.bundle.write_folder import write_folder
from modalloy.bundle.write_zip import write_zip
from modalloy.errors import BundleError


def write_bundle(
    path: str | Path,
    parts: Mapping[str, Part],
    notes: Mapping[str, Any],
    *,
    sign: Path | None = None,
    created: datetime | None = None,
) -> Archive:
    """Write a bundle: a zip file where the path ends in .zip, else a folder; the bundle, opened.

    The same parts, notes, key and moment give the same bytes. parts: by their names, such as
    graphs/photo.onnx. notes: a JSON object. sign: a file with an Ed25519 private key (PEM).
    created: with its zone; now where it is not given. BundleError where something else than a
    bundle lies there, for a name or a part that no bundle can hold, and where it cannot be written.
    """
    path = Path(os.path.realpath(path))
    refuse_other(path)
    for name in parts:
        refuse_part(name)
    refuse_names(parts, (), str(path))
    manifest = _manifest(path, parts, notes, sign, created or datetime.now(UTC))
    written = _written(manifest, path)
    signature = None if sign is None else signature_of(written, sign)
    members = {MANIFEST: written}
    if signature is not None:
        members[SIGNATURE] = signature
    whole = members | {name: parts[name] for name in sorted(parts)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".zip":
            write_zip(path, whole, manifest.sha256)
        else:
            write_folder(path, whole, manifest)
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be written ({error.strerror}); an older bundle there is unharmed."
        ) from error
    return Archive.open(path)


def refuse_other(path: Path) -> None:
    """BundleError where something lies at a path that is not a bundle of this version."""
    try:
        if not os.path.lexists(path):
            return
        if path.is_dir() == (path.suffix.lower() == ".zip"):
            what = "a folder" if path.is_dir() else "a file"
            raise BundleError(
                f"{path}: {what} lies here; a bundle is written to a name that ends in .zip, or to "
                "a folder. Give another name."
            )
        if path.is_dir() and all(map(_is_left, path.rglob("*"))):
            return
    except OSError as error:
        raise BundleError(f"{path}: cannot be looked at ({error.strerror}).") from error
    try:
        Archive.open(path)
    except BundleError as error:
        raise BundleError(
            f"{path}: is not overwritten, because it is no whole bundle ({error}) Remove it, or "
            "give another name."
        ) from error


def _is_left(path: Path) -> bool:
    """Whether this is what a writer that was killed may leave where no bundle was before."""
    return not path.is_symlink() and (path.is_dir() or is_waiting(path.name))


def _manifest(
    path: Path, parts: Mapping[str, Part], notes: Mapping[str, Any], key: Path | None, at: datetime
) -> Manifest:
    """The manifest of parts, each of which is checked as a reader will check it."""
    sha256, sizes = {}, {}
    for name in sorted(parts):
        data = content(parts[name])
        sha256[name], sizes[name] = hashlib.sha256(data).hexdigest(), len(data)
        del data
    refuse_sizes(sizes, str(path))
    for name in sorted(parts):
        refuse_wrong_form(name, content(parts[name]), sizes, str(path))
    assert at.tzinfo is not None, "a moment without its zone"
    moment = at.astimezone(UTC).isoformat(timespec="seconds")
    return Manifest(sha256, sizes, moment, notes, signed_by=None if key is None else signer(key))


def _written(manifest: Manifest, path: Path) -> bytes:
    """The manifest's bytes; BundleError for notes that are no JSON, or more than a reader takes."""
    try:
        written = manifest.to_json()
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: its notes cannot be written as JSON ({error}).") from error
    Manifest.from_json(written, f"{path}: {MANIFEST}")
    return written
