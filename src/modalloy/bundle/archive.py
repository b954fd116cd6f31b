"""A bundle on disk, read-only: a zip file or a folder, checked before anything in it is parsed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from modalloy.bundle.bounded_json import LARGEST as LARGEST_JSON
from modalloy.bundle.bounded_json import parse_json
from modalloy.bundle.folder_store import FolderStore
from modalloy.bundle.forms import refuse_wrong_form
from modalloy.bundle.manifest import LARGEST as LARGEST_MANIFEST
from modalloy.bundle.manifest import Manifest
from modalloy.bundle.names import MANIFEST, OURS, SIGNATURE, staged
from modalloy.bundle.signature import LENGTH, verify
from modalloy.bundle.sizes import LARGEST
from modalloy.bundle.zip_store import ZipStore
from modalloy.errors import BundleError


@dataclass(frozen=True)
class Archive:
    """A bundle whose manifest, names and sizes have been checked; parts are when they are read.

    It holds no file open, and pickles. trusted: whether its signature was asked for and is right.
    """

    path: Path
    manifest: Manifest
    trusted: bool
    store: ZipStore | FolderStore

    @classmethod
    def open(cls, path: str | Path, *, trust: Path | None = None) -> Self:
        """Open a bundle.

        trust: a file with an Ed25519 public key (PEM); without its signature a bundle is refused.
        BundleError where it is damaged, unsafe, not what its manifest says, of a newer version, or
        not trusted.
        """
        path = Path(path)
        store = _store(path)
        if MANIFEST not in store.sizes:
            raise BundleError(
                f"{path}: holds no {MANIFEST}, so it is no bundle; `modalloy export RUN` makes one."
            )
        size = store.sizes[MANIFEST]
        if size > LARGEST_MANIFEST:
            raise BundleError(
                f"{path}: its {MANIFEST} has {size} bytes; at most {LARGEST_MANIFEST} are read."
            )
        written = _bytes(store, MANIFEST, size)
        manifest = Manifest.from_json(written, f"{path}: {MANIFEST}")
        found = cls(path, manifest, trust is not None, store)
        found._refuse_others()
        signature = found._signature()
        if trust is not None:
            verify(written, signature, trust, claimed=manifest.signed_by, where=str(path))
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parts, in order."""
        return tuple(sorted(self.manifest.sha256))

    @property
    def signed_by(self) -> str | None:
        """The public key that it says it is signed with (hex); a claim, unless it is `trusted`."""
        return self.manifest.signed_by

    def read(self, name: str, *, at_most: int = LARGEST) -> bytes:
        """The bytes of a part, which are those that were written.

        BundleError where it has none of this name, one of more than `at_most` bytes, or another one
        than was written; and for a graph or weights whose form is unsafe to parse.
        """
        if name not in self.manifest.sha256:
            raise BundleError(f"{self.path}: holds no part '{name}'.")
        size = self.manifest.sizes[name]
        if size > at_most:
            raise BundleError(
                f"{self.path}: '{name}' has {size} bytes, and at most {at_most} are read."
            )
        _, data = self._found(name)
        refuse_wrong_form(name, data, self.manifest.sizes, str(self.path))
        return data

    def place_of(self, name: str) -> str:
        """Where a part lies: under its own name, or under the one that it had while it waited."""
        return self._found(name)[0]

    def read_json(self, name: str, *, at_most: int = LARGEST_JSON) -> Any:
        """What a part that is JSON says, bounded in size and depth."""
        data = self.read(name, at_most=at_most)
        return parse_json(data, f"{self.path}: {name}", largest=at_most)

    def _places(self, name: str) -> list[str]:
        """Where a part may lie: its own place, and in a folder where a killed writer left it."""
        size = self.manifest.sizes[name]
        own = [name] if self.store.sizes.get(name) == size else []
        waits = isinstance(self.store, FolderStore) and self.store.waiting.get(staged(name)) == size
        return [*own, staged(name)] if waits else own

    def _found(self, name: str) -> tuple[str, bytes]:
        """Where a part lies, and its bytes, which are those that the manifest lists."""
        for place in self._places(name):
            data = _bytes(self.store, place, self.manifest.sizes[name])
            if hashlib.sha256(data).hexdigest() == self.manifest.sha256[name]:
                return place, data
        raise BundleError(
            f"{self.path}: '{name}' is not the file that was exported (its sha256 differs); copy "
            "the bundle again, or export it again."
        )

    def _refuse_others(self) -> None:
        """BundleError for members that the manifest does not list, and those that are missing."""
        listed, sizes = self.manifest.sizes, self.store.sizes
        for name in sorted(sizes.keys() - listed.keys() - set(OURS)):
            raise BundleError(
                f"{self.path}: '{name}' is not in its {MANIFEST}; somebody has added it. "
                "Export the bundle again."
            )
        for name in sorted(listed):
            if self._places(name):
                continue
            if name not in sizes:
                raise BundleError(f"{self.path}: '{name}' is missing; copy the bundle again.")
            raise BundleError(
                f"{self.path}: '{name}' has {sizes[name]} bytes instead of {listed[name]}; it is "
                "cut off, or another file. Copy the bundle again."
            )

    def _signature(self) -> bytes | None:
        """The signature that lies in it; BundleError where the manifest says otherwise."""
        waits = staged(SIGNATURE, self.manifest.identity)
        known = isinstance(self.store, FolderStore) and waits in self.store.waiting
        if self.signed_by is None:
            if SIGNATURE in self.store.sizes:
                raise BundleError(f"{self.path}: holds a signature, but its {MANIFEST} none.")
            return None
        place = waits if known else SIGNATURE
        if not known and self.store.sizes.get(SIGNATURE) != LENGTH:
            raise BundleError(
                f"{self.path}: says that it is signed, but its {SIGNATURE} is missing or damaged; "
                "copy the bundle again."
            )
        return _bytes(self.store, place, LENGTH)


def _store(path: Path) -> ZipStore | FolderStore:
    """What lies at a path, or a sentence."""
    try:
        folder, run = path.is_dir(), (path / "run.json").is_file()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}).") from error
    if folder and run:
        raise BundleError(f"{path}: is a run, no bundle; `modalloy export` makes a bundle of it.")
    return FolderStore.open(path) if folder else ZipStore.open(path)


def _bytes(store: ZipStore | FolderStore, name: str, size: int) -> bytes:
    return store.read(name, size) if isinstance(store, FolderStore) else store.read(name)
