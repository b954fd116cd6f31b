"""A sum that the server learns while it learns none of what is summed (Bonawitz et al. 2017).

Each site adds to its numbers a mask shared with every other site, once with either sign, and one
of its own. In the sum the shared ones cancel. What is left is taken off with the help of the sites
that answered: of each other site they tell either its own mask, if it answered, or the masks
shared with it, if it did not - never both. All is counted modulo 2**32 in steps of 2**-24, so that
sums are exact.

It holds against a server that follows the protocol and writes down all that it sees, and against
sites that do, as long as most of them do not share notes with it; not against a server that tells
sites different things.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modalloy.errors import FederationError
from modalloy.machine.imports import require

STEP = 2.0**-24
MOST = 64.0  # larger numbers are cut: a sum of all sites must not pass 128
PRIME = 2**521 - 1  # of shares
SITES = 20  # at most


@dataclass
class Masker:
    """A site's end. secret: its private key, 32 bytes, for one federation.

    told: for each round, which sites' own masks and which sites' shared masks were told.
    """

    name: str
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    told: dict[int, tuple[set[str], set[str]]] = field(default_factory=dict)

    @property
    def public(self) -> bytes:
        """The key that others make shared masks with."""
        return key_of(self.secret).public_key().public_bytes_raw()

    def shared(self, public: bytes, number: int, what: str) -> bytes:
        """32 bytes that only this site and the owner of a key know, of one round and use."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        common = key_of(self.secret).exchange(X25519PublicKey.from_public_bytes(public))
        info = f"modalloy {what} {number}".encode()
        return HKDF(SHA256(), 32, None, info).derive(common)

    def masked(
        self, x: np.ndarray, keys: Mapping[str, bytes], number: int
    ) -> tuple[np.ndarray, dict[str, str]]:
        """The numbers under all masks, uint32; and shares of the own mask, one a site, that only
        this site can read. keys: of all sites that are asked in this round, its own among them."""
        if not 2 < len(keys) <= SITES:
            raise FederationError(
                f"secure: {len(keys)} sites; a sum hides what is summed of 3 to {SITES} sites."
            )
        own = os.urandom(32)
        total = fixed(x) + stream(own, len(x))
        for site, public in keys.items():
            if site != self.name:
                mask = stream(self.shared(public, number, "mask"), len(x))
                total += mask if self.name < site else np.uint32(0) - mask
        others = sorted(keys)
        parts = split(int.from_bytes(own, "big"), len(others), threshold(len(others)))
        sealed = {
            site: sealed_for(self.shared(keys[site], number, "share"), part).hex()
            for site, part in zip(others, parts, strict=True)
            if site != self.name
        }
        sealed[self.name] = json.dumps(parts[others.index(self.name)]).encode().hex()
        return total, sealed

    def reveal(
        self,
        number: int,
        keys: Mapping[str, bytes],
        answered: Sequence[str],
        shares: Mapping[str, str],
    ) -> dict[str, str]:
        """What takes the masks off: shares of own masks of sites that answered, and masks shared
        with those that did not. FederationError where both were asked of one site."""
        gone = set(keys) - set(answered)
        known = self.told.setdefault(number, (set(), set()))
        if set(answered) & known[1] or gone & known[0] or self.name in gone:
            raise FederationError(
                f"round {number}: this site was asked to tell both masks of one site, which would "
                "show its numbers; it does not."
            )
        known[0].update(answered)
        known[1].update(gone)
        found: dict[str, str] = {}
        for site in answered:
            data = bytes.fromhex(shares[site])
            if site != self.name:
                data = opened(self.shared(keys[site], number, "share"), data)
            found[f"own/{site}"] = data.decode()
        for site in sorted(gone):
            found[f"with/{site}"] = self.shared(keys[site], number, "mask").hex()
        return found


def unmasked(
    sums: Mapping[str, np.ndarray], keys: Sequence[str], told: Mapping[str, Mapping[str, str]]
) -> np.ndarray:
    """The sum of what the sites' numbers were, float64. sums: masked, by site that answered. keys:
    all sites that were asked. told: what each site revealed. FederationError where too few did."""
    least = threshold(len(keys))
    if len(told) < least:
        raise FederationError(
            f"secure: {len(told)} of {len(keys)} sites helped to take the masks off and {least} "
            "must; the round is lost."
        )
    size = len(next(iter(sums.values())))
    total = np.zeros(size, np.uint32)
    for x in sums.values():
        total += x
    for site in sums:
        parts = [tuple(json.loads(t[f"own/{site}"])) for t in told.values()]
        own = joined(parts[:least]).to_bytes(32, "big")
        total -= stream(own, size)
    for lost in set(keys) - set(sums):
        for site, own in told.items():
            if site in sums:
                mask = stream(bytes.fromhex(own[f"with/{lost}"]), size)
                total -= mask if site < lost else np.uint32(0) - mask
        missing = set(sums) - set(told)
        if missing:
            raise FederationError(
                f"secure: {lost} did not answer and {', '.join(sorted(missing))} cannot tell the "
                "masks shared with it; the round is lost."
            )
    return total.view(np.int32).astype(np.float64) * STEP


def threshold(sites: int) -> int:
    """How many sites' shares show a mask: more than half."""
    return sites // 2 + 1


def fixed(x: np.ndarray) -> np.ndarray:
    """Numbers as steps modulo 2**32."""
    steps = np.rint(np.clip(x.astype(np.float64), -MOST, MOST) / STEP).astype(np.int64)
    return steps.astype(np.uint32)


def key_of(secret: bytes) -> Any:
    """The private key of these bytes."""
    require("cryptography", "federated", "a sum that hides what is summed")
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(secret)


def stream(seed: bytes, count: int) -> np.ndarray:
    """So many uint32 that nobody can tell from chance without the seed (ChaCha20)."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    encryptor = Cipher(ChaCha20(seed, bytes(16)), mode=None).encryptor()
    return np.frombuffer(encryptor.update(bytes(4 * count)), "<u4").copy()


def sealed_for(key: bytes, part: tuple[int, int]) -> bytes:
    """A share that only the owner of a key can read."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key).encrypt(bytes(12), json.dumps(part).encode(), None)


def opened(key: bytes, data: bytes) -> bytes:
    """Undo `sealed_for`; FederationError where it was made for another."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), data, None)
    except InvalidTag as error:
        raise FederationError("a share of a mask was changed on its way.") from error


def split(secret: int, parts: int, least: int) -> list[tuple[int, int]]:
    """Shares of a number, of which so many show it and fewer show nothing (Shamir 1979)."""
    weights = [secret, *(int.from_bytes(os.urandom(65), "big") % PRIME for _ in range(least - 1))]
    return [
        (at, sum(w * pow(at, k, PRIME) for k, w in enumerate(weights)) % PRIME)
        for at in range(1, parts + 1)
    ]


def joined(parts: Sequence[tuple[int, int]]) -> int:
    """The number that these shares show."""
    total = 0
    for at, value in parts:
        up, down = 1, 1
        for other, _ in parts:
            if other != at:
                up, down = up * -other % PRIME, down * (at - other) % PRIME
        total = (total + value * up * pow(down, -1, PRIME)) % PRIME
    return total
