"""Frozen first: the head is learned on encoders as they come, and fine-tuning has to beat it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import modalloy as ma
from checkpoints import read_by
from modalloy.job.job_file import load_job
from modalloy.job.tuned import frozen_first
from modalloy.judge.validate import Score, validate
from modalloy.learn import train
from modalloy.learn.frozen_first import Phases, say_kept
from modalloy.learn.processes import answer_together
from modalloy.learn.progress import Progress
from modalloy.learn.training import Learned, learn_job
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

pytestmark = pytest.mark.usefixtures("no_lines")

TRAIN = {"epochs": 2, "batch": 16, "precision": "float32"}
BETTER = {"lr": 1e-4, "encoder_lr": 1e-2}  # two slow epochs of a head leave room
WORSE = {"epochs": 6, "lr": 1e-3, "encoder_lr": 3.0}


def text_job(table: Path, folder: Path, job_dict: Any, **settings: Any) -> dict[str, Any]:
    """One text column under a tiny pretrained encoder that is tuned."""
    made = job_dict(table, columns=(), train=TRAIN | settings)
    note = read_by(folder, "full")["note"]
    return made | {"columns": {"note": note}, "tasks": {"fault": made["tasks"]["fault"]}}


def learned(job: dict[str, Any], out: Path, **options: Any) -> Learned:
    """Trained, without a report."""
    loaded = load_job(job)
    table = open_table(loaded.table)
    return learn_job(loaded, table, split_job(table, loaded), out=out, quiet=True, **options)


def trunk(found: Learned) -> dict[str, Tensor]:
    """Weights of the pretrained encoder of notes."""
    module = found.model.encoders["note"].trunk
    assert module is not None
    return module.state_dict()


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def pretrained(job: dict[str, Any], out: Path) -> dict[str, Tensor]:
    """The same weights as they come."""
    frozen = job | {"columns": {"note": job["columns"]["note"] | {"tune": "frozen"}}}
    train = {n: v for n, v in TRAIN.items() if n in ("epochs", "precision")}
    return trunk(learned(frozen | {"train": train}, out))


def judged(found: Learned) -> float:
    """How well the model that is kept answers validation rows."""
    rows = found.parts.validation
    return validate(found.model, found.loader, rows, answer_together).value


def test_encoders_that_answer_all_but_perfectly_stay_as_they_came(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modalloy.learn.frozen_first.ENOUGH", 0.1)
    job = text_job(small_table, tmp_path, job_dict, **BETTER, refit=True)
    found = learned(job, tmp_path / "run")
    assert found.phases is not None
    assert found.phases.tuned is None
    assert found.refit
    assert say_kept(found.phases.note()).startswith("pretrained encoders are kept as they came")
    assert same(trunk(found), pretrained(job, tmp_path / "frozen"))


def test_fine_tuning_is_kept_where_it_beats_the_frozen_encoders(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = text_job(small_table, tmp_path, job_dict, **BETTER)
    found = learned(job, tmp_path / "run")
    assert found.phases is not None
    note = found.phases.note()
    assert note["kept"] == "tuned"
    assert judged(found) == note["tuned"] > note["frozen"]
    assert not same(trunk(found), pretrained(job, tmp_path / "frozen"))
    assert [line["epoch"] for line in found.progress.curves] == [1, 2, 3, 4]
    assert note["frozen_epochs"] == 2 < found.progress.best_epoch + 1
    assert not found.loader.features


def test_frozen_encoders_are_kept_where_fine_tuning_spoils_them(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = text_job(small_table, tmp_path, job_dict, **WORSE)
    found = learned(job, tmp_path / "run")
    assert found.phases is not None
    note = found.phases.note()
    assert note["kept"] == "frozen"
    assert judged(found) == note["frozen"] >= note["tuned"]
    assert same(trunk(found), pretrained(job, tmp_path / "frozen"))
    assert found.progress.best_epoch < note["frozen_epochs"]


def test_frozen_first_changes_what_is_learned_and_the_run_says_which_won(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = text_job(small_table, tmp_path, job_dict, **BETTER)
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    said = run.notes["phases"]
    assert said["kept"] in ("frozen", "tuned")
    [told] = [f["text"] for f in run.notes["findings"] if f["where"] == "training"]
    assert told == f"training: {say_kept(said)}"
    job["train"]["frozen_first"] = False
    at_once = learned(job, tmp_path / "once")
    assert at_once.phases is None
    assert [c["loss"] for c in at_once.progress.curves] != [
        c["loss"] for c in run.notes["curves"][-2:]
    ]


@pytest.mark.parametrize("stop", [3, 9])
def test_either_part_goes_on_bit_for_bit(
    stop: int, small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = text_job(small_table, tmp_path, job_dict, **BETTER)
    whole = learned(job, tmp_path / "whole")
    count, steps = train.count, iter(range(1, 1000))

    def stopped(*given: Any) -> str:
        if next(steps) == stop:
            raise KeyboardInterrupt
        return count(*given)

    with monkeypatch.context() as patched:
        patched.setattr(train, "count", stopped)
        cut = learned(job, tmp_path / "cut")
    assert cut.interrupted
    assert cut.phases is not None
    assert (cut.phases.tuned is None) == (stop == 3)
    found = learned(job, tmp_path / "cut", resume=True)
    assert same(found.model.state_dict(), whole.model.state_dict())
    assert found.progress.curves == whole.progress.curves


@pytest.mark.parametrize(("settings", "kept"), [(BETTER, "tuned"), (WORSE, "frozen")])
def test_learning_from_all_rows_repeats_what_won(
    settings: dict[str, Any], kept: str, small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = text_job(small_table, tmp_path, job_dict, **settings, refit=True)
    found = learned(job, tmp_path / "run")
    assert found.refit
    assert found.phases is not None
    assert found.phases.note()["kept"] == kept
    assert same(trunk(found), pretrained(job, tmp_path / "frozen")) == (kept == "frozen")
    again = tmp_path / "run" / "checkpoints" / "refit_tuned.safetensors"
    assert again.is_file() == (kept == "tuned")


def test_what_is_learned_does_not_depend_on_the_disk(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    made = job_dict(small_table, columns=())
    columns = read_by(tmp_path, "full")
    columns["photo"] |= {"augment": "flip", "all_views": True}
    made |= {"columns": columns, "tasks": {"fault": made["tasks"]["fault"]}}
    weights = []
    for budget in (0, 8):
        made["train"] = TRAIN | {"epochs": 1, "cache_gb": budget}
        weights.append(learned(made, tmp_path / f"run{budget}").model.state_dict())
    assert same(*weights)


@pytest.mark.parametrize(
    ("photo", "task", "train", "two"),
    [
        ({"encoder": "efficientnet_lite0"}, "fault", {}, True),
        ({"encoder": "efficientnet_lite0", "tune": "last_n"}, "fault", {}, True),
        ({"encoder": "efficientnet_lite0"}, "fault", {"frozen_first": False}, False),
        ({"encoder": "efficientnet_lite0"}, "boxes", {}, False),
        ({"encoder": "efficientnet_lite0", "tune": "frozen"}, "fault", {}, False),
        ({}, "fault", {}, False),
    ],
)
def test_only_tuned_encoders_without_boxes_go_in_two(
    photo: dict[str, Any], task: str, train: dict[str, Any], two: bool, job_dict: Any
) -> None:
    tasks = {
        "fault": {"type": "classify", "target": "fault_code"},
        "boxes": {"type": "locate", "target": "boxes", "on": "photo"},
    }
    column = {"type": "image", "pixels": 32} | photo
    job = job_dict("t.csv", columns=(), tasks={task: tasks[task]}, train=train)
    assert frozen_first(load_job(job | {"columns": {"photo": column}})) == two


def test_both_parts_in_words() -> None:
    lines = [{"epoch": 1, "score": 0.86}, {"epoch": 2, "score": 0.8}]
    frozen = Progress(8, 20, epoch=2, best_epoch=0, curves=lines)
    tuned = Progress(8, 20, epoch=1, best_epoch=0, curves=[*lines, {"epoch": 3, "score": 0.91}])
    assert say_kept(Phases(frozen, tuned).note()) == (
        "fine-tuned encoders are kept; validation score frozen .860, fine-tuned .910"
    )
    assert Phases(frozen, tuned).progress.best_epoch == 2
    spoiled = Progress(
        8, 20, epoch=1, best=Score(0.86, {}), curves=[*lines, {"epoch": 3, "score": -0.2}]
    )
    assert say_kept(Phases(frozen, spoiled).note()) == (
        "pretrained encoders are kept as they came; validation score frozen .860, fine-tuned -.200"
    )
    assert Phases(frozen, spoiled).progress.best_epoch == 0
    unjudged = Phases(Progress(8, 20, epoch=2), Progress(8, 20, epoch=2))
    assert unjudged.progress.best_epoch == -1
    assert say_kept(unjudged.note()) == (
        "pretrained encoders were fine-tuned; no validation row said whether that helped"
    )
