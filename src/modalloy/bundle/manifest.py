"""`manifest.json`: what a bundle is, and the hash and size of each of its parts."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from modalloy import __version__
from modalloy.bundle.bounded_json import parse_json
from modalloy.bundle.names import MANIFEST, refuse_names, refuse_part
from modalloy.errors import BundleError

FORMAT = 1  # of the bundles that this version writes
KIND = "bundle"
LARGEST = 4 << 20  # bytes of a manifest
KEYS = ("format", "kind", "modalloy", "created", "signed_by", "sha256", "bytes", "notes")
HEX = re.compile(r"[0-9a-f]{64}")
VERSION = re.compile(r"[0-9A-Za-z.+!-]{1,64}")


@dataclass(frozen=True)
class Manifest:
    """What a bundle is; `to_json` is what lies in it, byte for byte.

    sha256 and sizes (bytes): of each part by its name. created: date and time with its zone, as ISO
    8601 has it. notes: a free JSON object. modalloy: the version that wrote it. signed_by: the
    Ed25519 public key, 64 hex digits, that belongs to `manifest.sig`; None where there is none.
    """

    sha256: Mapping[str, str]
    sizes: Mapping[str, int]
    created: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    modalloy: str = __version__
    signed_by: str | None = None

    @property
    def identity(self) -> str:
        """sha256 of the manifest's bytes, which names the bundle as a whole."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def to_json(self) -> bytes:
        """The only form that `from_json` takes: names in order, one a line."""
        data = {
            "format": FORMAT,
            "kind": KIND,
            "modalloy": self.modalloy,
            "created": self.created,
            "signed_by": self.signed_by,
            "sha256": dict(sorted(self.sha256.items())),
            "bytes": dict(sorted(self.sizes.items())),
            "notes": self.notes,
        }
        return json.dumps(data, indent=1, allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes, where: str = MANIFEST) -> Self:
        """The manifest that these bytes are; BundleError where they are none, or a newer one."""
        told = parse_json(data, where, largest=LARGEST)
        damaged = BundleError(
            f"{where}: is not a manifest as modalloy writes it; export the bundle again."
        )
        if not isinstance(told, dict) or told.get("kind") != KIND:
            raise BundleError(f"{where}: is not the manifest of a bundle.")
        form, by = told.get("format"), told.get("modalloy")
        if (
            type(form) is not int
            or form < 1
            or not isinstance(by, str)
            or not VERSION.fullmatch(by)
        ):
            raise damaged
        if form > FORMAT:
            raise BundleError(
                f"{where}: made by a newer modalloy ({by}, format {form}), and this one reads "
                f"formats up to {FORMAT}; upgrade modalloy."
            )
        if tuple(told) != KEYS or not isinstance(told["notes"], dict):
            raise damaged
        if not (_is_table(told["sha256"], _is_hash) and _is_table(told["bytes"], _is_size)):
            raise damaged
        if told["sha256"].keys() != told["bytes"].keys() or not _is_moment(told["created"]):
            raise damaged
        if told["signed_by"] is not None and not _is_hash(told["signed_by"]):
            raise damaged
        for name in told["sha256"]:
            refuse_part(name)
        refuse_names(told["sha256"], (), where)
        found = cls(
            told["sha256"], told["bytes"], told["created"], told["notes"], by, told["signed_by"]
        )
        # Whatever else could be written otherwise and mean the same is written in one way.
        if found.to_json() != data:
            raise damaged
        return found


def _is_table(told: Any, is_right: Any) -> bool:
    return isinstance(told, dict) and all(map(is_right, told.values()))


def _is_hash(told: Any) -> bool:
    return isinstance(told, str) and HEX.fullmatch(told) is not None


def _is_size(told: Any) -> bool:
    return type(told) is int and 0 <= told < 1 << 53


def _is_moment(told: Any) -> bool:
    try:
        return isinstance(told, str) and datetime.fromisoformat(told).tzinfo is not None
    except ValueError:
        return False
