"""A training that started from a run goes on bit for bit, also once that run is gone or changed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import modalloy as ma
from conftest import make_job, write_table
from modalloy.errors import RunError
from modalloy.learn.checkpoint import part, read_state
from modalloy.learn.progress import LAST
from modalloy.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_lines")

TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def bert_in(folder: Path) -> Path:
    """A tiny BERT, as a transformers folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(7)
    sizes = TINY | {"intermediate_size": 24, "vocab_size": 40, "max_position_embeddings": 32}
    BertModel(BertConfig(**sizes)).save_pretrained(folder)
    words = "[PAD] [UNK] [CLS] [SEP] crack near weld edge is broken seen long clean part nothing ok"
    vocabulary = {w: i for i, w in enumerate(words.split())}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)
    return folder


def job_of(folder: Path, tune: str, **train: Any) -> dict[str, Any]:
    """A small text trunk and a number; rows are split as their column says."""
    settings = {"epochs": 4, "batch": 8, "patience": 0, "precision": "float32", "ema": 0.9}
    job = make_job(folder / "parts.parquet", columns=("load",), train=settings | train)
    job["columns"]["note"] = {
        "type": "text",
        "encoder": f"hf:{folder / 'bert'}",
        "max_tokens": 8,
        "tune": tune,
    }
    return job | {"split": {"column": "part"}}


@pytest.fixture(scope="module")
def parent(no_lines: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has changed its trunk: no folder holds that one. Beside it its table and BERT."""
    folder = tmp_path_factory.mktemp("started")
    table = write_table(folder)
    frame = pd.read_parquet(table)
    frame["part"] = np.resize(["train", "train", "val", "test"], len(frame))
    frame.to_parquet(table)
    bert_in(folder / "bert")
    job = job_of(folder, "full", encoder_lr=0.01)
    return ma.train(job, out=folder / "parent", quiet=True)


def stopped(job: dict[str, Any], out: Path, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """Train until the machine goes down, in the middle of the epoch after so many."""
    import modalloy.learn.train as train

    real, seen = train.fit, []

    class PowerCutError(Exception):
        pass

    def cut(*given: Any, **options: Any) -> Any:
        seen.append(1)
        for step in real(*given, **options):
            yield step
            if len(seen) == calls:
                raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(train, "fit", cut)
        with pytest.raises(PowerCutError):
            ma.train(job, out=out, quiet=True)


def assert_same(a: Path, b: Path) -> None:
    """All weights, bit for bit."""
    one, other = (load_file(run / "model.safetensors") for run in (a, b))
    assert one.keys() == other.keys()
    assert all(torch.equal(t, other[n]) for n, t in one.items())


@pytest.mark.usefixtures("failing_parts")
@pytest.mark.parametrize("tune", ["frozen", "last_n", "full"])
def test_a_started_training_ends_with_the_same_weights(
    tmp_path: Path, parent: Run, monkeypatch: pytest.MonkeyPatch, tune: str
) -> None:
    """The parent stays, then is gone, then another run stands in its place."""
    job = job_of(parent.path.parent, tune, start=str(parent.path))
    if tune == "last_n":
        job["columns"]["note"]["last_n"] = 1
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    ma.train(job, out=whole, quiet=True)
    then = load_file(parent.path / "model.safetensors")
    stopped(job, broken, monkeypatch, 3)
    tensors, meta = read_state(broken / LAST)
    held = part(tensors, "model.encoders.in_note.trunk.")
    trunk = {n for n in then if n.startswith("encoders.in_note.trunk.")}
    if tune == "frozen":  # all of the trunk, and nothing of it in the weights that change
        assert {f"encoders.in_note.trunk.{n}" for n in held} == trunk
        assert all(torch.equal(t, then[f"encoders.in_note.trunk.{n}"]) for n, t in held.items())
        assert not part(tensors, "best.encoders.in_note.trunk.")
    assert meta["progress"]["started"]["run"] == str(parent.path)
    assert_untouched(whole, trunk, then, tune)
    for fate in ("stays", "is gone", "is another"):
        ended = shutil.copytree(broken, tmp_path / fate)
        with in_place_of(parent.path, {"is another": whole, "stays": parent.path}.get(fate)):
            run = ma.train(job, out=ended, resume=True, quiet=True)
        assert_same(whole, ended)
        assert run.notes["start"] == ma.load_run(whole).notes["start"]
        reports = [json.loads((p / "report.json").read_text()) for p in (whole, ended)]
        assert reports[0]["tasks"] == reports[1]["tasks"]
        if fate == "stays":
            assert reports[0]["before"] == reports[1]["before"] != {}
        else:  # which is said, and not made up
            assert reports[1]["before"] == {}
            assert "which this training started from, is gone" in json.dumps(reports[1]["failed"])


@contextmanager
def in_place_of(run: Path, other: Path | None) -> Iterator[None]:
    """Another run, or none, stands where this one stood; afterwards it is back."""
    if other == run:
        yield
        return
    away = run.with_name("away")
    os.rename(run, away)
    try:
        if other is not None:
            shutil.copytree(other, run)
        yield
    finally:
        shutil.rmtree(run, ignore_errors=True)
        os.rename(away, run)


def assert_untouched(run: Path, trunk: set[str], then: dict[str, torch.Tensor], tune: str) -> None:
    """What of the trunk is still the parent's: all of a frozen one, none of a full one."""
    now = load_file(run / "model.safetensors")
    same = {n for n in trunk if torch.equal(now[n], then[n])}
    assert (same == trunk) == (tune == "frozen")
    assert (len(same) > len(trunk) // 3) == (tune != "full")


def test_a_trunk_that_its_folder_holds_is_not_kept_twice(
    tmp_path: Path, parent: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that never changed its frozen trunk brings nothing that cannot be read again."""
    frozen = job_of(parent.path.parent, "frozen", epochs=2)
    first = ma.train(frozen, out=tmp_path / "first", quiet=True)
    again = frozen | {"train": frozen["train"] | {"start": str(first.path)}}
    for name, job in (("plain", frozen), ("started", again)):
        stopped(job, tmp_path / name, monkeypatch, 2)
        tensors, _ = read_state(tmp_path / name / LAST)
        assert not part(tensors, "model.encoders.in_note.trunk.embeddings.word")


@pytest.mark.usefixtures("failing_parts")
def test_learning_from_all_rows_starts_there_again(
    tmp_path: Path, parent: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {"start": str(parent.path), "epochs": 2, "refit": True}
    job = job_of(parent.path.parent, "frozen", **start)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    ma.train(job, out=whole, quiet=True)
    stopped(job, broken, monkeypatch, 3)  # in the first epoch on all rows: no checkpoint of it yet
    gone = pytest.raises(RunError, match=r"parent: is not the run any more .* put it back")
    with in_place_of(parent.path, None), gone:
        ma.train(job, out=broken, resume=True, quiet=True)
    ma.train(job, out=broken, resume=True, quiet=True)
    assert_same(whole, broken)
