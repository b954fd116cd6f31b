"""Versions of a served model: which one answers, what happened to it, and the way back."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import modalloy as ma
from adapting import KIND, job_of, trained, write_waves
from modalloy.deployment.deployment import Deployment, live_of
from modalloy.runs.run import Run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Two runs of one job over other rows."""
    folder = tmp_path_factory.mktemp("runs")
    columns = {"heat": {"type": "number", "bins": 4}}
    found = []
    for seed in (0, 1):
        table = write_waves(folder / f"{seed}.parquet", rows=60, seed=seed)
        job = job_of(table, columns, KIND)
        job["train"] = {**job["train"], "epochs": 1}
        found.append(trained(folder / f"run-{seed}", job))
    return found[0], found[1]


@pytest.fixture
def served(runs: tuple[Run, Run], tmp_path: Path) -> Deployment:
    """A deployment of a copy of the first run."""
    shutil.copytree(runs[0].path, tmp_path / "run")
    return Deployment.of(tmp_path / "run", clock=lambda: 5.0)


def test_first_use_makes_a_folder_beside_the_run(served: Deployment, tmp_path: Path) -> None:
    assert served.path == tmp_path / "run.live"
    current = served.current()
    assert (current.number, current.path) == (1, tmp_path / "run")
    assert current.digest == ma.load_run(tmp_path / "run").identity
    again = Deployment.of(tmp_path / "run")
    assert again.current() == current
    assert [r.state for r in again.history()] == ["made"]
    assert again.about()["tasks"] == {"kind": ["kind"]}


def test_run_and_folder_may_move_together(served: Deployment, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("run", "run.live"):
        (tmp_path / name).rename(moved / name)
    found = Deployment.of(moved / "run").current()
    assert found.path == moved / "run"
    found.check_whole()


def test_a_folder_of_another_model_is_refused(served: Deployment, runs: tuple[Run, Run]) -> None:
    with pytest.raises(ma.RunError, match=r"is of another model.*give another folder with --live"):
        Deployment.of(runs[1].path, served.path)
    with pytest.raises(ma.RunError, match="modalloy serve RUN"):
        Deployment.open(served.path.parent)


def test_a_run_that_was_changed_is_refused(served: Deployment, tmp_path: Path) -> None:
    weights = tmp_path / "run" / "model.safetensors"
    old = weights.read_bytes()
    weights.write_bytes(old[:-1] + bytes([old[-1] ^ 1]))
    served.current().check()  # the seal is as it was; its parts are not
    with pytest.raises(ma.RunError, match=r"model\.safetensors is not the file"):
        served.current().check_whole()
    (tmp_path / "run" / "run.json").write_bytes(b"{}")
    with pytest.raises(ma.RunError, match="is not the model that was added as version 1"):
        served.current().check()


def test_swap_and_back(served: Deployment, runs: tuple[Run, Run]) -> None:
    two = served.add(runs[1].path, origin="by hand")
    assert served.current().number == 1
    assert served.add(runs[1].path, origin="once more") == two
    served.swap(2, "better")
    served.swap(2, "already there")
    assert served.current() == two
    assert served.rollback().number == 1
    assert served.current().number == 1
    assert [r.state for r in served.history()] == ["made", "swapped", "rolled back"]
    assert served.history()[1].facts["why"] == "better"
    with pytest.raises(ma.RunError, match="nothing to roll back to"):
        served.rollback()
    with pytest.raises(ma.RunError, match="has no version 3; it has 1, 2"):
        served.swap(3, "x")


def test_way_back_goes_over_what_was_rolled_back(
    served: Deployment, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    shutil.copytree(runs[1].path, tmp_path / "third")
    seal = tmp_path / "third" / "run.json"
    seal.write_bytes(seal.read_bytes() + b" ")
    served.add(runs[1].path, origin="a")
    served.add(tmp_path / "third", origin="b")
    served.swap(2, "a")
    served.swap(3, "b")
    assert [served.rollback().number, served.rollback().number] == [2, 1]


def test_a_version_that_was_changed_does_not_come_back(
    served: Deployment, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    served.add(runs[1].path, origin="by hand")
    served.swap(2, "better")
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(ma.RunError, match="is missing"):
        served.rollback()
    assert served.current().number == 2
    assert len(served.history()) == 2


def test_killed_between_record_and_pointer_has_switched(
    served: Deployment, runs: tuple[Run, Run]
) -> None:
    served.add(runs[1].path, origin="by hand")
    before = (served.path / "current.json").read_bytes()
    served.swap(2, "better")
    (served.path / "current.json").write_bytes(before)  # as though the record alone was written
    assert Deployment.open(served.path).current().number == 2
    assert [r.state for r in served.history()] == ["made", "swapped"]


def test_killed_while_it_is_made(served: Deployment, tmp_path: Path) -> None:
    (served.path / "current.json").unlink()
    again = Deployment.of(tmp_path / "run")
    assert again.current().number == 1
    assert [r.state for r in again.history()] == ["made"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_changed_record_is_named(served: Deployment, number: int) -> None:
    served.record("asked", why="drift")
    served.record("rejected", points=-1.5)
    file = served.path / "history" / f"{number:06d}.json"
    data = json.loads(file.read_text())
    data["facts"] = {"to": 1}
    file.write_text(json.dumps(data))
    with pytest.raises(ma.RunError, match=f"{number:06d}.json: was changed"):
        served.history()


def test_a_record_with_a_new_hash_of_its_own_is_named(served: Deployment) -> None:
    from modalloy.deployment.history import hash_of

    served.record("asked", why="drift")
    served.record("rejected", points=-1.5)
    file = served.path / "history" / "000002.json"
    data = json.loads(file.read_text())
    del data["sha256"]
    data["facts"] = {"why": "nothing"}
    file.write_text(json.dumps({**data, "sha256": hash_of(data)}, indent=1))
    with pytest.raises(ma.RunError, match=r"000002\.json: was changed.*the record after it"):
        served.history()
    file.unlink()
    with pytest.raises(ma.RunError, match=r"000002\.json: is missing"):
        served.history()


def test_a_history_cut_off_before_the_last_switch_is_found(
    served: Deployment, runs: tuple[Run, Run]
) -> None:
    served.add(runs[1].path, origin="by hand")
    served.swap(2, "better")
    (served.path / "history" / "000002.json").unlink()
    with pytest.raises(ma.RunError, match="record 2 is the last one, which is missing"):
        served.history()
    (served.path / "history" / "newest.json").unlink()
    with pytest.raises(ma.RunError, match="record 2, by which version 2 answers, is missing"):
        served.history()


def test_a_byte_changed_anywhere_is_found(served: Deployment, runs: tuple[Run, Run]) -> None:
    """Every byte of every record, and of what names the last and the answering one."""
    served.add(runs[1].path, origin="by hand")
    served.record("asked", why="drift")
    served.swap(2, "bétter")
    served.record("kept", version=2, why="1.50")
    files = [*sorted((served.path / "history").iterdir()), served.path / "current.json"]
    assert len(files) == 6
    for file in files:
        whole = file.read_bytes()
        for at in range(len(whole)):
            for turned in {whole[at] ^ 1, *(b"\t" if whole[at : at + 1].isspace() else b"")}:
                changed = whole[:at] + bytes([turned]) + whole[at + 1 :]
                if file.name in ("newest.json", "current.json") and same_json(changed, whole):
                    continue
                file.write_bytes(changed)
                with pytest.raises(ma.RunError):
                    served.history()
        file.write_bytes(whole)
    assert len(served.history()) == 4


def same_json(one: bytes, other: bytes) -> bool:
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


def test_any_record_that_is_taken_out_is_found(served: Deployment) -> None:
    for why in "abc":
        served.record("asked", why=why)
    for number in range(1, 5):
        file = served.path / "history" / f"{number:06d}.json"
        kept = file.read_bytes()
        file.unlink()
        with pytest.raises(ma.RunError, match=r"missing|no record of which version"):
            served.history()
        file.write_bytes(kept)


def test_killed_between_a_record_and_its_name_nothing_is_lost(served: Deployment) -> None:
    newest = served.path / "history" / "newest.json"
    before = newest.read_bytes()
    served.record("asked", why="drift")
    newest.write_bytes(before)  # as though the record alone was written
    assert [r.state for r in Deployment.open(served.path).history()] == ["made", "asked"]
    served.record("rejected", why="no")
    assert json.loads(newest.read_text())["record"] == 3


def test_another_model_cannot_be_put_in_a_versions_place(
    served: Deployment, runs: tuple[Run, Run]
) -> None:
    served.add(runs[1].path, origin="by hand")
    file, other = (served.path / "versions" / f"{n}.json" for n in (1, 2))
    told = json.loads(other.read_text())
    file.write_text(json.dumps({**told, "number": 1}))
    with pytest.raises(ma.RunError, match=r"1\.json: was changed since record 1 let it answer"):
        served.current()
    pointer = served.path / "current.json"
    now = json.loads(pointer.read_text())
    pointer.write_text(json.dumps({**now, "version": 2}))
    for ask in (served.current, served.history):
        with pytest.raises(ma.RunError, match="restore it from a copy"):
            ask()
    pointer.write_text(json.dumps({"version": 2}))
    with pytest.raises(ma.RunError, match="is not what was written here"):
        served.current()


def test_a_switch_is_made_only_where_the_expected_version_answers(
    served: Deployment, runs: tuple[Run, Run]
) -> None:
    served.add(runs[1].path, origin="by hand")
    with pytest.raises(ma.RunError, match="version 1 answers by now, not 2; nothing was swapped"):
        served.swap(2, "better", answering=2)
    served.swap(2, "better", answering=1)
    served.rollback(answering=2)
    with pytest.raises(ma.RunError, match="version 1 answers by now, not 2; nothing was rolled"):
        served.rollback(answering=2)
    assert [r.state for r in served.history()] == ["made", "swapped", "rolled back"]


def test_many_write_at_once(served: Deployment) -> None:
    def write(which: int) -> None:
        for turn in range(5):
            Deployment.open(served.path).record("note", which=which, turn=turn)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = served.history()
    assert [r.number for r in found] == list(range(1, 22))
    assert {(r.facts["which"], r.facts["turn"]) for r in found[1:]} == {
        (w, t) for w in range(4) for t in range(5)
    }


def test_a_full_disk_leaves_all_as_it_was(
    served: Deployment, runs: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    served.add(runs[1].path, origin="by hand")

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ma.RunError, match="No space left on device"):
            served.swap(2, "better")
    assert Deployment.open(served.path).current().number == 1
    assert len(served.history()) == 1
    served.swap(2, "better")
    assert served.current().number == 2


def test_the_way_back_loads_neither_torch_nor_tables(
    served: Deployment, runs: tuple[Run, Run]
) -> None:
    served.add(runs[1].path, origin="by hand")
    served.swap(2, "better")
    code = (
        "import sys; from pathlib import Path; "
        "from modalloy.deployment.deployment import Deployment; "
        "print(Deployment.open(Path(sys.argv[1])).rollback().number, "
        "[m for m in ('torch', 'pandas', 'pyarrow', 'pydantic') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(served.path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "1 []"


def test_live_is_beside_a_bundle_too(tmp_path: Path) -> None:
    assert live_of(tmp_path / "model.zip") == tmp_path.resolve() / "model.zip.live"
