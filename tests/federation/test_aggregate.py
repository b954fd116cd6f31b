"""Each rule does what its paper says, beside an oracle; a site's absent blocks count in none."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from modalloy.errors import FederationError
from modalloy.federation.aggregate import Change, krum, mean, together, trimmed
from modalloy.job.federated import Federate


def changes(draw: np.random.Generator, sites: int = 6) -> list[Change]:
    return [
        Change(f"s{i}", {"a": draw.normal(size=(3, 4)), "b": draw.normal(size=5)}, 10.0 * (i + 1))
        for i in range(sites)
    ]


def test_the_mean_is_by_rows(draw: np.random.Generator) -> None:
    found = changes(draw)
    weights = [c.rows for c in found]
    for name in ("a", "b"):
        oracle = np.average([c.arrays[name] for c in found], axis=0, weights=weights)
        np.testing.assert_allclose(mean(found)[name], oracle, rtol=1e-5)


def test_a_block_that_a_site_did_not_learn_is_the_others(draw: np.random.Generator) -> None:
    found = changes(draw, 3)
    del found[0].arrays["a"]  # pyrefly: ignore
    oracle = np.average([c.arrays["a"] for c in found[1:]], axis=0, weights=[20.0, 30.0])
    np.testing.assert_allclose(mean(found)["a"], oracle, rtol=1e-5)
    whole = {c.site: {**c.arrays, "a": c.arrays.get("a", np.zeros((3, 4)))} for c in found}
    shrunk = np.average([a["a"] for a in whole.values()], axis=0, weights=[10.0, 20.0, 30.0])
    assert np.abs(shrunk).sum() < np.abs(mean(found)["a"]).sum()


def test_an_older_answer_counts_less(draw: np.random.Generator) -> None:
    a, b = np.ones(2), np.zeros(2)
    late = [Change("a", {"w": a}, 10, age=3), Change("b", {"w": b}, 10)]
    assert mean(late, 0.5)["w"][0] == pytest.approx((4**-0.5) / (1 + 4**-0.5))
    assert mean(late, 0.0)["w"][0] == pytest.approx(0.5)


@pytest.mark.parametrize("trim", [0.1, 0.2, 0.34])
def test_the_trimmed_mean_is_scipys(trim: float, draw: np.random.Generator) -> None:
    x = draw.normal(size=(9, 4))
    cut = max(1, int(trim * 9)) / 9 + 1e-9
    np.testing.assert_allclose(trimmed(x, trim), trim_mean(x, cut, axis=0))


@pytest.mark.parametrize("rule", ["median", "trimmed_mean", "krum"])
def test_one_site_that_sends_nonsense_moves_it_little(rule: str, draw: np.random.Generator) -> None:
    good = [Change(f"s{i}", {"w": 1.0 + 0.1 * draw.normal(size=50)}, 100) for i in range(5)]
    bad = Change("bad", {"w": np.full(50, -100.0)}, 100)
    found = together([*good, bad], Federate.model_validate({"rule": rule}))["w"]
    assert np.abs(found - 1.0).max() < 0.4
    assert np.abs(mean([*good, bad])["w"] - 1.0).min() > 10


def test_krum_leaves_out_the_farthest_from_most_others() -> None:
    x = [np.zeros(3), np.full(3, 0.1), np.full(3, 0.2), np.full(3, 0.4), np.full(3, -7.0)]
    found = [Change(str(i), {"w": v}, 1.0 + i) for i, v in enumerate(x)]
    assert krum(found, 0.2) == [0, 1, 2, 3]
    oracle = np.average(x[:4], axis=0, weights=[1.0, 2.0, 3.0, 4.0])
    taken = together(found, Federate(rule="krum"))["w"]
    np.testing.assert_allclose(taken, oracle, rtol=1e-6)
    with pytest.raises(FederationError, match="needs 5 sites that answer in a round, and 4 did"):
        together([Change(str(i), {"w": v}, 1) for i, v in enumerate(x[:4])], Federate(rule="krum"))
