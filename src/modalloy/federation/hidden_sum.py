"""Rounds of which the server learns the sum of the changes alone: both ends of `secure`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.errors import FederationError
from modalloy.federation.aggregate import Change
from modalloy.federation.codec import parted
from modalloy.federation.memory import Memory
from modalloy.federation.secure_sum import MOST, SITES, Masker, unmasked
from modalloy.federation.travelling import Arrays
from modalloy.federation.wire import Message

FEWEST = 3  # sites: of two, either knows the other's numbers from the sum


def refuse_unhidden(asked: int) -> None:
    """FederationError where a round asks too few sites, or too many, for a sum that hides them."""
    if not FEWEST <= asked <= SITES:
        raise FederationError(
            f"secure: a round asks {asked} sites with rows to learn from, and a sum hides what is "
            f"summed of {FEWEST} to {SITES}; take secure away, ask a larger share of the sites, or "
            "bring others."
        )


def masker_of(name: str, memory: Memory) -> Masker:
    """A site's end of sums that hide what is summed, as it was before a kill."""
    return Masker(name, memory.mask_key(), memory.told())


def masked_change(
    masker: Masker, change: Arrays, zero: Arrays, rows: int, facts: Mapping[str, Any]
) -> tuple[Arrays, dict[str, str]]:
    """A site's change by its share of all rows, under masks; and shares of this site's own mask.

    zero: an array for each weight that travels, in the order of all sites. facts: of the round.
    FederationError for numbers that a hidden sum cannot hold, which nobody else could see.
    """
    flat = [change.get(n, np.zeros_like(x)).ravel() for n, x in zero.items()]
    x = np.concatenate(flat) * (rows / float(facts["of"]))
    largest = float(np.abs(x).max(initial=0.0))
    if not largest <= MOST:  # NaN is refused, too
        raise FederationError(
            f"a change holds {largest:g}, and a hidden sum holds numbers up to {MOST:g}; lower "
            "train.lr, or give a column with huge numbers `scale: log`."
        )
    keys = {s: bytes.fromhex(k) for s, k in facts["keys"].items()}
    seen, shares = masker.masked(x, keys, int(facts["round"]))
    return {"m": seen}, shares


def told_masks(name: str, memory: Memory, facts: Mapping[str, Any]) -> dict[str, str]:
    """What a site tells to take the masks off a round's sum, and off nothing else."""
    masker = masker_of(name, memory)
    keys = {s: bytes.fromhex(k) for s, k in facts["keys"].items()}
    told = masker.reveal(facts["round"], keys, facts["answered"], facts["shares"])
    memory.keep_told(masker.told)
    return told


def unmask_messages(answers: Mapping[str, Message], facts: Mapping[str, Any]) -> dict[str, Message]:
    """What the server asks each site that answered a round, to take the masks off."""
    known = {"round": facts["round"], "keys": facts["keys"], "answered": sorted(answers)}
    shares = {site: {s: m.facts["shares"][site] for s, m in answers.items()} for site in answers}
    return {site: Message("unmask", {**known, "shares": own}) for site, own in shares.items()}


def summed_change(
    answers: Mapping[str, Message],
    told: Mapping[str, Message],
    facts: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    rows: Mapping[str, int],
) -> Change:
    """The mean of what sites handed in, of which nothing else is seen.

    told: what takes the masks off. facts: of the round. shapes: of the weights that travel, in the
    sites' order. rows: of each site. FederationError where too few sites told.
    """
    keys: Sequence[str] = list(facts["keys"])
    sums = {s: m.arrays["m"] for s, m in answers.items()}
    total = unmasked(sums, keys, {s: m.facts for s, m in told.items()})
    arrays = parted(total * facts["of"], shapes)
    named = {s: set(m.facts["names"]) for s, m in answers.items()}
    whole = {n: sum(rows[s] for s in answers if n in named[s]) for n in arrays}
    mean_of_all = {n: x / whole[n] for n, x in arrays.items() if whole[n]}
    return Change("all", mean_of_all, float(sum(rows[s] for s in answers)))
