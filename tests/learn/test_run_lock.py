"""One training a directory, and a usable run whatever ends the process that writes it."""

import errno
import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import modalloy as ma
from conftest import make_job, write_table
from modalloy.errors import RunError
from modalloy.job.job_file import load_job
from modalloy.learn.progress import LAST
from modalloy.learn.run_lock import claim, refuse_changed
from modalloy.machine import files
from modalloy.machine.files import locked
from modalloy.runs.rows import load_prints, save_prints
from modalloy.runs.seal import digest
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts, split_job
from modalloy.table.table import open_table

pytestmark = pytest.mark.usefixtures("no_lines")


class Trained(NamedTuple):
    """A job of one column, and a run of it for tests to copy."""

    job: dict[str, Any]
    path: Path


@pytest.fixture(scope="module")
def trained(no_lines: None, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("locked")
    job = make_job(write_table(folder), columns=("load",), train={"epochs": 1})
    return Trained(job, ma.train(job, out=folder / "run", quiet=True).path)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it to tidy up."""


def test_a_lock_file_that_was_removed_meanwhile_is_not_taken_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, calls = tmp_path / "lock", files.fcntl.flock, []

    def after_another_left(file: Any, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:  # opened, not yet held: the process before us ends
            path.unlink()
        real(file, how)

    monkeypatch.setattr(files.fcntl, "flock", after_another_left)
    with locked(path, "held"):
        assert len(calls) == 2
        with pytest.raises(RunError, match="held"), locked(path, "held"):
            pass
    assert not path.exists()


def test_of_many_at_once_never_two_are_in(tmp_path: Path) -> None:
    inside, most, entered, stop = [], [], [], time.monotonic() + 3

    def work() -> None:
        while time.monotonic() < stop:
            try:
                with locked(tmp_path / "lock", "held"):
                    inside.append(1)
                    most.append(len(inside))
                    entered.append(1)
                    time.sleep(0)
                    inside.pop()
            except RunError:
                pass

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) > 10
    assert max(most) == 1


def test_a_run_is_in_use_until_its_report_is_written_and_not_overwritten_then(
    tmp_path: Path, small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import modalloy.learn.train_run as training

    job = job_dict(small_table, columns=("load",), train={"epochs": 1})
    out, real, said = tmp_path / "run", training.report_on, []

    def reporting(*given: Any, **options: Any) -> None:
        assert (out / "run.json").is_file()
        with pytest.raises(RunError) as refused, claim(out, resume=False):
            pass
        said.append(str(refused.value))
        real(*given, **options)

    monkeypatch.setattr(training, "report_on", reporting)
    ma.train(job, out=out, quiet=True)
    assert said == [f"{out}: another training writes to this directory."]
    with pytest.raises(RunError, match="holds a finished run; give"), claim(out, resume=False):
        pass
    assert not (out / "training.lock").exists()


def test_a_directory_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run" / "training.lock").mkdir(parents=True)
    with (
        pytest.raises(RunError, match=r"cannot be written .*give another directory"),
        claim(tmp_path / "run", resume=False),
    ):
        pass
    assert (tmp_path / "run").is_dir()
    with pytest.raises(ZeroDivisionError), claim(tmp_path / "new", resume=False):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(t, b[name]) for name, t in a.items())


def killing(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """End the process at this rename from now on: files are whole or not there at all."""
    seen: list[str] = []
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        seen.append(Path(target).name)
        if len(seen) == at:
            raise Killed
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    return seen


@pytest.mark.parametrize(
    ("replaces", "at"),
    # Three parts, the seal, three places; an eighth rename never comes.
    [(False, 2), (False, 4), (False, 6), *((True, at) for at in (1, 3, 4, 5, 7, 8))],
)
def test_killed_at_any_write_of_a_run_it_goes_on_to_a_usable_one(
    small_table: Path,
    job_dict: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    replaces: bool,
    at: int,
) -> None:
    """Both a first run, and one that replaces what Ctrl-C left."""
    import modalloy.learn.train as train
    import modalloy.learn.train_run as training

    # What follows the run in the directory is not looked at here.
    monkeypatch.setattr(training, "report_on", lambda *given, **options: None)
    monkeypatch.setattr(training, "look_before", lambda *given, **options: None)
    job = job_dict(small_table, columns=("load", "site"), train={"epochs": 2, "batch": 16})
    whole = ma.train(job, out=tmp_path / "whole", quiet=True)
    wanted = load_file(whole.path / "model.safetensors")
    out, real_fit, real_save = tmp_path / "run", train.fit, training.save_run

    def pressed(*given: Any, **options: Any) -> Any:
        if given[0].step:
            raise KeyboardInterrupt
        yield from real_fit(*given, **options)

    first = wanted
    if replaces:
        with monkeypatch.context() as patch:
            patch.setattr(train, "fit", pressed)
            ma.train(job, out=out, quiet=True)
        first = load_file(out / "model.safetensors")

    def save(*given: Any, **options: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            seen = killing(patch, at)
            real_save(*given, **options)
            assert len(seen) == 7
            raise Killed

    monkeypatch.setattr(training, "save_run", save)
    with pytest.raises(Killed):
        ma.train(job, out=out, resume=True, quiet=True)
    monkeypatch.setattr(training, "save_run", real_save)
    sealed = at > 4
    if replaces or sealed:  # the older one, or the new one
        found = ma.load_run(out)
        assert found.notes["interrupted"] is not sealed
        assert same(load_file(out / "model.safetensors"), wanted if sealed else first)
        assert len(ma.predict(found, small_table, quiet=True)) == 80
    if not sealed:
        ma.train(job, out=out, resume=True, quiet=True)
    assert same(load_file(ma.load_run(out).path / "model.safetensors"), wanted)
    assert not [p.name for p in out.iterdir() if p.suffix == ".next"]


def test_killed_inside_a_checkpoint_the_older_one_is_gone_on_with(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = job_dict(small_table, columns=("load", "site"), train={"epochs": 3, "batch": 16})
    whole = ma.train(job, out=tmp_path / "whole", quiet=True)
    out, wanted = tmp_path / "run", load_file(whole.path / "model.safetensors")
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        if Path(target).name == Path(LAST).name and Path(target).exists():
            raise Killed
        real(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(Killed):
            ma.train(job, out=out, quiet=True)
    assert list((out / LAST).parent.glob("*.part"))
    run = ma.train(job, out=out, resume=True, quiet=True)
    assert same(load_file(run.path / "model.safetensors"), wanted)
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize("lost", ["report.html", "report.json"])
def test_a_finished_run_without_a_report_says_how_to_write_it(
    trained: Trained, tmp_path: Path, lost: str
) -> None:
    job, run = trained.job, shutil.copytree(trained.path, tmp_path / "run")
    (run / lost).unlink()
    left = run / LAST  # it was killed before it had cleared up
    left.parent.mkdir()
    left.touch()
    for resume in (False, True):
        with pytest.raises(RunError, match=r"without its report; `modalloy evaluate .*` writes it"):
            ma.train(job, out=run, resume=resume, quiet=True)
    ma.evaluate(run, quiet=True)
    assert (run / lost).is_file()
    assert not left.parent.exists()


def test_a_training_that_an_older_version_began_is_gone_on_with(
    small_csv: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import modalloy.learn.train as train

    frame = pd.read_csv(small_csv)
    sizes = [f"{i}.50" if i % 9 else "big" for i in range(len(frame))]  # kept as text before
    frame.assign(site=sizes).to_csv(small_csv, index=False)
    job = job_dict(small_csv, columns=("load", "site"), train={"epochs": 2, "batch": 16})
    loaded, table, out = load_job(job), open_table(str(small_csv)), tmp_path / "run"
    real = train.fit

    def pressed(*given: Any, **options: Any) -> Any:
        if given[0].step:
            raise KeyboardInterrupt
        yield from real(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(train, "fit", pressed)
        ma.train(job, out=out, quiet=True)
    new, parts = load_prints(out), split_job(table, loaded)
    assert new is not None
    old = Parts(*(fingerprints(table, loaded, part, typed=True) for part in parts))
    assert not np.array_equal(old.train, new.train)
    save_prints(out, Parts(*(p + 1 for p in old)))  # of other rows
    seal = json.loads((out / "run.json").read_text())
    with pytest.raises(RunError, match="no longer holds the rows"):
        refuse_changed(out, table, loaded, parts)
    save_prints(out, old)
    seal["sha256"]["rows.safetensors"] = digest(out / "rows.safetensors")
    (out / "run.json").write_text(json.dumps(seal))
    run = ma.train(job, out=out, resume=True, quiet=True)
    assert run.notes["epochs"] == 2
    assert np.array_equal(run.prints().train, new.train)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("late", [False, True])
def test_a_run_on_a_place_that_is_only_read(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    late: bool,
) -> None:
    """What was sealed still waits beside what it replaces; late: what it replaces is the same."""
    table, out = trained.job["table"], shutil.copytree(trained.path, tmp_path / "run")
    model = out / "model.safetensors"
    (out / "model.safetensors.next").write_bytes(model.read_bytes())
    if not late:
        model.write_bytes(b"older")

    def refused(source: Any, target: Any) -> None:
        raise OSError(number, os.strerror(number), str(source))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refused)
        if late:
            assert len(ma.predict(ma.load_run(out), table, quiet=True)) == 80
        else:
            with pytest.raises(RunError, match=r"safetensors.next is .*copy this run to a place"):
                ma.load_run(out)
    assert len(ma.predict(ma.load_run(out), table, quiet=True)) == 80
