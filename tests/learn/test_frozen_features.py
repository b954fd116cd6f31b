"""Frozen encoders: what is learned is the same however much of what they say fits on the disk."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from checkpoints import read_by
from modalloy.answer.kept_features import padded
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import disk_share_gb, open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.training import Learned, learn_job
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.image import ImageReader
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


@pytest.fixture
def job(small_table: Path, job_dict: Any, tmp_path: Path) -> dict[str, Any]:
    made = job_dict(small_table, columns=())
    return made | {
        "columns": read_by(tmp_path, "frozen"),
        "tasks": {"fault": made["tasks"]["fault"]},
    }


def opened(job: dict[str, Any]) -> tuple[Model, Loader]:
    loaded = load_job(job)
    table = open_table(loaded.table)
    loader = open_loader(loaded, table, split_job(table, loaded))
    return Model(loaded, loader.readers, loader.targets, pretrained=True), loader


def learned(job: dict[str, Any], out: Path) -> Learned:
    """Trained, without a report."""
    loaded = load_job(job)
    table = open_table(loaded.table)
    return learn_job(loaded, table, split_job(table, loaded), out=out, quiet=True)


def on_disk() -> int:
    """Bytes of all caches of this process, as the system counts them."""
    total = 0
    for place in Path("/proc/self/fd").iterdir():
        try:
            if "modalloy-" in os.readlink(place):
                total += place.stat().st_size
        except OSError:  # the listing's own
            continue
    return total


@pytest.fixture
def most_on_disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The caches' size after every write."""
    seen = [0]
    real = os.pwrite

    def watched(file: int, data: bytes, start: int) -> int:
        written = real(file, data, start)
        seen.append(on_disk())
        return written

    monkeypatch.setattr("os.pwrite", watched)
    return seen


def test_weights_are_the_same_bits_whatever_the_disk_holds(
    job: dict[str, Any], tmp_path: Path, most_on_disk: list[int]
) -> None:
    some = 60_000
    weights, most = [], []
    for budget in (0, some, 8e9):
        most_on_disk[:] = [0]
        job["train"] = {"epochs": 2, "batch": 16, "precision": "float32", "cache_gb": budget / 1e9}
        weights.append(learned(job, tmp_path / f"run{budget}").model.state_dict())
        most.append(max(most_on_disk))
    assert most[0] == 0
    assert 0.9 * some < most[1] <= some < most[2]
    for other in weights[1:]:
        assert other.keys() == weights[0].keys()
        assert all(torch.equal(other[n], w) for n, w in weights[0].items())


def test_a_rows_features_are_the_same_bits_in_any_company(job: dict[str, Any]) -> None:
    job["train"]["cache_gb"] = 0
    model, rows = opened(job)
    frozen_features(model, rows, np.arange(80), quiet=True)
    together = rows.batch(np.arange(80))
    for which in (np.array([0, 7]), np.arange(79, 20, -3)):
        batch = rows.batch(which)
        for name in ("photo", "sound", "vibration", "note", "words"):
            values = batch.values[name]["features"]
            alike = together.values[name]["features"][which]
            alike = alike[:, : values.shape[1]] if name == "words" else alike
            assert np.array_equal(values, alike), name


def test_rows_without_the_input_are_zeros_and_absent(job: dict[str, Any]) -> None:
    model, rows = opened(job)
    frozen_features(model, rows, np.arange(80), quiet=True)
    batch = rows.batch(np.array([3, 4]))  # the photo of row 3 is missing
    assert batch.present["photo"].tolist() == [False, True]
    assert not batch.values["photo"]["features"][0].any()
    assert batch.values["photo"]["features"][1].any()
    assert rows.status["photo"][3] == "missing"


@pytest.mark.parametrize("budget", [0.0, 1.0])
def test_an_input_that_no_row_has_is_absent(job: dict[str, Any], budget: float) -> None:
    job["train"]["cache_gb"] = budget
    model, rows = opened(job)
    which = np.array([3, 14, 25])  # rows without a photo
    frozen_features(model, rows, which, quiet=True)
    batch = rows.batch(which)
    assert not batch.present["photo"].any()
    tokens = model.eval().encode(Batch.of(batch))["photo"]
    assert torch.equal(tokens.summary_BD, model.encoders["photo"].absent(3).summary_BD)


def test_no_decoded_copy_of_what_a_frozen_encoder_reads(
    job: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job["columns"]["photo2"] = {"type": "image", "pixels": 16}
    frame = pd.read_parquet(job["table"])
    frame.assign(photo2=frame["photo"]).to_parquet(job["table"])
    model, rows = opened(job)
    frozen_features(model, rows, np.arange(80), quiet=True)
    rows.batch(np.arange(80))
    kept = {name: len(cache) for name, cache in rows.decoded.items()}
    assert kept == {"photo": 0, "sound": 0, "vibration": 0, "photo2": 80}
    assert len(rows.features["photo"].kept) == 81  # with what rows without a photo share
    real, reads = ImageReader.read, []

    def counted(self: ImageReader, cells: Any) -> Any:
        reads.append(self.name)
        return real(self, cells)

    monkeypatch.setattr(ImageReader, "read", counted)
    rows.batch(np.arange(80))
    assert reads == []


def test_refit_goes_on_with_what_the_first_part_kept(
    job: dict[str, Any], tmp_path: Path, most_on_disk: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    job["columns"] |= {"lamp": {"type": "image", "pixels": 16}}
    frame = pd.read_parquet(job["table"])
    frame.assign(lamp=frame["photo"]).to_parquet(job["table"])
    real, reads = ImageReader.read, []

    def counted(self: ImageReader, cells: Any) -> Any:
        reads.append(self.name)
        return real(self, cells)

    monkeypatch.setattr(ImageReader, "read", counted)
    sizes = []
    for refit in (False, True):
        reads.clear()
        most_on_disk[:] = [0]
        job["train"] |= {"refit": refit}
        learned(job, tmp_path / f"run{refit}")
        sizes.append((max(most_on_disk), reads.count("photo"), reads.count("lamp")))
    # Rows without a photo are one and the same cell for a frozen encoder; a column that it does not
    # read is not looked at in the 20 test rows.
    assert sizes[0][1:] == sizes[1][1:] == (80 - 6, 80 - 20)
    # Only the vibration's scale is fitted anew, so its features alone are written again.
    assert sizes[1][0] <= sizes[0][0]


def test_all_phases_stay_within_one_budget(
    job: dict[str, Any], tmp_path: Path, most_on_disk: list[int]
) -> None:
    job["columns"] = {n: job["columns"][n] for n in ("vibration", "load")} | {
        "photo": {"type": "image", "pixels": 16},
        "sound": {"type": "audio", "rate_hz": 4000, "seconds": 0.25},
    }
    job["train"] |= {"epochs": 1, "cache_gb": 30_000 / 1e9, "refit": True}
    found = learned(job, tmp_path / "run")
    assert found.refit
    answer_rows(found.model, found.loader, found.parts.test)
    assert 25_000 < max(most_on_disk) <= 30_000
    del found
    assert on_disk() == 0


def test_processes_of_one_machine_share_the_budget(
    job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_job(job | {"train": {"cache_gb": 6.0}})
    assert disk_share_gb(loaded) == 6.0
    monkeypatch.setenv("WORLD_SIZE", "8")  # a launcher that does not say how many run here
    assert disk_share_gb(loaded) == 0.75
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert disk_share_gb(loaded) == 1.5


def test_a_frozen_trunk_never_leaves_evaluation_mode(
    job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows = opened(job)
    names = [n for n in rows.inputs if n in model.encoders and model.encoders[n].frozen]
    trunks = [e for n in names if (e := model.encoders[n].trunk) is not None]
    assert len(trunks) == 4
    parts = [m for trunk in trunks for m in trunk.modules()]
    assert not any(m.training for m in parts)
    changes: list[bool] = []
    real = torch.nn.Module.__setattr__

    def watched(self: torch.nn.Module, name: str, value: Any) -> None:
        if name == "training" and any(self is m for m in parts):
            changes.append(value)
        real(self, name, value)

    monkeypatch.setattr(torch.nn.Module, "__setattr__", watched)
    for mode in (True, False, True):
        model.train(mode)
        assert all(e.training is mode for e in model.encoders.values())
    assert True not in changes


def test_features_read_while_the_model_changes_its_mode_are_the_same(job: dict[str, Any]) -> None:
    job["train"]["cache_gb"] = 0
    model, rows = opened(job)
    with torch.no_grad():
        for module in model.encoders["note"].modules():  # a trunk that training mode would disturb
            if hasattr(module, "p"):
                module.p = 0.5
    which = np.arange(40)
    frozen_features(model, rows, which, quiet=True)
    wanted = rows.batch(which)
    stop = threading.Event()

    def hammer() -> None:
        while not stop.is_set():
            model.train()
            time.sleep(1e-4)  # lets the reading thread go on in the middle of a batch
            model.eval()

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        for batch in rows.stream([which] * 3):
            for name in ("photo", "sound", "note"):
                found = batch.values[name]["features"]
                assert np.array_equal(found, wanted.values[name]["features"])
    finally:
        stop.set()
        thread.join()


def test_rows_are_padded_to_few_lengths() -> None:
    lengths = [padded(n, 512) for n in range(1, 513)]
    assert lengths == sorted(lengths)
    assert all(n <= p <= max(n + 3, 1.25 * n) for n, p in enumerate(lengths, 1))
    assert len(set(lengths)) < 30
    assert padded(77, 77) == 77
    assert padded(80, 77) == 80
