"""A study draws within its ranges, begins with the job as it is, and outlives what kills it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
from optuna.trial import TrialState

from modalloy.errors import RunError
from modalloy.job.ranges import Between, OneOf
from modalloy.judge.validate import Score
from modalloy.learn.phase import FOLD, WHOLE
from modalloy.learn.progress import Progress
from modalloy.tuning.manner import USUAL, Manner
from modalloy.tuning.space import Space
from modalloy.tuning.study import (
    SETTLED,
    STARTUP,
    TRIES,
    connect,
    disconnect,
    enqueue_first,
    next_trial,
    open_study,
    refuse_other_forms,
    revive,
    suggested,
)
from modalloy.tuning.trial import Bench, Looks, Orphaned, OutOfTime, Pruned

SPACE: Space = {
    "train.lr": Between(1e-4, 1e-2, log=True),
    "fuse.width": Between(8, 64, whole=True, step=8),
    "fuse.rank": Between(8, 64, log=True, whole=True, step=8),
    "fuse.type": OneOf(("concat", "gated")),
    "columns.s.front": OneOf((["learned"], ["statistics"])),
}
OWN: dict[str, Any] = {
    "train.lr": 1e-3,
    "fuse.width": 16,
    "fuse.rank": 24,
    "fuse.type": "concat",
    "columns.s.front": ["learned"],
}

# A worker that dies in the middle of its trial. A process of its own: a fork of one that has
# threads may wait for ever for what another thread held.
KILLED = """
import os, signal, sys
from pathlib import Path
from modalloy.tuning.manner import Manner
from modalloy.tuning.study import connect, next_trial, open_study, suggested
from test_study import OWN, SPACE
study = open_study(connect(Path(sys.argv[1]), None), "one", Manner(), 0)
trial = next_trial(study, "here", 3)
suggested(trial, SPACE, OWN)
os.kill(os.getpid(), signal.SIGKILL)
"""


def in_memory(manner: Manner = USUAL) -> optuna.Study:
    """A study without a file."""
    return open_study(optuna.storages.InMemoryStorage(), "one", manner, 0)


def test_what_is_drawn_lies_in_its_range_and_begins_with_the_job_itself() -> None:
    study = in_memory()
    enqueue_first(study, SPACE, OWN, 0)
    drawn = []
    for _ in range(STARTUP + 4):
        trial = next_trial(study, "me", None)
        assert trial is not None
        drawn.append(suggested(trial, SPACE, OWN))
        study.tell(trial, float(trial.number))
    assert drawn[0] == OWN
    assert all(SPACE[p].holds(v) for values in drawn for p, v in values.items())
    kept = [sum(values[p] == v for p, v in OWN.items()) for values in drawn[1:STARTUP]]
    assert 0 < sum(kept) < len(OWN) * (STARTUP - 1)
    assert {values["fuse.type"] for values in drawn} == {"concat", "gated"}
    assert {tuple(values["columns.s.front"]) for values in drawn} == {("learned",), ("statistics",)}


def test_a_worker_that_is_killed_leaves_a_trial_that_is_tried_anew(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed = subprocess.run(command, cwd=Path(__file__).parent, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    storage = connect(tmp_path, None)
    study = open_study(storage, "one", Manner(), 1)
    (dead,) = study.get_trials()
    assert dead.state == TrialState.RUNNING
    assert revive(study, "elsewhere", ownerless=False) == 0
    for _ in range(TRIES - 1):
        assert revive(study, "here", ownerless=True) == 1
        again = next_trial(study, "here", 3)
        assert again is not None
        suggested(again, SPACE, OWN)
        assert again.params == dead.params
    assert revive(study, "here", ownerless=True) == 1  # it dies again and again: given up
    fresh = next_trial(study, "here", 3)
    assert fresh is not None
    suggested(fresh, SPACE, OWN)
    assert fresh.params != dead.params
    disconnect(storage)


def test_no_more_trials_begin_than_there_shall_be(monkeypatch: pytest.MonkeyPatch) -> None:
    study = in_memory()
    assert next_trial(study, "a", 2) is not None
    ask = study.ask

    def late(*args: Any, **options: Any) -> optuna.Trial:
        ask()  # another process takes the last one between our look and our asking
        return ask()

    monkeypatch.setattr(study, "ask", late)
    assert next_trial(study, "b", 2) is None
    assert next_trial(study, "b", 2) is None
    states = [t.state for t in study.get_trials()]
    assert states == [TrialState.RUNNING, TrialState.RUNNING, TrialState.FAIL]


def bench(**changes: Any) -> Bench:
    """What trials share, without a job."""
    nothing = cast("Any", None)
    return Bench(nothing, nothing, nothing, SPACE, OWN, **changes)


def at(score: float, looks: int) -> Progress:
    """A training after so many looks."""
    curves: list[dict[str, Any]] = [{"epoch": i + 1} for i in range(looks)]
    return Progress(8, 9, best=Score(score, {}), curves=curves)


def test_a_bad_trial_is_ended_at_a_look_and_a_good_one_goes_on() -> None:
    study = in_memory()
    for score in (0.8, 0.7, 0.9, 0.75):
        trial = study.ask()
        for looks in range(1, SETTLED + 2):
            Looks(trial, bench())(at(score, looks), WHOLE)
        study.tell(trial, score)
    good, bad = study.ask(), study.ask()
    for looks in range(1, SETTLED + 2):
        Looks(good, bench())(at(0.85, looks), WHOLE)
    for looks in range(1, SETTLED):  # nothing is ended at the first looks
        Looks(bad, bench())(at(0.2, looks), WHOLE)
    with pytest.raises(Pruned):
        Looks(bad, bench())(at(0.2, SETTLED), WHOLE)


def test_folds_are_compared_after_each_fold() -> None:
    study = in_memory()
    trial = study.ask()
    looks, first, second = Looks(trial, bench()), at(0.5, 1), at(0.9, 1)
    looks(first, FOLD)
    first.best = Score(0.7, {})
    looks(first, FOLD)
    looks(second, FOLD)
    looks(at(0.1, 1), FOLD)
    reported = study.get_trials()[0].intermediate_values
    assert reported == {SETTLED: pytest.approx(0.7), SETTLED + 1: pytest.approx(0.8)}


def test_the_end_of_the_time_meets_a_trial_at_its_next_look() -> None:
    trial = in_memory().ask()
    Looks(trial, bench(until=1e12))(at(0.5, 1), WHOLE)
    with pytest.raises(OutOfTime):
        Looks(trial, bench(until=1.0))(at(0.9, 2), WHOLE)
    Looks(trial, bench(until=1.0), default=True)(at(0.9, 2), WHOLE)  # it alone has its time
    with pytest.raises(Orphaned):  # so does the end of the process that started this one
        Looks(trial, bench(parent=os.getpid()))(at(0.9, 2), WHOLE)


def test_two_goals_are_kept_apart() -> None:
    study = in_memory(Manner("nsga2", "median", "size"))
    trial = study.ask()
    suggested(trial, SPACE, OWN)
    Looks(trial, bench(against="size"))(at(0.5, 1), WHOLE)  # nothing is reported, nothing ended
    study.tell(trial, [0.5, 100.0])
    assert [t.number for t in study.best_trials] == [0]


@pytest.mark.parametrize("sampler", ["gp", "nsga2"])
def test_every_sampler_draws_within_the_ranges(sampler: Any) -> None:
    study = in_memory(Manner(sampler))
    enqueue_first(study, SPACE, OWN, 0)
    for _ in range(STARTUP + 2):
        trial = study.ask()
        values = suggested(trial, SPACE, OWN)
        assert all(SPACE[p].holds(v) for p, v in values.items())
        study.tell(trial, values["train.lr"])


def test_forms_stay_as_they_were_within_a_study() -> None:
    study = in_memory()
    trial = study.ask()
    suggested(trial, SPACE, OWN)
    study.tell(trial, 0.5)
    refuse_other_forms(study, SPACE | {"train.lr": Between(1e-5, 1.0, log=True)})
    with pytest.raises(RunError, match=r"tune.train.lr: .* tried numbers by their logarithm until"):
        refuse_other_forms(study, SPACE | {"train.lr": Between(1e-5, 1.0)})
    with pytest.raises(RunError, match=r"tune.fuse.type: .* has tried \['concat', 'gated'\]"):
        refuse_other_forms(study, {"fuse.type": OneOf(("concat", "tabm"))})


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@localhost:1/none", "sqlite:////nowhere/at/all.db", "no url"]
)
def test_a_storage_that_cannot_be_reached_is_one_sentence(url: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be reached") as caught:
        connect(tmp_path, url)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith(url)
