"""Rows of a run's table as designs, and what each of them is to the run."""

from pathlib import Path

import numpy as np
import pytest
from beam_runs import beam_rows, beam_run

from modalloy.designing import past_run
from modalloy.designing.past_run import open_past_run, shares
from modalloy.designing.run_space import space_of_run
from modalloy.designing.surrogates.of_run import Answering
from modalloy.errors import DesignError, RunError
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job
from modalloy.twin.space import Space
from modalloy.twin.variables import Categorical, Continuous, Free, Integer, Ordinal

SPLIT = {"by": "machine", "test": 0.25, "validation": 0.2}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    frame = beam_rows(80)
    frame["scrap"] = np.geomspace(0.01, 100.0, 80)
    columns = {"width": {"type": "number", "unit": "mm"}, "bolts": {"type": "number"}}
    columns |= {"metal": {"type": "category"}, "shift": {"type": "category"}}
    columns |= {"scrap": {"type": "number", "scale": "log"}, "machine": {"type": "group"}}
    return beam_run(tmp_path_factory.mktemp("run"), frame, columns=columns, steps=0)


def parts_of(run: Run) -> Parts:
    return split_job(open_table(run.job.table), run.job)


def test_rows_of_a_split_teach_tell_or_are_kept_away(run: Run) -> None:
    parts, past = parts_of(run), open_past_run(run.path, needed=19)
    assert past.telling.tolist() == parts.validation.tolist()
    assert past.source == "validation rows"
    assert past.learned.tolist() == parts.train.tolist()
    assert not np.isin(np.concatenate([past.telling, past.learned]), parts.test).any()


def test_numbers_learned_by_their_logarithm_are_told_and_answered_in_their_unit(run: Run) -> None:
    past = open_past_run(run.path, needed=19)
    assert run.job.tasks["deflection"].scale == "log"
    rows, table = past.telling, open_table(run.job.table)
    true_N = table.numbers("deflection", rows)
    np.testing.assert_allclose(past.truth(("deflection",), rows)[:, 0], true_N)
    read = ["width", "bolts"]

    def cells(u_ND: np.ndarray) -> dict[str, list[float]]:
        return {name: table.numbers(name, rows[: len(u_ND)]).tolist() for name in read}

    own = Answering(past.predictor, ("deflection",), cells, np.ones(1), np.zeros(1))
    said_N = past.predictor.frame(cells(np.zeros((8, 1))), inputs=read)["deflection"]
    np.testing.assert_allclose(own.answers(np.zeros((8, 1)))[0][:, 0], said_N)


def test_calibration_rows_tell_alone_where_they_suffice(tmp_path: Path) -> None:
    split = SPLIT | {"calibration": 0.3}
    run = beam_run(tmp_path, beam_rows(80), split=split, steps=0)
    parts = parts_of(run)
    count = len(parts.calibration)
    alone = open_past_run(run.path, needed=count)
    assert alone.telling.tolist() == parts.calibration.tolist()
    assert alone.source == "calibration rows"
    assert np.isin(parts.validation, alone.learned).all()
    both = open_past_run(run.path, needed=count + 1)
    assert both.source == "calibration and validation rows"
    assert set(both.telling) == {*parts.calibration, *parts.validation}


def test_a_run_that_learned_from_its_validation_rows_is_told_nothing_by_them(
    tmp_path: Path,
) -> None:
    frame = beam_rows(80)
    run = beam_run(tmp_path, frame, steps=0, refit=True)
    parts, past = parts_of(run), open_past_run(run.path, needed=19)
    assert len(past.telling) == 0
    assert set(past.learned) == {*parts.train, *parts.validation}


def test_columns_become_variables_between_what_was_learned(run: Run) -> None:
    past = open_past_run(run.path, needed=19)
    own = space_of_run(past)
    table = open_table(run.job.table)
    width_N = table.numbers("width", past.learned)
    assert own.twin.variables["width"] == Continuous(
        low=width_N.min(), high=width_N.max(), unit="mm"
    )
    assert own.twin.variables["bolts"] == Integer(low=2, high=6)
    assert own.twin.variables["metal"] == Categorical(choices=("aluminium", "steel"))
    scrap = own.twin.variables["scrap"]
    assert isinstance(scrap, Continuous)
    assert scrap.log
    assert own.held == {"shift": "early"}
    assert set(own.twin.outputs) == {"mass", "deflection"}
    assert own.units == {
        "width": "mm", "bolts": None, "scrap": None, "mass": "kg", "deflection": "mm"
    }  # fmt: skip


def test_rows_become_designs_as_a_space_encodes_them(run: Run) -> None:
    past = open_past_run(run.path, needed=19)
    space = Space(space_of_run(past).twin.variables)
    u_ND, which = past.designs(space, past.learned, {})
    table = open_table(run.job.table)
    rows = [{n: table.cells(n, np.array([i]))[0] for n in space.free} for i in which]
    np.testing.assert_allclose(u_ND, space.encode(rows), atol=1e-12)
    assert which.tolist() == past.learned.tolist()
    narrow = Space({"width": Continuous(low=30.0, high=40.0)})
    _, inside = past.designs(narrow, past.learned, {})
    width_N = table.numbers("width", past.learned)
    assert inside.tolist() == past.learned[(width_N >= 30) & (width_N <= 40)].tolist()
    metres = Space({"width": Continuous(low=0.0, high=1.0)})
    u_ND, _ = past.designs(metres, past.learned, {"width": (1e-3, 0.0)})
    np.testing.assert_allclose(u_ND[:, 0], width_N / 1000)


@pytest.mark.parametrize(
    ("variable", "values", "outside"),
    [
        (Continuous(low=1.0, high=3.0), [1.0, 2.5, 3.0], [0.9, 3.1, np.nan]),
        (Continuous(low=1.0, high=9.0, log=True), [1.0, 3.0, 9.0], [0.0, -1.0, 10.0]),
        (Integer(low=-1, high=3), [-1.0, 0.0, 3.0], [0.5, 4.0, np.nan]),
        (Ordinal(levels=(8, 10, 16)), [8.0, 10.0, 16.0], [9.0, np.nan, 17.0]),
        (Ordinal(levels=("rough", "fine")), ["rough", "fine"], ["coarse", None]),
        (Categorical(choices=("a", "b")), ["a", "b"], ["c", None]),
    ],
)
def test_values_are_placed_as_a_space_places_them(
    variable: Free, values: list, outside: list
) -> None:
    space = Space({"x": variable})
    kind = object if isinstance(values[0], str) else float
    expected = space.encode([{"x": value} for value in values])
    np.testing.assert_allclose(shares(variable, np.array(values, dtype=kind)), expected)
    assert np.isnan(shares(variable, np.array(outside, dtype=kind))).all()


def test_what_is_no_run_with_rows_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        open_past_run(tmp_path, needed=19)
    other = beam_run(tmp_path / "other", beam_rows(80), steps=0)
    beam_rows(80, seed=1).to_parquet(str(other.job.table))
    with pytest.raises(RunError, match="no longer holds the rows"):
        open_past_run(other.path, needed=19)
    monkeypatch.setattr(past_run, "FRAME", run.job.table)
    with pytest.raises(DesignError, match="was trained on a frame in memory"):
        open_past_run(run.path, needed=19)
