"""Rows of several sites that are of the same part: hashes, what they tell, what is refused."""

import hashlib
import hmac

import numpy as np
import pandas as pd
import pytest

from matched_sites import KEY, job_of
from modalloy.errors import FederationError
from modalloy.federation.matched.matching import common, hashes_of, in_order, key_print, rows_of
from modalloy.federation.matched.own_job import matched_of
from modalloy.table.open_table import open_table

OPTIONS = matched_of(job_of(fewest=2))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODALLOY_SITE_KEY", KEY)


def hashes(ids: list[object]) -> np.ndarray:
    return hashes_of(open_table(pd.DataFrame({"part": ids})), "part", "mill")


def test_a_hash_is_the_keyed_one_of_the_id() -> None:
    found = hashes(["a7", "b9"])
    expected = [hmac.new(KEY.encode(), i, hashlib.sha256).digest()[:16] for i in (b"a7", b"b9")]
    assert [bytes(h) for h in found] == expected


def test_ids_are_the_same_however_they_are_written() -> None:
    whole, fraction, text = hashes([7, 12]), hashes([7.0, 12.0]), hashes([" 7", "12 "])
    assert np.array_equal(whole, fraction)
    assert np.array_equal(whole, text)


def test_what_is_told_has_no_order_of_the_table() -> None:
    one, other = hashes(["a", "b", "c", "d"]), hashes(["d", "b", "a", "c"])
    assert not np.array_equal(one, other)
    assert np.array_equal(in_order(one), in_order(other))


def test_common_rows_meet_whatever_their_order() -> None:
    ids = {"mill": ["a", "b", "c", "d", "x"], "lab": ["d", "y", "c", "a"]}
    made = {site: hashes(own) for site, own in ids.items()}
    shared = common(made, dict.fromkeys(ids, key_print()), OPTIONS)
    rows = {site: rows_of(made[site], shared) for site in ids}
    mill = [ids["mill"][r] for r in rows["mill"]]
    assert mill == [ids["lab"][r] for r in rows["lab"]]
    assert sorted(mill) == ["a", "c", "d"]


def test_a_hash_of_another_key_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    one, print_of_one = hashes(["a", "b", "c"]), key_print()
    monkeypatch.setenv("MODALLOY_SITE_KEY", "another")
    other = hashes(["a", "b", "c"])
    assert not {bytes(h) for h in one} & {bytes(h) for h in other}
    prints = {"lab": print_of_one, "mill": key_print()}
    with pytest.raises(FederationError, match="lab and mill hash ids with different keys"):
        common({"lab": one, "mill": other}, prints, OPTIONS)


def test_too_few_common_rows_are_refused_with_what_each_site_has() -> None:
    made = {"lab": hashes(["a", "b"]), "mill": hashes(["b", "c", "d"])}
    with pytest.raises(FederationError, match=r"1 parts .*lab has 2, mill has 3.*fewest asks for"):
        common(made, dict.fromkeys(made, key_print()), OPTIONS)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["a", None, "c"], "column 'part' of mill is empty in 1 rows, the first of which is row 1"),
        (["a", "b", "a"], "1 ids of column 'part' of mill stand in more than one row"),
    ],
)
def test_ids_that_name_no_part_are_refused(ids: list[object], said: str) -> None:
    with pytest.raises(FederationError, match=said):
        hashes(ids)


def test_a_table_without_the_id_is_refused() -> None:
    with pytest.raises(FederationError, match=r"mill has no column 'prat'.*Did you mean 'part'"):
        hashes_of(open_table(pd.DataFrame({"part": ["a"]})), "prat", "mill")


def test_no_hash_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODALLOY_SITE_KEY")
    with pytest.raises(FederationError, match="MODALLOY_SITE_KEY"):
        hashes(["a"])


def test_a_part_that_the_site_does_not_have_is_refused() -> None:
    with pytest.raises(FederationError, match="a part that this site does not have"):
        rows_of(hashes(["a"]), hashes(["b"]))
