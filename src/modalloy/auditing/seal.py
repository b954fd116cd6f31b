"""The seal of an evidence folder: SHA-256 of every file in a manifest, and who has signed that.

A manifest alone shows that files were changed by accident, or by somebody who did not write it
anew. Whose folder it is, only a signature shows (Ed25519, RFC 8032), to whoever has the key of its
maker from elsewhere. Neither shows when it was made, nor that what it says is true.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.bundle.signature import public_key, sign, signer, verify
from modalloy.errors import BundleError, RunError
from modalloy.machine.files import write_safely
from modalloy.machine.imports import require
from modalloy.machine.sums import Differing, differing, sum_of, sums_of

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SEAL = (MANIFEST, SIGNATURE)
FORM = 1
UNSIGNED = (
    "It is not signed: whoever changes a file can write the manifest anew. Keep the manifest's "
    "SHA-256 elsewhere, or sign with --sign KEY.PEM."
)
PROVES = (
    "The signature shows that the holder of this key sealed these files as they are, to whoever "
    "knows from elsewhere whose key it is; not when, and not that what they say is true."
)


class Verified(NamedTuple):
    """Whether a folder is as it was sealed. manifest: SHA-256 of the manifest. signed: what its
    signature is worth, a sentence. ok: no file differs, and no signature is wrong.
    """

    files: int
    differing: Differing
    manifest: str
    signed: str
    ok: bool

    def text(self) -> str:
        """For a terminal."""
        head = f"{self.files} files are as they were sealed."
        if self.differing.any:
            head = "Files are not as they were sealed:"
        lines = [head, *(f"  {line}" for line in self.differing.lines()), self.signed]
        return "\n".join([*lines, f"SHA-256 of {MANIFEST}: {self.manifest}"])


def seal(folder: Path, about: dict[str, Any], key: Path | None) -> str:
    """Seal the files of a folder, and say what that proves. about: kept in the manifest, too."""
    told = {"form": FORM, **about, "signed_by": None if key is None else signer(key)}
    told["files"] = sums_of(folder, but=SEAL)
    data = json.dumps(told, indent=1, allow_nan=False).encode()
    write_safely(folder / MANIFEST, data)
    if key is None:
        return UNSIGNED
    write_safely(folder / SIGNATURE, sign(data, key))
    return f"It is signed with the key {told['signed_by']}. {PROVES}"


def verify_evidence(folder: str | Path, *, trust: str | Path | None = None) -> Verified:
    """Whether an evidence folder holds what was sealed, no file more, none less.

    trust: the public key (PEM) that it must be signed with. Without it a signature is checked
    against the key that the manifest names itself, which does not show whose that is.

    Raises RunError for a folder without a manifest, or whose manifest is none; BundleError for a
    key that cannot be read.
    """
    place = Path(folder)
    told, data = manifest_of(place)
    found = differing(place, told["files"], but=SEAL)
    signature = place / SIGNATURE
    written = signature.read_bytes() if signature.is_file() else None
    good, signed = signed_by(data, written, told.get("signed_by"), trust, place)
    ok = good and not found.any
    return Verified(len(told["files"]), found, sum_of(place / MANIFEST), signed, ok)


def manifest_of(place: Path) -> tuple[dict[str, Any], bytes]:
    """The manifest, and its bytes; RunError where it is none."""
    try:
        data = (place / MANIFEST).read_bytes()
    except OSError as error:
        raise RunError(
            f"{place}: is no evidence folder, {MANIFEST} cannot be read ({error.strerror})."
        ) from error
    told: Any = None
    try:
        told = json.loads(data)
        pairs = [*told["files"].items()]
        whole = told["form"] == FORM and all(isinstance(s, str) for pair in pairs for s in pair)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise RunError(
            f"{place / MANIFEST}: is not what `modalloy evidence` of this version writes; ask for "
            "the folder anew."
        )
    return told, data


def signed_by(
    data: bytes, signature: bytes | None, claimed: Any, trust: str | Path | None, place: Path
) -> tuple[bool, str]:
    """Whether the signature is right where one is asked for or claimed, and what it is worth."""
    if trust is not None:
        public_key(Path(trust))  # a file that is no key is its own mistake, not the folder's
        try:
            verify(data, signature, Path(trust), claimed=claimed, where=str(place))
        except BundleError as error:
            return False, str(error)
        return True, f"It is signed with the key in {trust}. {PROVES}"
    if signature is None and claimed is None:
        return True, UNSIGNED
    if signature is None or not isinstance(claimed, str):
        return False, f"The manifest names a key and {SIGNATURE} holds a signature, or neither may."
    require("cryptography", None, "checking a signature")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(claimed)).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False, "Its signature does not fit: the manifest was changed after it was signed."
    return True, (
        f"It is signed with the key {claimed}, which it names itself: give --trust KEY.PUB to "
        "know whose that is."
    )
