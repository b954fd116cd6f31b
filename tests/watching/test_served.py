"""What a server or a timer does now and then: drift is noted once, a bad swap goes back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from loops import DAY_S, SHIFT, label_rows, log_rows, rows_of, serve, train
from modalloy.answer.predictor import Predictor
from modalloy.deployment.row_log import RowLog
from modalloy.job.config import Refresh
from modalloy.machine.files import locked
from modalloy.readers.targets.regress import NumberTarget
from modalloy.table.table import Table
from modalloy.watching.cycle import LOCK
from modalloy.watching.drifted import drifted
from modalloy.watching.label_file import label_from
from modalloy.watching.labelled import labelled_rows
from modalloy.watching.served import note_drift, refresh_if_due
from modalloy.watching.swap_check import check_swap


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and one that has learned the contrary."""
    good, bad = (tmp_path_factory.mktemp(n) for n in ("good", "bad"))
    found = train(good)
    frame = pd.read_parquet(good / "old.parquet")
    frame["kind"] = np.where(frame["kind"] == "hot", "cold", "hot")
    return found, train(bad, frame)


def warm(predictor: Predictor, table: Table, time: str) -> str:
    """Says that `heat` has drifted where its mean is above 25."""
    assert time == "at"
    assert table.moments(time).min() > 0
    mean = table.numbers("heat").mean()
    return f"'heat' is {mean:.0f} on average" if mean > 25 else ""


def test_drift_is_noted_once_and_refreshes(runs: tuple[Path, Path], tmp_path: Path) -> None:
    served = serve(runs[0], tmp_path, plan="or_when: drift\n")
    now = served.history()[0].at + DAY_S
    served.clock = lambda: now
    log_rows(served, rows_of(60, seed=1), at=now - 5)
    assert refresh_if_due(served, warm) == []
    log_rows(served, rows_of(500, seed=1, shift=SHIFT), at=now - 4, request="b", said=["hot"] * 500)
    found = refresh_if_due(served, warm)
    assert [r.state for r in found] == ["drift", "waiting for labels"]
    assert found[0].facts["said"].startswith("'heat' is ")
    assert note_drift(served, warm) is None
    assert refresh_if_due(served, warm) == []


@pytest.mark.parametrize("better", [True, False])
def test_rows_labelled_since_a_swap_keep_it_or_roll_it_back(
    runs: tuple[Path, Path], tmp_path: Path, better: bool
) -> None:
    served = serve(runs[0] if not better else runs[1], tmp_path)
    assert check_swap(served) is None
    served.add(runs[1] if not better else runs[0], origin="by hand")
    served.swap(2, "tried")
    assert check_swap(served) is None
    at = served.history()[-1].at + 5
    frame = rows_of(60, seed=3)
    names = log_rows(served, frame, at=at, said=frame["kind"].tolist())
    label_rows(served, names[:35], frame["kind"].tolist()[:35], at=at)
    label_rows(served, names[35:], frame["kind"].tolist()[35:], source="bob", at=at)
    with (
        locked(served.path / LOCK, "here"),
        pytest.raises(ma.RunError, match="another refresh is under way"),
    ):
        check_swap(served)
    found = check_swap(served)
    assert found is not None
    assert found.state == ("kept" if better else "rolled back")
    assert served.current().number == (2 if better else 1)
    assert check_swap(served) is None


@pytest.mark.parametrize("trusted", [False, True])
def test_one_source_alone_takes_nothing_back(
    runs: tuple[Path, Path], tmp_path: Path, trusted: bool
) -> None:
    plan = "learn: 60\njudge: 40\n" + ("trust: [mallory]\n" if trusted else "")
    served = serve(runs[1], tmp_path, plan=plan)
    served.add(runs[0], origin="by hand")
    served.swap(2, "tried")
    frame = rows_of(60, seed=3)
    wrong = np.where(frame["kind"] == "hot", "cold", "hot").tolist()
    names = log_rows(served, frame, at=-DAY_S, said=wrong)  # a clock that was set back
    label_rows(served, names, wrong, source="mallory")
    found = check_swap(served)
    if trusted:
        assert found is not None
        assert found.state == "rolled back"
    else:
        assert found is None
        assert served.current().number == 2


def test_drift_is_looked_for_though_the_clock_was_set_back(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    served = serve(runs[0], tmp_path)
    back = served.history()[0].at - 30 * DAY_S
    served.clock = lambda: back
    log_rows(served, rows_of(60, seed=1, shift=SHIFT), at=back)
    found = note_drift(served, warm)
    assert found is not None
    assert found.facts["rows"] == 60
    assert note_drift(served, warm) is None


def test_a_row_from_the_future_takes_nobody_out(runs: tuple[Path, Path], tmp_path: Path) -> None:
    served = serve(runs[0], tmp_path)
    for day in (0, 1, 9000):
        names = log_rows(served, rows_of(4, seed=day), request=str(day), at=day * DAY_S)
        label_rows(served, names, ["hot"] * 4)
    log, predictor = RowLog(served.path), Predictor(served.current().path)
    given = (log, predictor, Refresh(window="10d"), None)
    assert len(labelled_rows(*given).ids) == 4
    found = labelled_rows(*given, now=2 * DAY_S)
    assert len(found.ids) == 12
    assert found.frame["at"].max() == pd.Timestamp(2 * DAY_S, unit="s")


def test_of_very_many_logged_rows_some_are_looked_at(
    runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modalloy.watching.served.MOST", 55)
    served = serve(runs[0], tmp_path)
    now = served.history()[0].at + DAY_S
    served.clock = lambda: now
    log_rows(served, rows_of(300, seed=1, shift=SHIFT), at=now)
    found = note_drift(served, warm)
    assert found is not None
    assert found.facts["rows"] == 55


def test_labels_from_a_table(runs: tuple[Path, Path], tmp_path: Path) -> None:
    served = serve(runs[0], tmp_path)
    names = log_rows(served, rows_of(3, seed=1))
    log = RowLog(served.path)
    table = pd.DataFrame(
        {"row_id": names, "kind": ["hot", None, "cold"], "source": ["ann", "", ""]}
    )
    assert label_from(log, table, source="import", at=1.0) == 2
    assert [(k.row_id, k.label, k.source) for k in log.labels()] == [
        (names[0], "hot", "ann"),
        (names[2], "cold", "import"),
    ]
    with pytest.raises(ma.RunError, match="row 'x' and 1 others are not in the log"):
        label_from(
            log,
            pd.DataFrame({"row_id": [names[0], "x", "y"], "kind": ["hot"] * 3}),
            source="s",
            at=1.0,
        )
    twice = pd.DataFrame({"row_id": [names[0]] * 2, "kind": ["hot", "cold"]})
    with pytest.raises(ma.TableError, match=r"'s' labels row '\w+' twice, as 'hot' and as 'cold'"):
        label_from(log, twice, source="s", at=1.0)
    with pytest.raises(ma.TableError, match="labels need the columns row_id and kind"):
        label_from(log, pd.DataFrame({"row": names}), source="s", at=1.0)
    assert len(log.labels()) == 2


def test_labels_of_long_ago_do_not_count(runs: tuple[Path, Path], tmp_path: Path) -> None:
    served = serve(runs[0], tmp_path)
    for day in (0, 50):
        names = log_rows(served, rows_of(4, seed=day), request=str(day), at=day * DAY_S)
        label_rows(served, names, ["hot"] * 4)
    log, predictor = RowLog(served.path), Predictor(served.current().path)
    found = {w: labelled_rows(log, predictor, Refresh(window=w), None) for w in ("10d", "30d")}
    assert [len(rows.ids) for rows in found.values()] == [4, 8]
    assert found["10d"].said[0].startswith("4 rows left out: labelled rows of more than four")


def test_what_a_refresh_has_learned_is_no_drift_any_more(tmp_path: Path) -> None:
    (tmp_path / "trained").mkdir()
    (tmp_path / "served").mkdir()
    run = train(tmp_path / "trained", unlike={"use": "auto"})
    served = serve(run, tmp_path / "served", plan="or_when: drift\nlearn: 60\njudge: 40\n")
    now = served.history()[0].at + DAY_S
    served.clock = lambda: now
    frame = rows_of(160, seed=11, shift=SHIFT)
    ids, kinds = log_rows(served, frame, at=now - 5), frame["kind"].tolist()
    label_rows(served, ids[:80], kinds[:80], source="ann")
    label_rows(served, ids[80:], kinds[80:], source="ben")
    first = refresh_if_due(served, drifted)
    assert [r.state for r in first] == ["drift", "swapped"]
    log_rows(served, rows_of(200, seed=4, shift=SHIFT), at=now + 5, request="b")
    assert note_drift(served, drifted) is None
    log_rows(served, rows_of(400, seed=5, shift=2 * SHIFT), at=now + 6, request="c")
    again = note_drift(served, drifted)
    assert again is not None
    assert "heat" in again.facts["said"]


def test_a_label_that_its_task_cannot_read_is_refused_with_its_row(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    served = serve(runs[0], tmp_path)
    log = RowLog(served.path)
    (name,) = log_rows(served, rows_of(1, seed=1))
    target = NumberTarget("kind", "kind", 0.0, 1.0, False)
    table = pd.DataFrame({"row_id": [name], "kind": ["abc"]})
    with pytest.raises(ma.TableError, match=f"the label of row '{name}': .* 'abc', which is no"):
        label_from(log, table, source="s", at=1.0, targets={"kind": target})
    assert len(log.labels()) == 0
