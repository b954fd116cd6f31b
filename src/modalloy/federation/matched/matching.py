"""Rows of several sites that are of the same part, found by keyed hashes of their ids.

Who has the key can try out ids and see whether a site has them; who has not, as the server, learns
how many ids each site has and which of their hashes are common.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping

import numpy as np

from modalloy.cells.values import spelled
from modalloy.errors import FederationError
from modalloy.federation.proposal import KEY
from modalloy.job.matched import Matched
from modalloy.job.options import did_you_mean
from modalloy.table.table import Table

SIZE = 16  # bytes of a hash
CHECK = b"modalloy: do sites have the same key?"


def site_key() -> bytes:
    """The sites' common key; FederationError where the environment has none."""
    key = os.environ.get(KEY, "")
    if not key:
        raise FederationError(
            f"federate.matched: ids are hashed with the sites' common key; put it into the "
            f"environment's {KEY} at each site."
        )
    return key.encode()


def key_print() -> np.ndarray:
    """Four bytes by which sites with different keys are told apart, (4,) uint8."""
    return np.frombuffer(hmac.new(site_key(), CHECK, hashlib.sha256).digest()[:4], np.uint8)


def hashes_of(table: Table, by: str, site: str) -> np.ndarray:
    """A hash of each row's id, (N, 16) uint8: HMAC-SHA256 with the sites' key.

    FederationError where ids are missing, empty, or twice at the site.
    """
    if by not in table.columns:
        raise FederationError(
            f"federate.matched.by: {site} has no column '{by}' to match its rows by."
            f"{did_you_mean(by, table.columns)}"
        )
    codes, values = table.codes(by)
    empty = np.flatnonzero(codes < 0)
    if len(empty):
        raise FederationError(
            f"federate.matched.by: column '{by}' of {site} is empty in {len(empty)} rows, the "
            f"first of which is row {empty[0]}; name each part, or leave such rows out."
        )
    ids = [spelled(v) or "" for v in values]
    made = np.array([ids[c] for c in codes])
    _, first, counts = np.unique(made, return_index=True, return_counts=True)
    twice = np.flatnonzero(counts > 1)
    if len(twice):
        raise FederationError(
            f"federate.matched.by: {len(twice)} ids of column '{by}' of {site} stand in more than "
            f"one row, as the one of row {first[twice[0]]}; give each part one row."
        )
    key = site_key()
    digests = [hmac.new(key, i.encode(), hashlib.sha256).digest()[:SIZE] for i in made]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, SIZE)


def in_order(hash_NS: np.ndarray) -> np.ndarray:
    """The same hashes sorted, so that their order tells nothing of the table, (N, 16)."""
    return hash_NS[np.lexsort(hash_NS.T[::-1])]


def common(
    hashes: Mapping[str, np.ndarray], prints: Mapping[str, np.ndarray], options: Matched
) -> np.ndarray:
    """Hashes that all sites have, sorted, (N, 16). FederationError where keys differ, or fewer are
    common than the job asks for."""
    first, *others = sorted(hashes)
    for site in others:
        if not np.array_equal(prints[first], prints[site]):
            raise FederationError(
                f"{first} and {site} hash ids with different keys; give both the same {KEY}."
            )
    sets = [{bytes(h) for h in own} for own in hashes.values()]
    shared = sorted(set.intersection(*sets))
    if len(shared) < options.fewest:
        sizes = ", ".join(f"{site} has {len(own)}" for site, own in sorted(hashes.items()))
        raise FederationError(
            f"sites have {len(shared)} parts of column '{options.by}' in common ({sizes}), and "
            f"federate.matched.fewest asks for {options.fewest}; look whether ids are written "
            "alike at all sites."
        )
    return np.frombuffer(b"".join(shared), np.uint8).reshape(-1, SIZE)


def rows_of(hash_NS: np.ndarray, wanted_MS: np.ndarray) -> np.ndarray:
    """The row of each wanted hash, (M,) int64. FederationError for one that no row has."""
    at = {bytes(h): row for row, h in enumerate(hash_NS)}
    try:
        return np.array([at[bytes(h)] for h in wanted_MS], np.int64)
    except KeyError as error:
        raise FederationError(
            "the server asks for a part that this site does not have; match the sites again."
        ) from error
