"""A second run of the same frozen encoders over the same cells runs no trunk and says the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import modalloy as ma
from checkpoints import read_by
from conftest import write_table
from encoder_cases import CASES
from modalloy.answer import content_store
from modalloy.answer.joined_loader import JoinedLoader
from modalloy.answer.kept_features import FrozenFeatures
from modalloy.answer.loader import Loader
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.training import learn_job
from modalloy.model.encoders.recipe import BEHIND, recipe_of
from modalloy.model.model import Model
from modalloy.model.trunks.huggingface import quiet
from modalloy.readers.image import ImageReader
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

pytestmark = pytest.mark.usefixtures("remembering")

MEDIA = ("photo", "sound", "note", "words")


@pytest.fixture
def job(small_table: Path, job_dict: Any, tmp_path: Path) -> dict[str, Any]:
    made = job_dict(small_table, columns=())
    return made | {
        "columns": read_by(tmp_path, "frozen"),
        "tasks": {"fault": made["tasks"]["fault"]},
        "train": {"epochs": 1, "batch": 16, "precision": "float32"},
    }


def opened(job: dict[str, Any]) -> tuple[Model, Loader]:
    loaded = load_job(job)
    table = open_table(loaded.table)
    loader = open_loader(loaded, table, split_job(table, loaded))
    return Model(loaded, loader.readers, loader.targets, pretrained=True), loader


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the columns whose frozen trunk ran, once a group of rows."""
    ran: list[str] = []
    real = FrozenFeatures.run

    def counted(self: FrozenFeatures, rows: Any) -> Any:
        ran.append(self.reader.name)
        return real(self, rows)

    monkeypatch.setattr(FrozenFeatures, "run", counted)
    return ran


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cells of photos that were decoded."""
    seen: list[str] = []
    real = ImageReader.read

    def counted(self: ImageReader, cells: Any) -> Any:
        seen.extend(cells[self.name])
        return real(self, cells)

    monkeypatch.setattr(ImageReader, "read", counted)
    return seen


def kept(job: dict[str, Any], *, rows: int = 80) -> dict[str, np.ndarray]:
    """What frozen encoders say of rows, in a sitting of its own."""
    model, loader = opened(job)
    frozen_features(model, loader, np.arange(rows), quiet=True)
    batch = loader.batch(np.arange(rows))
    return {name: batch.values[name]["features"] for name in MEDIA}


def test_a_second_training_runs_no_trunk_and_learns_the_same_bits(
    job: dict[str, Any], tmp_path: Path, runs: list[str]
) -> None:
    weights, ran = [], []
    for number, size in enumerate((2.0, 2.0, 0.0)):
        runs.clear()
        loaded = load_job(job | {"train": job["train"] | {"remember_gb": size}})
        table = open_table(loaded.table)
        parts = split_job(table, loaded)
        learned = learn_job(loaded, table, parts, out=tmp_path / f"run{number}", quiet=True)
        weights.append(learned.model.state_dict())
        ran.append({name for name in runs if name in MEDIA})
    assert ran == [{*MEDIA}, set(), {*MEDIA}]
    for other in weights[1:]:
        assert other.keys() == weights[0].keys()
        assert all(torch.equal(other[n], w) for n, w in weights[0].items())


def test_a_whole_train_and_evaluate_find_all_rows_known(
    job: dict[str, Any], tmp_path: Path, runs: list[str]
) -> None:
    job["columns"] = {name: job["columns"][name] for name in ("note", "load")}
    job["train"]["epochs"] = 1
    ma.train(job, out=tmp_path / "a", quiet=True)
    assert {*runs} == {"note"}
    runs.clear()
    ma.train(job, out=tmp_path / "b", quiet=True)
    assert runs == []
    found = [json.loads((tmp_path / n / "report.json").read_text())["tasks"] for n in ("a", "b")]
    assert found[0] == found[1]
    ma.evaluate(tmp_path / "b", quiet=True)
    assert runs == []


def test_features_are_known_by_content_wherever_a_file_lies(
    job: dict[str, Any], tmp_path: Path, runs: list[str], decoded: list[str]
) -> None:
    first = kept(job)
    table = Path(job["table"])
    frame = pd.read_parquet(table)
    for i, cell in enumerate(frame["photo"]):
        if isinstance(cell, str):
            (table.parent / cell).rename(table.parent / f"moved{i}.png")
            frame.loc[i, "photo"] = f"moved{i}.png"
    changed = int(frame["photo"].notna().to_numpy().nonzero()[0][7])
    other = int(frame["photo"].notna().to_numpy().nonzero()[0][9])
    shutil.copyfile(table.parent / frame["photo"][other], table.parent / frame["photo"][changed])
    frame.loc[5, "note"] = "words that no other row has"
    frame.to_parquet(table)
    runs.clear()
    decoded.clear()
    second = kept(job)
    assert {*runs} & {*MEDIA} == {"note"}
    assert runs.count("note") == 1
    assert [cell for cell in decoded if isinstance(cell, str)] == []
    photo = first["photo"].copy()
    photo[changed] = photo[other]
    assert np.array_equal(second["photo"], photo)
    assert np.array_equal(second["sound"], first["sound"])
    same = np.arange(80) != 5
    assert np.array_equal(second["note"][same], first["note"][same])
    assert not np.array_equal(second["note"][5], first["note"][5])


def test_damaged_entries_are_run_again_and_mended(job: dict[str, Any], runs: list[str]) -> None:
    first = kept(job)
    path = content_store.features_file()
    path.write_bytes(b"damaged" * 1000)
    runs.clear()
    second = kept(job)
    assert {*MEDIA} <= {*runs}
    assert all(np.array_equal(second[name], first[name]) for name in MEDIA)
    runs.clear()
    kept(job)
    assert not {*runs} & {*MEDIA}


def test_what_is_to_be_said_of_a_cell_is_said_again(job: dict[str, Any]) -> None:
    table = Path(job["table"])
    frame = pd.read_parquet(table)
    frame.loc[0, "photo"] = f"elsewhere/{frame['photo'][0]}"
    (table.parent / frame["photo"][1]).write_bytes(b"no picture")
    frame.to_parquet(table)
    job["unreadable"] = "missing"
    said = []
    for _ in range(2):
        model, loader = opened(job)
        frozen_features(model, loader, np.arange(80), quiet=True)
        said.append(dict(loader.status["photo"]))
    assert said[0] == said[1]
    assert "found as" in said[0][0] or "unreadable" in said[0][0]
    assert "unreadable" in said[0][1]
    assert said[0][3] == "missing"


def test_the_same_path_beside_another_table_is_another_file(
    job: dict[str, Any], tmp_path: Path
) -> None:
    other = job | {"table": str(write_table(tmp_path / "other", seed=1))}
    _, first = opened(job)
    _, second = opened(other)
    joined = JoinedLoader([first, second], cache_gb=0.0)
    files = joined.files("photo", np.arange(160))
    both = [row for row in range(80) if row in files and row + 80 in files]
    assert len(both) > 50
    for row in both:
        assert files[row].file != files[row + 80].file
        assert str(files[row + 80].file).startswith(str(tmp_path / "other"))
    assert joined.files("note", np.arange(10)) == {}


FROZEN = [
    "tokens minilm", "audio whisper frozen", "text hf bert", "text hf clip", "image hf vit",
    "image lite", "audio hf wav2vec2", "series hf patchtst",
]  # fmt: skip


@pytest.mark.parametrize("name", FROZEN)
def test_the_recipe_names_all_that_features_depend_on_and_no_more(
    name: str, tmp_path: Path
) -> None:
    with quiet():
        encoder, values = CASES[name](tmp_path)
    encoder.held = True  # as in the first part of a training, where it is not frozen
    encoder.eval()
    torch.manual_seed(0)
    rows = values(3)
    with torch.no_grad():
        first, recipe = encoder.features(rows), recipe_of(encoder, 8)
        assert recipe_of(encoder, 8) == recipe
        assert recipe_of(encoder, 32) != recipe
        behind = [(n, p) for n, p in encoder.named_parameters() if n.startswith(BEHIND)]
        assert behind
        for _, p in behind:
            p.add_(0.5)
        again = encoder.features(rows)
        assert all(torch.equal(first[n], again[n]) for n in first)
        assert recipe_of(encoder, 8) == recipe
        before = [(n, p) for n, p in encoder.named_parameters() if not n.startswith(BEHIND)]
        for _, p in [before[0], before[-1]]:
            p.view(-1)[0].add_(0.5)
            assert recipe_of(encoder, 8) != recipe
            p.view(-1)[0].sub_(0.5)
        encoder.frozen = not encoder.frozen
        assert recipe_of(encoder, 8) != recipe
