"""Which labelled rows count, and on which side they stand whatever comes later."""

from pathlib import Path

import numpy as np
import pandas as pd

from adapting import job_of
from loops import COLUMNS, rows_of
from modalloy.answer.predictor import Predictor
from modalloy.deployment.deployment import Deployment
from modalloy.deployment.log_rows import Given
from modalloy.deployment.row_log import RowLog
from modalloy.job.config import Refresh
from modalloy.job.job_file import load_job
from modalloy.watching.labelled import JUDGE, LEARN, Labelled, labelled_rows, part
from modalloy.watching.lacking import lacks
from modalloy.watching.screen import disputed, misses, odd_sources
from untrained import untrained


def rows(units: list[str]) -> Labelled:
    return Labelled(pd.DataFrame({"row_id": units}), ["ann"] * len(units), units, [])


def test_two_of_five_rows_judge_and_units_stay_whole() -> None:
    given = rows([f"m{n % 25}" for n in range(500)])
    found = part(given, {})
    assert set(found) == set(given.unit)
    share = sum(found[u] == JUDGE for u in given.unit) / 500
    assert 0.36 <= share <= 0.44


def test_units_stay_where_they_were() -> None:
    first = part(rows([f"m{n}" for n in range(10)]), {})
    more = part(rows([f"m{n}" for n in range(20)]), first)
    assert not {*more} & {*first}
    whole = first | more
    assert 7 <= sum(side == JUDGE for side in whole.values()) <= 9
    assert part(rows([*whole]), whole) == {}


def test_a_side_that_lacks_rows_gets_the_new_ones() -> None:
    assert part(rows(["a", "b", "c"]), {"a": LEARN, "b": LEARN}) == {"c": JUDGE}
    assert part(rows(["a", "b", "c"]), {"a": JUDGE, "b": JUDGE}) == {"c": LEARN}


def test_two_sources_that_differ_dispute_a_row() -> None:
    given = [
        Given("1", "kind", "ok", "ann"),
        Given("1", "kind", "bad", "ann"),
        Given("1", "kind", "bad", "bob"),
        Given("2", "kind", "ok", "ann"),
        Given("2", "kind", "bad", "bob"),
        Given("3", "kind", "ok", "ann"),
        Given("3", "life", 4.0, "bob"),
    ]
    assert disputed(given) == {"2"}


def labels(source: str, start: int, wrong: int, rows: int) -> list[Given]:
    return [
        Given(str(start + n), "kind", "bad" if n < wrong else "ok", source) for n in range(rows)
    ]


def test_a_source_beyond_all_others_is_odd_and_a_drift_is_not() -> None:
    answers = pd.DataFrame({"row_id": [str(n) for n in range(100)], "kind": ["ok"] * 100})
    mallory, ann = labels("mallory", 0, 18, 20), labels("ann", 20, 4, 40)
    assert [*odd_sources([*mallory, *ann], answers, set())] == ["mallory"]
    assert odd_sources([*mallory, *labels("ann", 20, 36, 40)], answers, set()) == {}
    assert odd_sources([*mallory[:9], *ann], answers, set()) == {}
    assert odd_sources([*mallory, *ann], answers, {str(n) for n in range(15)}) == {}


def test_numbers_that_are_far_off_contradict() -> None:
    far = misses([1.0] * 18 + [50.0, 60.0], [1.0] * 20)
    assert far is not None
    assert np.flatnonzero(far).tolist() == [18, 19]
    assert misses([[1, 2]], [[1, 2]]) is None


def test_how_many_labels_are_lacking() -> None:
    plan = Refresh(learn=60, judge=40)
    assert lacks({LEARN: 10, JUDGE: 50}, plan) == 50
    assert lacks({LEARN: 10, JUDGE: 30}, plan) == 60
    assert lacks({LEARN: 10, JUDGE: 30}, Refresh(learn=12, judge=20)) == 2
    assert lacks({LEARN: 60, JUDGE: 40}, plan) == 0


def test_a_label_that_teaches_nothing_leaves_its_row_out_alone(tmp_path: Path) -> None:
    """It would be read again by each refresh, and stop it."""
    frame = rows_of(600, seed=0)
    frame["part"] = np.array(["train", "train", "train", "val", "test"])[np.arange(600) % 5]
    frame["life"] = 2 * frame["heat"]
    frame.to_parquet(tmp_path / "old.parquet", index=False)
    life = {"life": {"type": "regress", "target": "life"}}
    run = untrained(tmp_path / "run", tmp_path / "old.parquet", job=load_job(job_of(
        tmp_path / "old.parquet", COLUMNS, life)))  # fmt: skip
    served = Deployment.of(run.path)
    log, answers = RowLog(served.path), pd.DataFrame({"row": range(6), "life": [40.0] * 6})
    cells = rows_of(6, seed=1).drop(columns="kind").to_dict("records")
    names = log.add(cells, answers, version=1, request="a", source="s", at=0.0)
    for name, label in zip(names, [40.0, "abc", 41.5, [1, 2], float("inf"), 39], strict=True):
        log.label(name, "life", label, source="ann", at=0.0)
    found = labelled_rows(log, Predictor(run.path), Refresh(), None)
    assert found.ids == [names[0], names[2], names[5]]
    assert found.said[0].startswith("2 rows left out: column 'life' holds ")
    assert found.said[1] == "1 row left out: their labels say nothing"
