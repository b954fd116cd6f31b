"""A wild cell among answers is told by its row and does not spoil what is learned of the others."""

import numpy as np
import pandas as pd
import pytest

from modalloy.cells.cells import Cells
from modalloy.checks.check import Check, check
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.outliers import outlying, times_spread
from modalloy.readers.targets.regress import NumberTarget
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts

DRAW = np.random.default_rng(0)
USUAL = DRAW.normal(50, 4, 200)


def with_cells(x: np.ndarray, **cells: float) -> np.ndarray:
    x = x.copy()
    for row, value in cells.items():
        x[int(row.removeprefix("r"))] = value
    return x


@pytest.mark.parametrize("value", [1e308, -1.7e308, 1e30, 1e5, -1e9])
@pytest.mark.parametrize("rows", [8, 60, 200])
def test_a_wild_number_is_found_alone(value: float, rows: int) -> None:
    x = with_cells(USUAL[:rows], r5=value)
    assert np.flatnonzero(outlying(x)).tolist() == [5]


@pytest.mark.parametrize(
    "x",
    [
        USUAL,
        USUAL * 1e300,
        DRAW.lognormal(0, 3, 5000),  # long tails have no gap
        DRAW.standard_cauchy(5000),
        DRAW.exponential(1, 100),
        np.repeat([0.0, 1.0, 5.0, 900.0], [950, 30, 18, 2]),  # few claims, one kind of them large
        np.repeat([0.0, 7.0], [199, 1]),
        np.repeat([1e6, 2e6], 50),
        np.arange(3.0),
        np.array([1.0, 1e30]),
        np.zeros(0),
    ],
)
def test_what_is_only_large_or_rare_is_left_alone(x: np.ndarray) -> None:
    assert not outlying(x).any()


def test_wild_numbers_beside_equal_ones_and_zeros_are_found() -> None:
    assert np.flatnonzero(outlying(with_cells(np.ones(100), r3=1e30))).tolist() == [3]
    sparse = with_cells(np.zeros(300), r1=2.0, r2=9.0, r8=1e30)
    assert np.flatnonzero(outlying(sparse)).tolist() == [8]
    assert np.flatnonzero(outlying(with_cells(USUAL, r1=1e9, r7=-2e12))).tolist() == [1, 7]


def test_how_far_it_is_never_overflows() -> None:
    with np.errstate(all="raise"):
        assert times_spread(np.array([1e308]), USUAL)[0] > 1e300


def fitted(y: np.ndarray, scale: str = "linear") -> tuple[NumberTarget, np.ndarray]:
    cells = Cells({"y": list(y)})
    target = NumberTarget.fit("t", config.Regress(target="y", scale=scale), cells)
    return target, target.read(cells)["y"]


@pytest.mark.parametrize("value", [1e308, 1e30, 1e6, -1e6])
def test_the_others_keep_their_differences(value: float) -> None:
    clean, z = fitted(USUAL)
    target, y = fitted(with_cells(USUAL, r5=value))
    assert target.scale == pytest.approx(clean.scale, rel=0.02)
    assert np.delete(y, 5).std() == pytest.approx(np.delete(z, 5).std(), rel=0.02)
    assert abs(y[5]) == pytest.approx(np.abs(np.delete(y, 5)).max())
    assert np.sign(y[5]) == np.sign(value)
    assert NumberTarget.from_state(target.state()) == target


def test_usual_answers_are_read_as_before() -> None:
    target, y = fitted(USUAL)
    assert (target.center, target.scale) == (USUAL.mean(), USUAL.std())
    assert np.allclose(y, (USUAL - USUAL.mean()) / USUAL.std())
    state = {k: v for k, v in target.state().items() if k != "limit"}  # of a run made before
    assert NumberTarget.from_state(state) == target


def test_equal_answers_but_a_wild_one_are_nothing_to_learn() -> None:
    with pytest.raises(TableError, match=r"'y' is 1 in all training rows but 1 \(such as 1e\+30\)"):
        fitted(with_cells(np.ones(50), r3=1e30))


def look(y: np.ndarray) -> Check:
    frame = pd.DataFrame({"x": DRAW.normal(size=len(y)), "y": y})
    page = {
        "table": "t",
        "split": {"random": "stratified"},
        "columns": {"x": {"type": "number"}},
        "tasks": {"t": {"type": "regress", "target": "y"}},
    }
    rows = np.arange(len(y))
    parts = Parts(rows[:150], rows[150:150], rows[150:])
    return check(config.Job.model_validate(page), open_table(frame), parts)


def test_check_names_the_row_and_how_far_it_is() -> None:
    said = look(with_cells(USUAL, r17=1e30, r190=-5e4))
    (told,) = [f for f in said.findings if "spread" in f.what]
    assert (told.level, told.where, told.rows) == ("warning", "y", [17, 190])
    assert told.what.startswith("row 17: 1e+30 is 2.6e+29 times the spread of the others; row 190:")
    assert "training takes 1 of them for the farthest of the others" in told.what
    assert said.ok


@pytest.mark.parametrize("row", [17, 190])
def test_check_refuses_what_nothing_can_be(row: int) -> None:
    said = look(with_cells(USUAL, **{f"r{row}": 1e308}))
    (error,) = said.errors
    assert (error.where, error.rows) == ("y", [row])
    assert error.what.startswith(f"row {row}: 1e+308 is ")
    assert error.what.endswith("mend or empty the cell")
