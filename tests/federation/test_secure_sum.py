"""The sum is exact, whoever drops out; a server that records everything sees noise."""

import numpy as np
import pytest
from scipy.stats import kstest

from modalloy.errors import FederationError
from modalloy.federation.secure_sum import STEP, Masker, joined, split, threshold, unmasked

NAMES = ["A", "B", "C", "D", "E"]


def played(draw: np.random.Generator, gone: set[str], silent: set[str] = frozenset()):
    sites = {n: Masker(n) for n in NAMES}
    keys = {n: s.public for n, s in sites.items()}
    x = {n: draw.normal(size=300) for n in NAMES}
    sent = {n: sites[n].masked(x[n], keys, 1) for n in NAMES}
    sums = {n: v for n, (v, _) in sent.items() if n not in gone}
    told = {}
    for name in sums:
        if name not in silent:
            shares = {s: sent[s][1][name] for s in sums}
            told[name] = sites[name].reveal(1, keys, list(sums), shares)
    return x, sums, told, sites, keys, sent


@pytest.mark.parametrize("gone", [set(), {"B"}, {"A", "E"}])
def test_the_sum_is_exact(gone: set[str], draw: np.random.Generator) -> None:
    x, sums, told, *_ = played(draw, gone)
    oracle = sum(np.rint(x[n] / STEP) * STEP for n in sums)
    np.testing.assert_array_equal(unmasked(sums, NAMES, told), oracle)


def test_it_is_exact_where_a_site_goes_before_it_helps(draw: np.random.Generator) -> None:
    x, sums, told, *_ = played(draw, set(), {"C"})
    oracle = sum(np.rint(x[n] / STEP) * STEP for n in sums)
    np.testing.assert_array_equal(unmasked(sums, NAMES, told), oracle)


def test_the_server_sees_noise(draw: np.random.Generator) -> None:
    """All that it has of a site, and even all others' numbers without that site's help, is even."""
    x, sums, told, *_ = played(draw, set())
    for name, seen in sums.items():
        assert kstest(seen / 2.0**32, "uniform").pvalue > 1e-4
        off = np.corrcoef(seen.astype(float), x[name])[0, 1]
        assert abs(off) < 0.25
    # Own masks are told for all: each site still stands under what it shares with others.
    import json

    from modalloy.federation.secure_sum import stream

    parts = [tuple(json.loads(t["own/A"])) for t in told.values()]
    own = joined(parts[: threshold(5)]).to_bytes(32, "big")
    bare = sums["A"] - stream(own, 300)
    assert kstest(bare / 2.0**32, "uniform").pvalue > 1e-4


def test_a_site_never_tells_both_masks_of_another(draw: np.random.Generator) -> None:
    _, sums, _, sites, keys, sent = played(draw, set())
    shares = {s: sent[s][1]["A"] for s in sums}
    with pytest.raises(FederationError, match="both masks of one site"):
        sites["A"].reveal(1, keys, ["A", "C", "D", "E"], shares)


def test_shares_show_it_from_the_threshold_on() -> None:
    parts = split(123456789, 5, 3)
    assert joined(parts[:3]) == joined(parts[2:]) == 123456789
    assert joined(parts[:2]) != 123456789


def test_too_few_sites_are_refused(draw: np.random.Generator) -> None:
    a = Masker("A")
    with pytest.raises(FederationError, match="2 sites; a sum hides what is summed of 3 to 20"):
        a.masked(np.ones(3), {"A": a.public, "B": Masker("B").public}, 1)
    _, sums, told, *_ = played(draw, set(), {"A", "B", "C"})
    with pytest.raises(FederationError, match="2 of 5 sites helped"):
        unmasked(sums, NAMES, told)
