"""Every model works where it lies: all encoders, fusions and tasks, and every verb of a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import transformers as t

import modalloy as ma
from conftest import COLUMNS, write_table
from elsewhere import AWAY, Away, pretending
from modalloy.answer.answers import Answers
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.baselines.embeddings import frozen_embeddings
from modalloy.learn.fit import fit
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.plan import supervised_plan
from modalloy.learn.state import State
from modalloy.model.device import device, placed
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.model.trunks.huggingface import quiet
from modalloy.objectives.supervised import supervised
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job

ON_GPU = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="compares a GPU with the processor, and there is no GPU."
)
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
BERT = SMALL | {"vocab_size": 64, "max_position_embeddings": 24}
PICTURE = SMALL | {"image_size": 16, "patch_size": 8}
WAVES = SMALL | {
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
FAULT = {"type": "classify", "target": "fault_code"}
LIFE = {"type": "regress", "target": "hours_left"}
SERIES = {"type": "series", "length": 32, "rate_hz": 100}
HEARD = {"type": "audio", "rate_hz": 16_000, "seconds": 0.25}
SEEN = {"type": "image", "pixels": 16}
READ = {"type": "text", "max_tokens": 16}
WORDS = {"type": "tokens", "max_tokens": 16, "vocabulary": 128}
BOXES = {"type": "locate", "target": "boxes", "on": "photo"}

TRUNKS: dict[str, Callable[[], Any]] = {
    "bert": lambda: t.BertModel(t.BertConfig(**BERT)),
    "clip_text": lambda: t.CLIPTextModel(
        t.CLIPTextConfig(**BERT, eos_token_id=3, bos_token_id=2, pad_token_id=0)
    ),
    "vit": lambda: t.ViTModel(t.ViTConfig(**PICTURE)),
    "clip": lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**PICTURE)),
    "detr": lambda: t.DetrModel(
        t.DetrConfig(
            use_timm_backbone=False,
            backbone=None,
            use_pretrained_backbone=False,
            backbone_config=t.ResNetConfig(
                embedding_size=8, hidden_sizes=[8, 12, 16, 16], depths=[1, 1, 1, 1]
            ),
            d_model=16,
            encoder_layers=2,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=24,
            decoder_ffn_dim=24,
        )
    ),
    "wav2vec2": lambda: t.Wav2Vec2Model(t.Wav2Vec2Config(**WAVES)),
    "whisper": lambda: t.WhisperModel(
        t.WhisperConfig(
            d_model=16,
            encoder_layers=2,
            encoder_attention_heads=2,
            encoder_ffn_dim=24,
            decoder_layers=1,
            decoder_attention_heads=2,
            decoder_ffn_dim=24,
            vocab_size=20,
            num_mel_bins=16,
            max_source_positions=100,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        )
    ),
    "patchtst": lambda: t.PatchTSTModel(
        t.PatchTSTConfig(
            num_input_channels=1,
            context_length=32,
            patch_length=8,
            patch_stride=8,
            d_model=8,
            num_attention_heads=2,
            num_hidden_layers=2,
            ffn_dim=16,
        )
    ),
}
KINDS = {  # column and options that a checkpoint's family is read with
    "bert": ("note", READ),
    "clip_text": ("note", READ),
    "vit": ("photo", SEEN),
    "clip": ("photo", SEEN),
    "detr": ("photo", SEEN | {"pixels": 32}),
    "wav2vec2": ("sound", HEARD),
    "whisper": ("sound", HEARD),
    "patchtst": ("vibration", SERIES),
}


def columns(name: str, **options: Any) -> dict[str, Any]:
    """One column, its options changed, beside two plain ones."""
    return {name: options, "load": COLUMNS["load"], "site": COLUMNS["site"]}


CASES: dict[str, dict[str, Any]] = {
    "every kind of column": {"columns": COLUMNS | {"vector": {"type": "vector"}}},
    "linear numbers": {"columns": {"load": {"type": "number", "embed": "linear"}}},
    "periodic numbers": {"columns": {"load": {"type": "number", "embed": "periodic"}}},
    **{
        f"{front} front": {"columns": columns("vibration", **SERIES, front=[front], rpm=600)}
        for front in ("learned", "recent", "statistics", "spectrum", "envelope", "order")
        if front == "order"
    },
    **{
        f"{front} front": {"columns": columns("vibration", **SERIES, front=[front])}
        for front in ("learned", "recent", "statistics", "spectrum", "envelope")
    },
    "shaft speed of a column": {
        "columns": columns("vibration", **SERIES, front=["order"], rpm="hours_left"),
        "tasks": {"fault": FAULT},
    },
    "history": {
        "columns": {
            "vibration": {
                "type": "series",
                "from": ["load"],
                "history": {"by": ["machine"], "order": "taken_at", "rows": 4},
            }
        }
    },
    **{
        f"pictures, {augment}": {"columns": columns("photo", **SEEN, augment=augment)}
        for augment in ("shift", "flip", "rotate")
    },
    "all views": {"columns": columns("photo", **SEEN, augment="rotate", all_views=True)},
    "efficientnet": {"columns": columns("photo", **SEEN, encoder="efficientnet_lite0")},
    "whisper_tiny_en": {"columns": columns("sound", **HEARD, encoder="whisper_tiny_en")},
    "jitter": {"columns": columns("vibration", **SERIES, augment="jitter")},
    **{
        f"{family}, {tune}": {
            "columns": columns(column, **options, encoder=f"hf:{family}", tune=tune)
        }
        for family, (column, options) in KINDS.items()
        for tune in ("full", "frozen")
    },
    **{
        fuse: {"fuse": {"type": fuse, "width": 16, "consistency": 0.1}}
        for fuse in ("sum", "multilinear", "gated", "attention", "bottleneck", "tabm")
    },
    "labels": {
        "tasks": {"many": {"type": "classify", "target": "labels", "labels": "multi"}},
    },
    "quantiles": {"tasks": {"life": LIFE | {"quantiles": [0.1, 0.5, 0.9]}}},
    "tags": {
        "columns": {"words": WORDS, "load": COLUMNS["load"]},
        "tasks": {"parts": {"type": "tag", "target": "tags", "on": "words"}},
    },
    "boxes": {
        "columns": columns("photo", **SEEN | {"pixels": 24}, augment="rotate"),
        "tasks": {"spots": BOXES},
    },
    "boxes beside a template": {
        "columns": {n: SEEN | {"pixels": 24} for n in ("photo", "photo2")},
        "tasks": {"spots": BOXES | {"template": "photo2"}},
    },
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small table with a template picture, labels and a vector beside its other columns."""
    path = write_table(tmp_path_factory.mktemp("table"))
    frame = pd.read_parquet(path)
    frame["photo2"] = frame["photo"]
    frame["labels"] = [[f, s] for f, s in zip(frame["fault_code"], frame["site"], strict=True)]
    frame["vector"] = list(np.random.default_rng(0).normal(size=(len(frame), 6)))
    frame.to_parquet(path, index=False)
    return path


def write_trunk(family: str, folder: Path) -> str:
    """A tiny checkpoint with random weights."""
    torch.manual_seed(0)
    with quiet():
        TRUNKS[family]().save_pretrained(folder / family)
    if KINDS[family][0] == "note":
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
        pieces += [f"##{p}" for p in pieces[5:]]
        (folder / family / "vocab.txt").write_text("\n".join(pieces))
    return f"hf:{folder / family}"


def job_of(case: str, table: Path, job_dict: Any) -> dict[str, Any]:
    """The job of a case, with the checkpoints that it names."""
    job = job_dict(table, columns=("vibration", "load"))
    # Sparse gradients of categories and word pieces, which adamw takes, cannot pretend.
    sparse = {"site", "words"} & set(CASES[case].get("columns", ()))
    job["train"]["optimizer"] = "sgd" if sparse else "adamw"
    job = json.loads(json.dumps(job | CASES[case]))
    for column in job["columns"].values():
        if column.get("encoder", "").startswith("hf:"):
            column["encoder"] = write_trunk(column["encoder"].removeprefix("hf:"), table.parent)
    return job


def build(job: config.Job, loader: Loader) -> Model:
    torch.manual_seed(0)
    hub = any(getattr(c, "encoder", "").startswith("hf:") for c in job.columns.values())
    return Model(job, loader.readers, loader.targets, pretrained=hub)


def same(a: Answers, b: Answers, tolerance: float = 1e-4) -> None:
    """Both sides' answers are numpy arrays or lists that agree."""
    assert a.keys() == b.keys()
    for task, answer in a.items():
        for key, value in answer.items():
            for x, y in zip(value, b[task][key], strict=True):
                x, y = np.asarray(x), np.asarray(y)
                if x.dtype.kind == "f":
                    np.testing.assert_allclose(x, y, atol=tolerance, rtol=tolerance, err_msg=key)
                else:
                    assert x.tolist() == y.tolist(), (task, key)


def test_mixing_is_noticed() -> None:
    with pretending():
        layer, x = placed(torch.nn.Linear(3, 3)), torch.randn(2, 3)
        assert layer.weight.device == layer(x.to(AWAY)).device == AWAY
        with pytest.raises(RuntimeError, match="two devices"):
            layer(x)
        with pytest.raises(RuntimeError, match="two devices"):
            x[torch.zeros(1, dtype=torch.long, device=AWAY)]
        assert not isinstance(layer(x.to(AWAY)).cpu(), Away)
        with pytest.raises(RuntimeError, match="numpy"):
            layer(x.to(AWAY)).detach().numpy()


@pytest.mark.parametrize("case", CASES)
def test_every_part_works_where_its_model_lies(case: str, table: Path, job_dict: Any) -> None:
    job = load_job(job_of(case, table, job_dict))
    opened = open_table(job.table)
    loader = open_loader(job, opened, split_job(opened, job))
    which = loader.labelled(np.arange(80))[:8]
    batch = Batch.of(loader.batch(which))
    model = build(job, loader).eval()
    hidden = [frozenset(), frozenset(model.inputs[:1])]
    wanted = answer_rows(model, loader, which, hidden=hidden)
    torch.manual_seed(1)
    losses = supervised(model, batch)
    moved = build(job, loader).eval()
    with pretending():
        assert placed(moved) is moved
        assert {p.device for p in moved.state_dict().values()} == {AWAY}
        found = answer_rows(moved, loader, which, hidden=hidden)
        torch.manual_seed(1)
        for name, loss in supervised(moved, batch.to(moved.device)).items():
            assert loss.device == AWAY
            assert loss.item() == pytest.approx(losses[name].item(), rel=1e-4, abs=1e-5), name
        frozen_features(moved, loader, which, quiet=True)
        few = Parts(which[:5], which[:0], which[5:])
        frozen_embeddings(moved, loader, few, quiet=True)
        plan = supervised_plan(moved, loader, which[:0])
        state = State.begin(moved, plan.total, job.train, 2)
        batches = (Batch.of(loader.batch(which), AWAY) for _ in range(2))
        asked = {"settings": job.train, "seed": job.seed, "views": plan.views}
        assert len(list(fit(state, plan.objective, batches, **asked))) == 2
        assert {p.device for p in moved.state_dict().values()} == {AWAY}
    for some in hidden:
        same(wanted.seen[some], found.seen[some])


def verbs_job(table: Path, job_dict: Any) -> dict[str, Any]:
    """A frozen encoder and numbers, whose training keeps an average."""
    job = job_dict(table, columns=("photo", "load"))
    job["columns"]["photo"] = SEEN | {"encoder": "efficientnet_lite0", "tune": "frozen"}
    job["train"] |= {"ema": 0.9, "weighting": "uncertainty", "epochs": 1}
    return job


def assert_same_answers(a: pd.DataFrame, b: pd.DataFrame, tolerance: float) -> None:
    """Numbers agree; classes may only differ where two are about as likely."""
    assert list(a.columns) == list(b.columns)
    numbers = a.select_dtypes("number").columns
    assert {"life", "fault.p[crack]"} <= set(numbers)
    np.testing.assert_allclose(a[numbers], b[numbers], rtol=tolerance, atol=tolerance)


def test_a_run_that_was_trained_elsewhere_answers_here(
    table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = verbs_job(table, job_dict)
    with pretending():
        run = ma.train(job, out=tmp_path / "run", quiet=True)
        there = ma.predict(run, table, quiet=True)
        assert run.model().device == AWAY
    report = json.loads((run.path / "report.json").read_text())
    assert report["environment"]["device"] == "cuda"
    assert run.model().device == torch.device("cpu") == device()
    here = ma.predict(tmp_path / "run", table, quiet=True)
    assert_same_answers(there, here, 1e-4)


@ON_GPU
@pytest.mark.parametrize("case", CASES)
def test_a_gpu_answers_as_the_processor_does(case: str, table: Path, job_dict: Any) -> None:
    job = load_job(job_of(case, table, job_dict))
    opened = open_table(job.table)
    loader = open_loader(job, opened, split_job(opened, job))
    which = loader.labelled(np.arange(80))[:8]
    model = build(job, loader).eval()
    here = answer_rows(model, loader, which).seen[frozenset()]
    losses = supervised(model, Batch.of(loader.batch(which)))
    model.cuda()
    same(here, answer_rows(model, loader, which).seen[frozenset()], tolerance=2e-2)
    for name, loss in supervised(model, Batch.of(loader.batch(which), model.device)).items():
        assert loss.item() == pytest.approx(losses[name].item(), rel=2e-2, abs=2e-2), name
    plan = supervised_plan(model, loader, which[:0])
    state = State.begin(model, plan.total, job.train, 2)
    batches = (Batch.of(loader.batch(which), model.device) for _ in range(2))
    asked = {"settings": job.train, "seed": job.seed, "views": plan.views}
    assert len(list(fit(state, plan.objective, batches, **asked))) == 2


@ON_GPU
def test_a_run_of_a_gpu_answers_on_the_processor(
    table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ma.train(verbs_job(table, job_dict), out=tmp_path / "run", quiet=True)
    assert run.model().device.type == "cuda"
    there = ma.predict(run, table, quiet=True)
    monkeypatch.setattr("modalloy.model.device.device", lambda: torch.device("cpu"))
    assert_same_answers(there, ma.predict(run, table, quiet=True), 2e-2)
