"""When a refresh is due: by time, by drift, when labels have come, when one was interrupted."""

from pathlib import Path

import pytest

import modalloy as ma
from loops import DAY_S, label_rows, log_rows, rows_of, serve, train
from modalloy.deployment.deployment import Deployment
from modalloy.job.config import Refresh
from modalloy.watching.plan import plan_of
from modalloy.watching.schedule import due
from modalloy.watching.states import ASKED, DRIFT, REJECTED, WAITING
from modalloy.watching.status import status


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("schedule"))


@pytest.fixture
def served(run: Path, tmp_path: Path) -> Deployment:
    found = serve(run, tmp_path)
    found.clock = lambda: found.history()[0].at + 1.0
    return found


def ask(served: Deployment) -> None:
    served.record(ASKED, why="asked for", version=1, labels=0)


def test_so_long_after_the_last_time(served: Deployment) -> None:
    made, plan = served.history()[0].at, Refresh(every="7d")
    assert due(served, made + 6.9 * DAY_S, plan=plan) == ""
    assert due(served, made + 7 * DAY_S, plan=plan) == "every 7d"
    assert due(served, made + 99 * DAY_S, plan=Refresh()) == ""
    ask(served)
    served.record(REJECTED, why="no")
    assert due(served, made + 7 * DAY_S, plan=plan) == ""
    assert due(served, made + 7.1 * DAY_S, plan=plan) == "every 7d"


def test_drift_makes_it_due_once(served: Deployment) -> None:
    made, plan = served.history()[0].at, Refresh(or_when="drift")
    assert due(served, made, plan=plan) == ""
    served.record(DRIFT, said="'heat' has drifted", rows=99)
    assert due(served, made, plan=plan) == "drift: 'heat' has drifted"
    assert due(served, made, plan=Refresh()) == ""
    ask(served)
    served.record(REJECTED, why="no")
    assert due(served, made, plan=plan) == ""


def test_an_interrupted_one_and_one_that_waits(served: Deployment) -> None:
    ask(served)
    assert due(served, 0.0) == "the last refresh was interrupted"
    served.record(WAITING, learn=0, judge=0, more=3, others=0, most="", said=[], ask=[])
    names = log_rows(served, rows_of(5, seed=1))
    label_rows(served, names[:2], ["hot"] * 2)
    assert due(served, 1e12, plan=Refresh(every="7d")) == ""
    label_rows(served, names[2:3], ["hot"])
    assert due(served, 0.0) == "3 more rows are labelled, and 3 were lacking"


def test_after_a_way_back_new_labels_come_first(served: Deployment, run: Path) -> None:
    plan = Refresh(every="1s", judge=20)
    ask(served)
    served.record(REJECTED, why="no")
    served.record("rolled back", **{"from": 2, "to": 1, "why": "complaints"})
    at = served.history()[-1].at
    names = log_rows(served, rows_of(30, seed=1))
    label_rows(served, names[:15], ["hot"] * 15, at=at - 1)
    label_rows(served, names[10:29], ["hot"] * 19, at=at + 1)
    assert due(served, at + 100, plan=plan) == ""
    label_rows(served, names[29:], ["hot"], at=at + 1)
    assert due(served, at + 100, plan=plan) == "20 rows are labelled since the way back"


def test_what_was_refused_while_rows_drift_needs_new_labels(served: Deployment) -> None:
    made, plan = served.history()[0].at, Refresh(or_when="drift", judge=20)
    names = log_rows(served, rows_of(40, seed=1))
    label_rows(served, names[:20], ["hot"] * 20)
    served.record(ASKED, why="asked for", version=1, labels=20)
    served.record(REJECTED, why="no")
    served.record(DRIFT, said="'heat' has drifted", rows=99)
    label_rows(served, names[20:39], ["hot"] * 19)
    assert due(served, made, plan=plan) == ""
    label_rows(served, names[39:], ["hot"])
    assert due(served, made, plan=plan) == "drift: 'heat' has drifted"


def test_a_clock_that_was_set_back_does_not_put_it_off_for_ever(served: Deployment) -> None:
    made, plan = served.history()[0].at, Refresh(every="7d", judge=20)
    assert due(served, made - 6 * DAY_S, plan=plan) == ""
    assert due(served, made - 900 * DAY_S, plan=plan) == "every 7d"
    ask(served)
    served.record(REJECTED, why="no")
    served.record("rolled back", **{"from": 2, "to": 1, "why": "complaints"})
    names = log_rows(served, rows_of(20, seed=1))
    label_rows(served, names, ["hot"] * 20, at=made - 900 * DAY_S)
    assert due(served, made + 9 * DAY_S, plan=plan) == ""
    told = "20 rows are labelled since the way back"
    assert due(served, made - 900 * DAY_S, plan=plan) == told


def test_the_plan_is_the_jobs_or_a_file(served: Deployment) -> None:
    assert plan_of(served) == Refresh(learn=60, judge=40)
    file = served.path / "refresh.yaml"
    file.write_text("every: 2w\nor_when: drift\n")
    assert plan_of(served) == Refresh(every="2w", or_when="drift")
    for text, why in (
        ("every: soon\n", "every: "),
        ("ever: 7d\n", "ever: "),
        ("every: [\n", "refresh.yaml: "),
    ):
        file.write_text(text)
        with pytest.raises(ma.JobError, match=why):
            plan_of(served)
    file.unlink()
    assert plan_of(served) == Refresh()


def test_the_history_in_words(served: Deployment) -> None:
    served.record(DRIFT, said="'heat' has drifted", rows=99)
    ask(served)
    assert "was interrupted after 'asked'" in status(served)[-1]
    served.record(WAITING, learn=10, judge=4, more=86, others=0, most="ann", said=[], ask=[])
    lines = status(served)
    assert lines[0].endswith("made: version 1 answers (run was given).")
    assert lines[1].endswith("drift: 'heat' has drifted.")
    assert lines[2].endswith("refresh asked for: asked for; version 1 answers.")
    assert lines[3].endswith(
        "waiting for labels: 86 more rows (there are 10 to learn from and 4 to judge by)."
    )
    served.record(WAITING, learn=90, judge=60, more=5, others=5, most="ann", said=[], ask=[])
    assert "5 more rows, 5 of them by others than 'ann' (there" in status(served)[4]
    assert lines[4] == f"Version 1 answers: {served.current().path} (given)."
