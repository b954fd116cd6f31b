"""Changes of numbers are found where the answer changes, and past rows are the nearest ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modalloy.answer.predictor import Predictor
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.change import find_changes
from modalloy.attribution.outcome import find_outcome
from modalloy.attribution.past import TrainingRows, training_rows
from modalloy.blend.mixture import Blend, Mixture
from modalloy.errors import JobError
from modalloy.job.job_file import load_job
from modalloy.table.open_table import open_table
from untrained import untrained
from xor import signs, write_xor, xor_job

ROW = 11  # a training row has number 0 or 1 of four; this one is a test row


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Path]:
    """An untrained run over three numbers; a method that knows two of their signs answers alone."""
    folder = tmp_path_factory.mktemp("change")
    table = write_xor(folder, rows=60)
    predictor = Predictor(untrained(folder / "run", table, job=load_job(xor_job(table))))
    said = {
        "same": np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]),
        "score": np.array([[50.0], [100.0], [75.0]]),
    }
    methods = {t: ((1.0, signs(predictor.run.readers, a)),) for t, a in said.items()}
    predictor.blend = Blend({t: Mixture(0.0, {}, m) for t, m in methods.items()})
    return predictor, table


def past_of(predictor: Predictor) -> TrainingRows:
    """The rows that it learned from."""
    found = training_rows(predictor)
    assert isinstance(found, TrainingRows), found
    return found


def asked_row(parts: tuple[Predictor, Path]) -> AskedRow:
    """One row of the table."""
    predictor, table = parts
    return AskedRow(predictor, predictor.open(open_table(table))[0], ROW)


def test_a_class_changes_where_a_number_changes_its_sign(parts: tuple[Predictor, Path]) -> None:
    asked, past = asked_row(parts), past_of(parts[0])
    row = pd.read_parquet(parts[1]).iloc[ROW]
    outcome = find_outcome(asked, "same", label=None, item=0)
    (found,) = find_changes(asked, outcome, ["left"], past)
    assert found.to["left"] == pytest.approx(0.0, abs=2e-3)  # 4,096th of a step of the grid
    assert found.beyond == ("below" if row["left"] > 0 else "above")
    assert found.answer == ("no" if outcome.name == "yes" else "yes")
    assert found.said.startswith("left: at ")
    assert f"and {found.beyond} the answer would be '{found.answer}'" in found.said
    assert find_changes(asked, outcome, ["noise"], past) == []


def test_a_number_says_how_far_another_moves_it(parts: tuple[Predictor, Path]) -> None:
    asked, past = asked_row(parts), past_of(parts[0])
    outcome = find_outcome(asked, "score", label=None, item=0)
    low, high = find_changes(asked, outcome, ["right"], past)
    assert (low.answer, high.answer) == ("50.0", "100")
    assert np.sign(low.to["right"]) == -np.sign(high.to["right"])


def test_two_numbers_are_tried_where_one_is_not_enough(
    parts: tuple[Predictor, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, past = asked_row(parts), past_of(parts[0])
    outcome = find_outcome(asked, "same", label=None, item=0)
    monkeypatch.setattr("modalloy.attribution.change.class_changes", lambda *_: [])
    (found,) = find_changes(asked, outcome, ["left", "right"], past)
    row = pd.read_parquet(parts[1]).iloc[ROW]
    before = (row["left"] > 0) == (row["right"] > 0)
    assert ((found.to["left"] > 0) == (found.to["right"] > 0)) != before
    assert found.beyond == "both"


def test_only_numbers_within_what_was_learned_are_tried(parts: tuple[Predictor, Path]) -> None:
    past = past_of(parts[0])
    frame = pd.read_parquet(parts[1])
    known = frame.loc[frame.part == "train", "right"]
    expected = known.quantile([0.01, 0.99]).tolist()
    assert past.number_range("right") == pytest.approx(expected)
    with pytest.raises(JobError, match=r"'lefd' is no number column .* Did you mean 'left'"):
        find_changes(asked_row(parts), find_outcome(asked_row(parts), "same", label=None, item=0),
                     ["lefd"], past)  # fmt: skip


def test_past_rows_are_the_nearest_but_the_row_itself(parts: tuple[Predictor, Path]) -> None:
    predictor, table = parts
    loader, _ = predictor.open(open_table(table))
    frame = pd.read_parquet(table)
    train = np.flatnonzero(frame.part == "train")
    row = int(train[4])
    fused = predictor.embed(table).fused.astype(float)
    apart = np.linalg.norm(fused[train] - fused[row], axis=1)
    apart[4] = np.inf
    found = past_of(predictor).nearest(loader, row, 3)
    assert [p.row for p in found] == train[np.argsort(apart)[:3]].tolist()
    assert [p.distance for p in found] == pytest.approx(np.sort(apart)[:3], rel=1e-4)
    assert [p.truth["same"] for p in found] == frame.same[[p.row for p in found]].tolist()


def test_another_table_in_the_training_tables_place_is_told(
    parts: tuple[Predictor, Path], tmp_path: Path
) -> None:
    table = write_xor(tmp_path, rows=60)
    predictor = Predictor(untrained(tmp_path / "run", table, job=load_job(xor_job(table))))
    write_xor(tmp_path, rows=60, seed=1)
    assert "no longer holds the rows" in str(training_rows(predictor))
    table.unlink()
    assert "The training table is not at hand" in str(training_rows(predictor))
