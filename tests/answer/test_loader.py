"""Rows become batches: cached, padded, in an order that can be had again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from modalloy.answer.cache import Budget, Cache
from modalloy.answer.loader import Loader
from modalloy.answer.padding import pad_together
from modalloy.errors import TableError
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.table.split import split_job
from modalloy.table.table import Table, open_table


def rows_of(job: dict[str, Any]) -> Loader:
    loaded = load_job(job)
    table = open_table(loaded.table)
    return open_loader(loaded, table, split_job(table, loaded))


def test_cache_gb_keeps_decoded_pictures(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = {"reads": 0}
    real = ImageReader.read

    def counted(self: ImageReader, cells: Any) -> Any:
        count["reads"] += 1
        return real(self, cells)

    monkeypatch.setattr(ImageReader, "read", counted)
    which = np.arange(10)
    reads = {}
    for gb in (0.0, 1.0):
        loader = rows_of(job_dict(small_table, columns=("photo",), train={"cache_gb": gb}))
        count["reads"] = 0
        first, second = loader.batch(which), loader.batch(which)
        assert np.array_equal(first.values["photo"]["pixels"], second.values["photo"]["pixels"])
        assert np.array_equal(first.present["photo"], second.present["photo"])
        reads[gb] = count["reads"]
    assert reads == {0.0: 20, 1.0: 10}


def test_a_full_cache_drops_what_does_not_fit() -> None:
    cache = Cache(Budget(1e-6))  # a thousand bytes
    cache.put(1, {"a": np.arange(100, dtype=np.float64)})
    cache.put(2, {"a": np.arange(100, dtype=np.float64)})
    assert len(cache) == 1
    found = cache.get(1)
    assert found is not None
    assert np.array_equal(found["a"], np.arange(100))
    assert cache.get(2) is None


def test_allow_outside_lets_media_lie_elsewhere(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    import pandas as pd

    frame = pd.read_parquet(small_table)
    inside = small_table.parent / "inside"
    inside.mkdir()
    frame["photo"] = frame["photo"].map(lambda p: p and f"../{p}")
    frame.to_parquet(inside / "parts.parquet", index=False)
    job = job_dict(inside / "parts.parquet", columns=("photo", "load"))
    with pytest.raises(TableError, match="outside"):
        rows_of(job).batch(np.arange(4))
    assert rows_of({**job, "allow_outside": True}).batch(np.arange(3)).present["photo"].all()


def test_padding_fills_words_with_minus_one() -> None:
    rows = [
        {"ids": np.array([5, 6]), "words": np.array([1])},
        {"ids": np.array([7]), "words": np.array([1, 2, 3])},
    ]
    out = pad_together(rows)
    assert out["ids"].tolist() == [[5, 6], [7, 0]]
    assert out["words"].tolist() == [[1, -1, -1], [1, 2, 3]]


def test_an_error_names_its_row(small_table: Path, job_dict: Any) -> None:
    (small_table.parent / "img" / "004.png").write_bytes(b"")
    loader = rows_of(job_dict(small_table, columns=("photo", "load")))
    with pytest.raises(TableError, match="row 4"):
        loader.batch(np.array([0, 4]))


def test_rows_that_no_task_knows_are_left_out(small_table: Path, job_dict: Any) -> None:
    import pandas as pd

    frame = pd.read_parquet(small_table)
    frame.loc[[2, 9], "fault_code"] = None
    frame.loc[[9, 11], "hours_left"] = None
    frame.to_parquet(small_table, index=False)
    loader = rows_of(job_dict(small_table, columns=("load",)))
    assert loader.labelled(np.arange(12)).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11]


def frozen_job(folder: Path, job_dict: Any, table: Path, **train: Any) -> tuple[Model, Loader]:
    """A model over a frozen tiny ViT, and its rows."""
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    vit = ViTModel(ViTConfig(**sizes, intermediate_size=32, image_size=16, patch_size=8))
    vit.save_pretrained(folder / "vit")
    job = job_dict(table, columns=("photo", "load"), train=train)
    picture = {"type": "image", "encoder": f"hf:{folder / 'vit'}", "tune": "frozen", "pixels": 16}
    job["columns"]["photo"] = picture
    loader = rows_of(job)
    return Model(loader.job, loader.readers, loader.targets, pretrained=True), loader


def test_a_path_that_repeats_runs_once_through_a_frozen_encoder(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.read_parquet(small_table)
    names = frame["photo"].dropna().unique()[:5]
    frame["photo"] = [names[i % 6] if i % 6 < 5 else None for i in range(len(frame))]
    table = small_table.parent / "repeated.parquet"
    frame.to_parquet(table)
    model, rows = frozen_job(tmp_path, job_dict, table)
    which = np.arange(len(frame))
    other = Batch.of(frozen_job(tmp_path, job_dict, table)[1].batch(which[:12]))
    alone = model.eval().encoders["photo"].features(other.values["photo"])
    seen: list[torch.Tensor] = []
    real = ImageEncoder.features

    def counted(self: ImageEncoder, values: Any) -> Any:
        found = real(self, values)
        seen.extend(found["features"])
        return found

    monkeypatch.setattr(ImageEncoder, "features", counted)
    frozen_features(model, rows, which, quiet=True)
    assert len(seen) == 8  # one group, filled up with copies
    assert len(torch.unique(torch.stack(seen), dim=0)) == 5
    assert sorted(rows.status["photo"]) == [i for i in which if i % 6 == 5]
    batch = Batch.of(rows.batch(which[:12]))
    assert batch.present["photo"].tolist() == [i % 6 < 5 for i in range(12)]
    shown = batch.present["photo"]
    assert torch.allclose(
        batch.values["photo"]["features"][shown], alone["features"][shown], atol=1e-5
    )


def test_frozen_features_beyond_the_disk_are_made_anew(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    model, rows = frozen_job(tmp_path, job_dict, small_table)
    which = np.arange(40)
    with torch.no_grad():
        answers = [model.eval().encode(Batch.of(rows.batch(which)))["photo"].summary_BD]
        frozen_features(model, rows, which, quiet=True)
        answers.append(model.encode(Batch.of(rows.batch(which)))["photo"].summary_BD)
        model, rows = frozen_job(tmp_path, job_dict, small_table, cache_gb=4e-7)
        torch.manual_seed(0)
        frozen_features(model, rows, which, quiet=True)
        kept = [rows.features["photo"].get(i) is not None for i in which]
        assert 0 < sum(kept) < 40
        answers.append(model.eval().encode(Batch.of(rows.batch(which)))["photo"].summary_BD)
    assert torch.allclose(answers[0], answers[1], atol=1e-5)
    assert answers[2].shape == answers[0].shape


def test_only_the_inputs_asked_for_are_read(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(job_dict(small_table))
    taken: list[str] = []
    opened: list[str] = []
    real = Table.take

    def take(self: Table, columns: list[str], which: np.ndarray) -> Any:
        taken.extend(columns)
        return real(self, columns, which)

    def noted(self: ImageReader | AudioReader, cells: Any) -> Any:
        opened.append(self.name)
        raise AssertionError(f"{self.name} was not asked for")

    monkeypatch.setattr(Table, "take", take)
    monkeypatch.setattr(ImageReader, "read", noted)
    monkeypatch.setattr(AudioReader, "read", noted)
    rows.targets = {}
    which = np.arange(8)
    for batch in (
        rows.batch(which, inputs=["note", "vibration"]),
        next(rows.stream([which, which + 8], inputs=["note", "vibration"])),
    ):
        assert list(batch.values) == list(batch.present) == ["vibration", "note"]
        assert len(batch) == 8
    assert set(taken) == {"note", "vibration"}
    assert rows.lengths(which, inputs=["vibration"]) is None
    taken.clear()
    assert list(rows.batch(which, inputs=["table"]).values) == ["table"]
    assert set(taken) == {"load", "site", "taken_at"}
    assert len(rows.batch(which, inputs=[])) == 8
    assert opened == []
