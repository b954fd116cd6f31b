"""A row asked with cells hidden or changed answers as a table that lacks or changes these cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modalloy.answer.predictor import Predictor
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.columns import share_columns
from modalloy.attribution.explain_row import check_row
from modalloy.attribution.outcome import find_outcome
from modalloy.blend.mixture import Blend, Mixture
from modalloy.errors import JobError, TableError
from modalloy.job.job_file import load_job
from modalloy.table.open_table import open_table
from untrained import untrained
from xor import signs, write_xor, xor_job


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Path]:
    """An untrained run over three numbers, blended with a method that knows their signs."""
    folder = tmp_path_factory.mktemp("asked")
    table = write_xor(folder, rows=40)
    run = untrained(folder / "run", table, job=load_job(xor_job(table)))
    predictor = Predictor(run)
    said = {
        "same": np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]),
        "score": np.array([[50.0], [100.0], [75.0]]),
    }
    tasks = {t: Mixture(0.25, {}, ((0.75, signs(run.readers, a)),)) for t, a in said.items()}
    predictor.blend = Blend(tasks)
    return predictor, table


def asked_row(parts: tuple[Predictor, Path], row: int) -> AskedRow:
    """One row of the table."""
    predictor, table = parts
    return AskedRow(predictor, predictor.open(open_table(table))[0], row)


def test_hidden_and_changed_cells_answer_as_in_a_table(parts: tuple[Predictor, Path]) -> None:
    predictor, table = parts
    frame = pd.read_parquet(table).iloc[[3, 3, 3, 3]].reset_index(drop=True)
    frame.loc[1, "left"] = None
    frame.loc[2, ["left", "right", "noise"]] = None
    frame.loc[3, "right"] = -7.5
    expected = predictor.answers(frame)
    hidden = [frozenset(), {"left"}, {"left", "right", "noise"}, frozenset()]
    right = float(frame["right"][0])
    changed = {"right": np.array([right, right, right, -7.5])}
    for task, key in (("same", "probability"), ("score", "value"), ("score", "quantiles")):
        found = asked_row(parts, 3).ask(task, [frozenset(h) for h in hidden], changed)
        assert found[key] == pytest.approx(expected[task][key], rel=1e-5, abs=1e-6)


def test_columns_add_up_and_what_is_missing_is_no_player(parts: tuple[Predictor, Path]) -> None:
    asked = asked_row(parts, 7)  # its `left` is missing
    for task, key in (("same", "probability"), ("score", "value")):
        outcome = find_outcome(asked, task, label=None, item=0)
        found = share_columns(asked, outcome)
        assert found.columns == ["right", "noise"]
        assert found.absent == ["left"]
        whole = np.max(asked.ask(task, [frozenset()])[key])
        blank = outcome.worth(asked, [frozenset(found.columns)])[0]
        assert found.shares.value_N.sum() == pytest.approx(whole - blank, abs=1e-4)


def test_the_pair_that_decides_together_is_named(parts: tuple[Predictor, Path]) -> None:
    found = share_columns(asked_row(parts, 3), find_outcome(asked_row(parts, 3), "same",
                                                            label=None, item=0))  # fmt: skip
    first, *_ = found.pairs()
    assert set(first[:2]) == {"left", "right"}
    assert first[2] == pytest.approx(0.75 * 0.4, abs=0.05)  # .9 against .5 by the method alone


def test_another_class_is_explained_where_it_is_asked_for(parts: tuple[Predictor, Path]) -> None:
    asked = asked_row(parts, 3)
    both = [find_outcome(asked, "same", label=n, item=0) for n in ("no", "yes")]
    values = [share_columns(asked, o).shares.value_N for o in both]
    assert values[0] == pytest.approx(-values[1], abs=1e-6)
    with pytest.raises(JobError, match=r"task 'same' has no class 'yess'\. Did you mean 'yes'"):
        find_outcome(asked, "same", label="yess", item=0)


def test_a_row_that_does_not_exist_gets_a_sentence(parts: tuple[Predictor, Path]) -> None:
    predictor, table = parts
    loader, _ = predictor.open(open_table(table))
    for row in (40, -1):
        with pytest.raises(TableError, match=f"there is no row {row}; it has 40 rows"):
            check_row(loader, row)
