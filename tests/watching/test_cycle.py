"""A served model is refreshed from labelled rows; killed in any state, it goes on where it was."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from loops import DAY_S, PLAN, SHIFT, drifted, label_rows, log_rows, rows_of, serve, train
from modalloy.answer.predictor import Predictor
from modalloy.deployment.deployment import Deployment
from modalloy.job.config import Refresh
from modalloy.machine.files import locked
from modalloy.runs.run import load_run
from modalloy.watching.cycle import LOCK, refresh, remove_rejected
from modalloy.watching.lacking import lacks_others
from modalloy.watching.status import status

WAY = ["asked", "parted", "learned", "shadowed", "judged", "swapped"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, trained once for all tests here; each serves a copy."""
    return train(tmp_path_factory.mktemp("loop"))


@pytest.fixture(scope="module")
def refreshed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment whose sensor drifted, and that was refreshed without a break."""
    found = serve(run, tmp_path_factory.mktemp("whole"))
    drifted(found)
    refresh(found, "asked for")
    return found


@pytest.fixture
def waiting(refreshed: Deployment, tmp_path: Path) -> Deployment:
    """The same deployment as it was before its refresh."""
    shutil.copytree(refreshed.path.parent / "run", tmp_path / "run")
    shutil.copytree(refreshed.path, tmp_path / "run.live")
    live = tmp_path / "run.live"
    for number in range(2, 8):
        (live / "history" / f"{number:06d}.json").unlink()
    shutil.rmtree(live / "versions" / "2")
    (live / "versions" / "2.json").unlink()
    first = json.loads((live / "history" / "000001.json").read_text())
    last = {"record": 1, "sha256": first["sha256"]}
    (live / "history" / "newest.json").write_text(json.dumps(last))
    (live / "current.json").write_text(json.dumps({"version": 1, **last}))
    return Deployment.open(live)


def states(deployment: Deployment) -> list[str]:
    return [r.state for r in deployment.history()]


def outcome(deployment: Deployment) -> tuple:
    """All that a refresh decides: its states, the rows it took, what it learned, who answers."""
    history = deployment.history()
    parted = next(r.facts for r in history if r.state == "parted")
    judged = next(r.facts for r in history if r.state == "judged")
    weights = deployment.current().path / "model.safetensors"
    learned = load_run(weights.parent).sealed[weights.name]
    numbers = [v.number for v in deployment.versions()]
    return states(deployment), parted, judged, learned, deployment.current().number, numbers


def test_a_drifted_sensor_is_learned_and_answers(refreshed: Deployment) -> None:
    assert states(refreshed) == ["made", *WAY]
    assert refreshed.current().number == 2
    assert refreshed.current().path == refreshed.path / "versions" / "2"
    fresh = rows_of(100, seed=9, shift=SHIFT)
    cells = fresh.drop(columns="kind")
    right = []
    for number in (1, 2):
        said = Predictor(refreshed.version(number).path).frame(cells)["kind"]
        right.append((said.to_numpy() == fresh["kind"].to_numpy()).mean())
    assert right[0] < 0.7
    assert right[1] > 0.85
    judged = refreshed.history()[5].facts
    assert judged["tasks"]["kind"]["after"] > judged["tasks"]["kind"]["before"] + 10
    assert {g.split("=")[0] for g in judged["groups"]} >= {"line", "labelled by"}


def test_rows_that_judge_are_learned_by_neither(refreshed: Deployment) -> None:
    parted = refreshed.history()[2].facts
    assert not {*parted["learn"]} & {*parted["judge"]}
    assert len(parted["judge"]) >= 40
    assert len(parted["learn"]) >= 60
    units = parted["units"]
    assert {units[i] for i in parted["learn"]} == {"learn"}
    assert {units[i] for i in parted["judge"]} == {"judge"}


def test_the_way_back_answers_to_the_bit_as_before(refreshed: Deployment, tmp_path: Path) -> None:
    shutil.copytree(refreshed.path.parent, tmp_path / "x")
    served = Deployment.open(tmp_path / "x" / "run.live")
    cells = rows_of(50, seed=4).drop(columns="kind")
    before = Predictor(served.version(1).path).frame(cells)
    assert not before.equals(Predictor(served.current().path).frame(cells))
    assert ma.rollback(tmp_path / "x" / "run", why="operators complain").number == 1
    after = Predictor(served.current().path).frame(cells)
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    lines = status(served)
    assert lines[-3].endswith("rolled back to version 1 from 2: operators complain.")
    assert lines[-1] == "The last refresh was taken, and rolled back: operators complain."


# A process of its own, since a fork of one that has threads may wait for ever for what another
# thread held. It kills itself the so manieth time that a refresh tells how far it is.
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from modalloy.deployment.deployment import Deployment
from modalloy.watching.cycle import refresh
left = iter(range(1, 99))
def told(state):
    if next(left) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
refresh(Deployment.open(Path(sys.argv[1])), "asked for", told=told)
"""


def test_killed_at_every_state_it_goes_on(waiting: Deployment, refreshed: Deployment) -> None:
    """Before a state's record is written, and after it, one state after another."""
    for number in range(1, len(WAY) + 1):
        for call, there in ((1, number - 1), (2, number)):
            words = [sys.executable, "-W", "ignore", "-c", KILLED, str(waiting.path), str(call)]
            done = subprocess.run(words, timeout=200)
            assert done.returncode == -signal.SIGKILL
            assert states(Deployment.open(waiting.path)) == ["made", *WAY][: 1 + there]
    assert outcome(Deployment.open(waiting.path)) == outcome(refreshed)


def test_killed_between_the_run_and_its_record_it_learns_once(
    waiting: Deployment, refreshed: Deployment
) -> None:
    seen = []

    def stop(state: str) -> None:
        seen.append(state)
        if seen.count("learned") == 1 and state == "learned":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refresh(waiting, "asked for", told=stop)
    made = (waiting.path / "versions" / "2" / "run.json").read_bytes()
    refresh(waiting, "asked for")
    assert (waiting.path / "versions" / "2" / "run.json").read_bytes() == made
    assert [v.number for v in waiting.versions()] == [1, 2]


def test_a_full_disk_rejects_nothing_and_it_goes_on_later(
    waiting: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise ma.RunError("model.safetensors: cannot be written.") from error

    with monkeypatch.context() as patch:
        patch.setattr("modalloy.watching.cycle.adapted", full)
        with pytest.raises(ma.RunError, match="cannot be written"):
            refresh(waiting, "asked for")
    assert states(waiting) == ["made", "asked", "parted"]
    assert refresh(waiting, "once more").state == "swapped"
    assert states(waiting) == ["made", *WAY]


def test_two_at_once_are_refused(waiting: Deployment) -> None:
    with (
        locked(waiting.path / LOCK, "here"),
        pytest.raises(ma.RunError, match="another refresh is under way"),
    ):
        refresh(waiting, "asked for")
    assert states(waiting) == ["made"]


def test_too_few_labels_wait_and_say_how_many_more(run: Path, tmp_path: Path) -> None:
    served = serve(run, tmp_path)
    names = log_rows(served, rows_of(30, seed=2, shift=SHIFT))
    label_rows(served, names[:10], ["hot"] * 10)
    last = refresh(served, "asked for")
    assert last.state == "waiting for labels"
    assert last.facts["more"] == 90
    assert last.facts["learn"] + last.facts["judge"] == 10
    assert {*last.facts["ask"]} == {*names[10:]}
    assert served.current().number == 1
    assert status(served)[-1] == "The last refresh waits for labels: 90 more rows."


def test_others_must_have_labelled_some_of_the_rows_that_judge() -> None:
    plan = Refresh(trust=("bob",))
    assert lacks_others([], plan) == ("", 0)
    assert lacks_others(["ann"] * 60, plan) == ("ann", 20)
    assert lacks_others(["bob"] * 60, plan) == ("bob", 0)
    assert lacks_others(["ann"] * 60 + ["bob"] * 5, plan) == ("ann", 15)
    assert lacks_others(["ann"] * 60 + ["bob"] * 15 + ["eve"] * 5, plan) == ("ann", 0)


@pytest.mark.parametrize("trusted", [False, True])
def test_wrong_labels_of_the_only_source_wait_for_somebody_else(
    run: Path, tmp_path: Path, trusted: bool
) -> None:
    """Where the sensor shows what it never showed, no old test row contradicts them."""
    plan = PLAN + ("trust: [mallory]\n" if trusted else "")
    served = serve(run, tmp_path, plan=plan)
    frame = rows_of(200, seed=5, shift=SHIFT)
    names = log_rows(served, frame, at=DAY_S, said=["hot"] * 200)
    turned = np.where(frame["kind"] == "hot", "cold", "hot").tolist()
    label_rows(served, names, turned, source="mallory", at=DAY_S)
    last = refresh(served, "asked for")
    assert last.state == ("swapped" if trusted else "waiting for labels")
    if trusted:
        assert "all labels are of 'mallory'" in last.facts["why"]
        return
    assert (last.facts["most"], last.facts["more"], last.facts["others"]) == ("mallory", 20, 20)
    assert "20 more rows, 20 of them by others than 'mallory'" in "".join(status(served))
    truth = frame["kind"].tolist()
    label_rows(served, names[:100], truth[:100], source="ann", at=DAY_S)
    assert refresh(served, "asked for").state in ("waiting for labels", "rejected")
    assert served.current().number == 1


def test_a_refresh_that_gains_nothing_is_rejected(run: Path, tmp_path: Path) -> None:
    served = serve(run, tmp_path)
    frame = rows_of(150, seed=3)
    names = log_rows(served, frame, said=frame["kind"].tolist())
    label_rows(served, names[::2], frame["kind"].tolist()[::2])
    label_rows(served, names[1::2], frame["kind"].tolist()[1::2], source="bob")
    last = refresh(served, "asked for")
    assert last.state == "rejected"
    assert served.current().number == 1
    assert status(served)[-1].startswith("The last refresh was not taken: ")


def test_wrong_labels_of_one_source_are_not_swapped_in(run: Path, tmp_path: Path) -> None:
    served = serve(run, tmp_path)
    frame = rows_of(200, seed=5, shift=SHIFT)
    names = log_rows(served, frame, at=DAY_S, said=["hot"] * 200)
    turned = np.where(frame["kind"] == "hot", "cold", "hot").tolist()
    truth = frame["kind"].tolist()
    label_rows(served, names[:120], turned[:120], source="mallory", at=DAY_S)
    label_rows(served, names[120:135], truth[120:135], source="ann", at=DAY_S)
    last = refresh(served, "asked for")
    assert last.state == "waiting for labels"
    assert last.facts["most"] == "mallory"
    assert last.facts["more"] >= last.facts["others"] > 0
    label_rows(served, names[135:], truth[135:], source="ann", at=DAY_S)
    assert refresh(served, "asked for").state == "rejected"
    assert served.current().number == 1


def test_one_source_that_contradicts_all_others_is_left_out(run: Path, tmp_path: Path) -> None:
    served = serve(run, tmp_path)
    frame = rows_of(200, seed=6)
    names = log_rows(served, frame, said=frame["kind"].tolist())
    turned = np.where(frame["kind"] == "hot", "cold", "hot").tolist()
    label_rows(served, names[:50], turned[:50], source="mallory")
    for turn, source in enumerate(("ann", "bob")):
        own = slice(50 + turn, None, 2)
        label_rows(served, names[own], frame["kind"].tolist()[own], source=source)
    refresh(served, "asked for")
    parted = next(r.facts for r in served.history() if r.state == "parted")
    assert not {*parted["learn"], *parted["judge"]} & {*names[:50]}
    assert any(s.startswith("50 rows left out: 'mallory' contradicts") for s in parted["said"])


def test_what_was_rejected_takes_no_room_for_long(run: Path, tmp_path: Path) -> None:
    served = serve(run, tmp_path)
    for number in (2, 3):
        shutil.copytree(run, served.room(number))
        seal = served.room(number) / "run.json"
        seal.write_bytes(seal.read_bytes() + b" " * number)
        served.add(served.room(number), origin="refreshed")
    served.swap(3, "better")
    served.rollback()
    remove_rejected(served)
    assert not served.room(2).exists()
    assert served.room(3).exists()
    assert served.current().path.exists()
    assert [v.number for v in served.versions()] == [1, 2, 3]


def test_a_bundle_learns_nothing(refreshed: Deployment, tmp_path: Path) -> None:
    shutil.copytree(refreshed.path.parent, tmp_path / "x")
    served = Deployment.open(tmp_path / "x" / "run.live")
    path = served.current().path
    for name in ("run.json",):
        (path / name).unlink()
    (path / "manifest.json").write_text("{}")
    with pytest.raises(ma.RunError, match="is a bundle, which learns nothing more"):
        refresh(served, "asked for")
