"""Who made a bundle: an Ed25519 signature over the bytes of its manifest (RFC 8032).

`openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in manifest.json -sigfile manifest.sig` says
the same of a bundle that is a folder.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalloy.errors import BundleError
from modalloy.machine.imports import require

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

LENGTH = 64  # bytes of a signature
LARGEST_KEY = 64 << 10  # bytes of a file with a key
MAKE = "make one with `openssl genpkey -algorithm ed25519 -out key.pem`"
TAKE = "`openssl pkey -in key.pem -pubout -out key.pub` writes it"


def sign(manifest: bytes, key: Path) -> bytes:
    """The signature of a manifest's bytes with the private key in a PEM file, (64,) bytes."""
    return private_key(key).sign(manifest)


def signer(key: Path) -> str:
    """The public key that belongs to the private one in a PEM file, as 64 hex digits."""
    return private_key(key).public_key().public_bytes_raw().hex()


def verify(
    manifest: bytes, signature: bytes | None, key: Path, *, claimed: str | None, where: str
) -> None:
    """BundleError unless this is the signature of these bytes by the public key in a PEM file.

    claimed: the key that the manifest says it is signed with, for the sentence alone.
    """
    from cryptography.exceptions import InvalidSignature

    trusted = public_key(key)
    own = trusted.public_bytes_raw().hex()
    if signature is None or claimed is None:
        raise BundleError(
            f"{where}: is not signed, and {key} demands a signature; ask its maker for a signed "
            "one, or load it without --trust."
        )
    if claimed != own:
        raise BundleError(
            f"{where}: is signed with another key ({claimed[:12]}...) than {key} ({own[:12]}...); "
            "do not use it unless you know whose key that is."
        )
    try:
        trusted.verify(signature, manifest)
    except InvalidSignature as error:
        raise BundleError(
            f"{where}: its signature is not by the key in {key}, or its manifest was changed "
            "afterwards; do not use it."
        ) from error


def private_key(path: Path) -> "Ed25519PrivateKey":
    """The key to sign with; BundleError for another kind of key, one with a password, or none."""
    require("cryptography", None, "signing a bundle")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    if b"PUBLIC KEY" in data or data.startswith(b"ssh-"):
        raise BundleError(f"{path}: holds a public key, and signing takes the private one.")
    if b"ENCRYPTED" in data:
        raise BundleError(
            f"{path}: its key has a password; write it without one for signing "
            "(`openssl pkey -in key.pem -out plain.pem`)."
        )
    key = _parsed(path, lambda: load_pem_private_key(data, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(
            f"{path}: holds {_kind(key)}, and bundles are signed with Ed25519; {MAKE}."
        )
    return key


def public_key(path: Path) -> "Ed25519PublicKey":
    """The key to trust; BundleError for another kind of key, a private one, or none."""
    require("cryptography", None, "checking a bundle's signature")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise BundleError(
            f"{path}: holds a private key; keep it to yourself and trust its public key ({TAKE})."
        )
    key = _parsed(path, lambda: load_pem_public_key(data))
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(
            f"{path}: holds {_kind(key)}, and bundles are signed with Ed25519; ask for that key."
        )
    return key


def _read(path: Path) -> bytes:
    """The file of a key, which is small."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_KEY + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BundleError(f"{path}: cannot be read ({why}); give the file of a key.") from error
    if len(data) > LARGEST_KEY:
        raise BundleError(f"{path}: is too large for the file of a key.")
    return data


def _parsed(path: Path, load: Any) -> Any:
    """The key in a PEM file, whatever its kind."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return load()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BundleError(
            f"{path}: is no key in PEM form as openssl writes it; {MAKE}, and its public key: "
            f"{TAKE}."
        ) from error


def _kind(key: Any) -> str:
    """`a key of the kind RSA`, for a sentence."""
    name = type(key).__name__.strip("_").removesuffix("PrivateKey").removesuffix("PublicKey")
    return f"a key of the kind {name}"
