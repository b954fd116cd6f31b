import json
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.cells.cells import Cells
from modalloy.cells.numbers import to_number
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.number import NumberReader, robust, spans_magnitudes

ANY_CELL = st.one_of(
    st.none(), st.floats(), st.integers(), st.booleans(), st.text(max_size=5), st.just(pd.NA)
)


def fit(cells: list[object], **options: object) -> NumberReader:
    return NumberReader.fit("load", config.Number(**options), Cells({"load": cells}))


def test_scaling_is_by_median_and_quartiles_and_softly_bounded() -> None:
    x = np.random.default_rng(0).normal(100.0, 5.0, 4001)
    x[:40] = 1e9  # one percent of the sensor's readings are absurd
    reader = fit(list(x))
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75])
    z = (x - middle) / ((high - low) / 1.349)
    read = reader.read(Cells({"load": list(x)}))
    assert np.allclose(read.values["x"], z / np.sqrt(1 + (z / 3) ** 2), atol=1e-6)
    assert np.abs(read.values["x"]).max() <= 3.0
    assert 0.85 < read.values["x"][40:].std() < 1.0


def test_nothing_nan_infinity_and_text_are_told_apart() -> None:
    reader = fit([1.0, 2.0, 3.0, None])
    cells = [None, math.nan, math.inf, "abc", "", " 2.5 ", Decimal("2.5"), np.float32("nan"), True]
    read = reader.read(Cells({"load": cells}))
    assert read.present.tolist() == [False] * 5 + [True, True, False, True]
    assert read.status[:3] == ["missing"] * 3
    assert read.status[3] == "unreadable: 'abc' is no number"
    assert read.status[5:] == ["ok", "ok", "missing", "ok"]
    assert (read.values["x"][~read.present] == 0).all()
    assert read.values["x"][5] == read.values["x"][6] > 0


MARKS = ["n/a", "NA", " N.A. ", "null", "None", "nd", "n.d.", "TBD", "missing", "unknown", "ERR"]
MARKS += ["error", "-", "--", "\N{EN DASH}", "?", "#N/A", "#DIV/0!", "#value!", "-1.#IND", "nan"]


@pytest.mark.parametrize("mark", MARKS)
def test_marks_for_no_value_read_as_an_empty_cell_does(mark: str) -> None:
    reader, without = fit(["1", mark, "2", "4"]), fit(["1", None, "2", "4"])
    assert reader == without
    read = reader.read(Cells({"load": [mark, None, "2"]}))
    assert read.present.tolist() == [False, False, True]
    assert read.status == ["missing", "missing", "ok"]
    assert (read.values["x"][:2] == 0).all()


@pytest.mark.parametrize(
    "cell", ["<0.5", "> 100", "OVERFLOW", "OFF", "12,5", "12,5 kg", "n/a?", "no", "x", "- 3", "0 -"]
)
def test_what_tells_something_of_an_amount_is_no_mark(cell: str) -> None:
    with pytest.raises(TableError, match="which is no number"):
        fit([1.0, cell])
    assert fit([1.0]).read(Cells({"load": [cell]})).status == [f"unreadable: {cell!r} is no number"]


def test_edges_are_few_unique_and_ascending() -> None:
    draw = np.random.default_rng(0)
    many = fit(list(draw.exponential(2.0, 5000)), bins=8)
    assert len(many.edges) == 9
    assert (np.diff(many.edges) > 0).all()
    scaled = many.read(Cells({"load": list(draw.exponential(2.0, 5000))})).values["x"]
    shares = np.histogram(scaled, many.edges)[0] / 5000
    assert np.abs(shares - 1 / 8).max() < 0.02
    few = fit([1, 2, 5] * 9, bins=8)
    assert np.allclose(few.edges, few.read(Cells({"load": [1, 2, 5]})).values["x"])
    assert len(fit([7.0] * 5).edges) == 2


def test_constant_and_mostly_constant_columns_have_a_scale() -> None:
    assert fit([7.0] * 5).scale == 1.0
    mostly = fit([0.0] * 95 + [10.0] * 5)
    assert mostly.scale == pytest.approx(np.std([0.0] * 95 + [10.0] * 5))


def test_amounts_over_magnitudes_are_told_apart_on_a_log_scale() -> None:
    x = np.random.default_rng(0).lognormal(3.0, 2.5, 500)
    assert spans_magnitudes(x)
    assert not spans_magnitudes(np.random.default_rng(0).normal(3.0, 2.5, 500))
    assert not spans_magnitudes(np.zeros(5))
    cells = Cells({"load": [*x.tolist(), 1e4, 1e6, None, math.inf]})
    gaps = {}
    for scale in ("linear", "log"):
        reader = NumberReader.fit("load", config.Number(scale=scale), Cells({"load": x}))
        assert NumberReader.from_state(json.loads(json.dumps(reader.state()))) == reader
        read = reader.read(cells)
        assert read.present.tolist() == [True] * 502 + [False, False]
        gaps[scale] = float(read.values["x"][501] - read.values["x"][500])
    assert gaps["log"] > 10 * gaps["linear"] > 0


def test_text_and_empty_columns_are_refused() -> None:
    with pytest.raises(TableError, match=r"column 'load' holds '12 kN', which is no number"):
        fit([1.0, "12 kN"])
    with pytest.raises(TableError, match="column 'load' is empty in all 3 training rows"):
        fit([None, math.nan, math.inf])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@settings(deadline=None, max_examples=80)
def test_any_numbers_can_be_fitted_and_read(x: list[float]) -> None:
    center, scale = robust(np.array(x))
    assert math.isfinite(center)
    assert 0 < scale < math.inf
    reader = fit(list(x))
    read = reader.read(Cells({"load": [*x, 1.7e308, -1.7e308, 5e-324]}))
    assert np.isfinite(read.values["x"]).all()
    assert read.present.all()
    assert (np.diff(reader.edges) > 0).all()


@given(st.lists(ANY_CELL, min_size=1, max_size=12))
@settings(deadline=None, max_examples=80)
def test_a_row_reads_alone_as_it_does_among_others(cells: list[object]) -> None:
    reader = NumberReader("load", 3.0, 2.0, (-1.0, 1.0))
    assert NumberReader.from_state(json.loads(json.dumps(reader.state()))) == reader
    together = reader.read(Cells({"load": cells}))
    for row, cell in enumerate(cells):
        alone = reader.read(Cells({"load": [cell]}))
        assert np.array_equal(alone.values["x"], together.values["x"][[row]])
        assert (alone.present[0], alone.status[0]) == (together.present[row], together.status[row])


def test_to_number_takes_no_list_for_a_number() -> None:
    assert to_number([1.0]) is None
    assert to_number(np.array([1.0])) is None
    assert math.isnan(to_number(pd.NaT))


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_span_is_what_training_held(scale: str) -> None:
    x = np.random.default_rng(1).normal(100.0, 500.0, 300)
    assert fit([*x, None, math.inf], scale=scale).span == pytest.approx((x.min(), x.max()))
    assert fit([7.0, 7.0, None], scale=scale).span == pytest.approx((7.0, 7.0))
    assert fit([0.0] * 9 + [3.0], scale=scale).span == pytest.approx((0.0, 3.0))
