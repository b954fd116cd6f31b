"""Blocks that are shared out over two processes learn what whole ones do."""

import json
from pathlib import Path
from typing import Any

import pytest
import test_processes
import torch
from test_processes import TRAIN, assert_near, train_in, uneven_job, weights

import modalloy as ma
from conftest import write_table

COUNTING = """
import modalloy.learn.train as train
from modalloy.learn.sharded import is_parted
go_on = train.go_on
def counted(going, bar):
    parts = [p for p in going.state.model.parameters() if is_parted(p)]
    go_on(going, bar)
    told["whole"] = sum(p.numel() for p in parts)
    told["own"] = sum(p.to_local().numel() for p in parts)
    moments = [going.state.optimizer.state[p]["exp_avg"] for p in parts]
    told["moments"] = sum(m.to_local().numel() for m in moments)
train.go_on = counted
"""


def sharded_job(folder: Path) -> dict[str, Any]:
    """A tiny BERT that learns, which some rows lack, beside a number."""
    from transformers import BertConfig, BertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"]
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    settings = BertConfig(vocab_size=len(words), intermediate_size=32, **sizes)
    settings.hidden_dropout_prob = settings.attention_probs_dropout_prob = 0.0
    BertModel(settings).save_pretrained(folder / "bert")
    (folder / "bert" / "vocab.txt").write_text("\n".join(words))
    job = uneven_job(write_table(folder), ("note", "load"), frozen_first=False, ema=0.9)
    job["columns"]["note"] = {"type": "text", "encoder": f"hf:{folder / 'bert'}", "max_tokens": 12}
    job["train"] |= {"optimizer": "adamw", "lr": 1e-4, "patience": 2, "shard": True}
    return job


@pytest.mark.torchrun
def test_blocks_are_shared_out_and_end_where_whole_ones_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = sharded_job(tmp_path)
    assert job["train"]["shard"]
    train_in(1, {"run": job}, tmp_path)
    at = "import modalloy as ma\nstop,"
    monkeypatch.setattr(test_processes, "TRAIN", TRAIN.replace(at, COUNTING + at))
    train_in(2, {"run": job}, tmp_path)
    assert_near(weights(tmp_path / "run-1"), weights(tmp_path / "run-2"))
    told = [json.loads((tmp_path / "run-2" / f"told{rank}.json").read_text()) for rank in (0, 1)]
    assert told[0]["whole"] > 4000
    assert told[0]["own"] + told[1]["own"] == told[0]["whole"]
    assert [t["moments"] for t in told] == [t["own"] for t in told]
    assert len(ma.predict(tmp_path / "run-2", tmp_path / "parts.parquet", quiet=True)) == 80
