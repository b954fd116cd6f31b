"""The certificate is the exact binomial test, and holds as often as it says."""

import numpy as np
import pytest
from scipy.stats import binomtest

from modalloy.economy.certificate import (
    Asked,
    chance,
    fewest_rows,
    most_worse,
    passed,
    refuse_few,
)
from modalloy.errors import JobError, TableError

TWO = Asked(0.02, 0.9)


def test_chances_are_those_of_the_binomial_test() -> None:
    for worse, rows, alpha in ((0, 100, 0.02), (3, 300, 0.02), (13, 1000, 0.02), (9, 50, 0.3)):
        known = binomtest(worse, rows, alpha, alternative="less").pvalue
        assert chance(worse, rows, alpha) == pytest.approx(known)


@pytest.mark.parametrize(("rows", "share"), [(300, 0.007), (1000, 0.013), (3000, 0.016)])
def test_rows_allow_what_the_tables_say(rows: int, share: float) -> None:
    assert most_worse(rows, TWO) / rows == pytest.approx(share, abs=0.0005)


def test_more_certainty_allows_fewer_worse_decisions() -> None:
    allowed = [most_worse(300, Asked(0.02, sure)) for sure in (0.6, 0.9, 0.99)]
    assert allowed == [4, 2, 0]


def test_too_few_rows_get_a_sentence_with_how_many_are_needed() -> None:
    assert fewest_rows(TWO) == 114  # 0.98 ** 114 < 0.1 <= 0.98 ** 113
    assert most_worse(113, TWO) == -1
    assert most_worse(114, TWO) == 0
    refuse_few(114, TWO, "parts.csv")
    with pytest.raises(TableError, match=r"parts.csv: 113 rows .* needs at least 114"):
        refuse_few(113, TWO, "parts.csv")


@pytest.mark.parametrize("asked", [Asked(0.0), Asked(1.5), Asked(0.02, 0.3), Asked(0.02, 1.0)])
def test_shares_that_promise_nothing_are_refused(asked: Asked) -> None:
    with pytest.raises(JobError, match=r"alpha: |sure: "):
        asked.check()


def test_a_sequence_ends_with_the_first_point_that_fails() -> None:
    assert passed([0, 1, 2, 9, 0], 300, TWO) == 3
    assert passed([3], 300, TWO) == 0
    assert passed([], 300, TWO) == 0


def test_at_most_one_time_of_ten_a_point_that_loses_more_is_certified(
    draw: np.random.Generator,
) -> None:
    """Points that truly lose 0.5, 1 and a little over 2 %: how often the last is certified."""
    worse_TP = draw.binomial(300, [0.005, 0.01, 0.0201], (600, 3))
    wrongly = np.mean([passed(own, 300, TWO) == 3 for own in worse_TP.tolist()])
    assert 0.01 < wrongly <= 0.1


def test_mapie_gives_a_bound_that_is_no_sharper() -> None:
    """Hoeffding-Bentkus holds for every bounded loss; the binomial test knows that losses are 0 or
    1, and so never asks for fewer worse decisions."""
    methods = pytest.importorskip("mapie.risk_control.methods")
    for worse, rows in ((0, 200), (2, 300), (13, 1000)):
        given = (np.array([worse / rows]), rows, np.array([0.02]))
        known = np.ravel(methods.compute_hoeffding_bentkus_p_value(*given))[0]
        assert chance(worse, rows, 0.02) <= known + 1e-12
