"""Methods see of each row what the network sees: its cells, and its frozen encoders' vectors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from conftest import make_job
from modalloy.answer import blended as module
from modalloy.answer.answers import EVERYTHING, Answer, Answered
from modalloy.answer.blended import blended, possible
from modalloy.answer.kept_features import FrozenFeatures
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.torch_engine import pooled_vectors
from modalloy.blend.mixture import Blend, Mixture
from modalloy.cells.cells import empty
from modalloy.classical.blocks import EMBEDDED, FeatureBlock
from modalloy.classical.method import FittedMethod
from modalloy.job.job_file import load_job
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.build import fit_readers, fit_targets
from modalloy.readers.reader import Reader
from modalloy.table.open_table import open_table
from modalloy.unlike.projection import projected

WHICH = np.arange(12)
PHOTO, TABLE = frozenset({"photo"}), frozenset({"table"})


@dataclass
class Watcher:
    """A model that answers what it sees of each row: how many cells, and a sum of its vector."""

    calls: list[int] = field(default_factory=list)

    def answer(self, blocks: Mapping[str, FeatureBlock], rows: int) -> Answer:
        """Cells that are there, in thousands, and the vector's sum."""
        self.calls.append(rows)
        value_B = np.zeros(rows)
        for name, block in blocks.items():
            x_BF = np.asarray(block.values)
            value_B += (
                np.nan_to_num(x_BF).sum(1) if name == EMBEDDED else 1e3 * ~np.isnan(x_BF[:, 0])
            )
        return {"value": value_B}


def watching(readers: Mapping[str, Reader], *frozen: str) -> FittedMethod:
    """A method that watches these inputs."""
    model: Any = Watcher()
    return FittedMethod("watcher", readers, frozen, model)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Loader]:
    """A network over a number, a category and a frozen picture, and its rows."""
    from conftest import write_table

    path = write_table(tmp_path_factory.mktemp("blended"), rows=16)
    job = make_job(path, columns=("photo", "load", "site"))
    job["columns"]["photo"] |= {"encoder": "efficientnet_lite0", "tune": "frozen", "pixels": 32}
    job["tasks"] = {"life": job["tasks"]["life"]}
    loaded, table = load_job(job), open_table(path)
    blank, every = Loader(table, loaded, {}, {}), np.arange(table.rows)
    readers = fit_readers(loaded, lambda names: blank.cells(names, every))
    targets = fit_targets(loaded, lambda names: blank.cells(names, every))
    torch.manual_seed(0)
    model = Model(loaded, readers, targets, pretrained=False).eval()
    return model, Loader(table, loaded, readers, {})


def loader_of(parts: tuple[Model, Loader], hidden: tuple[str, ...] = ()) -> Loader:
    """A loader whose pictures come as frozen features."""
    model, first = parts
    loader = Loader(first.table, first.job, first.readers, {}, hidden=hidden)
    reader = first.readers["photo"]
    loader.features["photo"] = FrozenFeatures(model.encoder("photo"), reader, loader.cache())
    return loader


def width_of(parts: tuple[Model, Loader]) -> int:
    """Length of the picture's vector."""
    batch = Batch.of(loader_of(parts).batch(WHICH[:1]))
    return pooled_vectors(parts[0], "photo", batch).shape[1]


def answers(
    parts: tuple[Model, Loader], watcher: FittedMethod, which: np.ndarray, **options: Any
) -> dict[Any, np.ndarray]:
    """What the watcher says alone, by what was hidden."""
    blend = Blend({"life": Mixture(0.0, {}, ((1.0, watcher),))}, {"photo": width_of(parts)})
    loader = loader_of(parts, **options)
    hidden = [EVERYTHING, PHOTO, TABLE]
    found = answer_rows(parts[0], loader, which, hidden=hidden, widths=blend.widths)
    return {h: a["life"]["value"] for h, a in blended(blend, found, loader, which).items()}


def test_hidden_inputs_are_missing_cells_and_vectors(parts: tuple[Model, Loader]) -> None:
    readers = {n: parts[0].readers[n] for n in ("load", "site")}
    found = answers(parts, watching(readers, "photo"), WHICH)
    present = np.array([c is not None for c in parts[1].cells(["photo"], WHICH)["photo"]])
    vector_B = found[TABLE]
    assert (vector_B != 0).tolist() == present.tolist()
    cells = parts[1].cells(["load", "site"], WHICH)
    there = [1000.0 * (not empty(a)) + 1000.0 for a in cells["load"]]
    assert found[PHOTO] == pytest.approx(there)
    assert found[EVERYTHING] == pytest.approx(there + vector_B, rel=1e-5)
    never = answers(parts, watching(readers, "photo"), WHICH, hidden=("photo", "site"))
    assert never[EVERYTHING] == pytest.approx(np.array(there) - 1000.0)


def test_vectors_are_the_same_bits_in_any_company(parts: tuple[Model, Loader]) -> None:
    found = answers(parts, watching({}, "photo"), WHICH)[EVERYTHING]
    for row in (0, 3, 11):
        alone = answers(parts, watching({}, "photo"), WHICH[row : row + 1])[EVERYTHING]
        assert alone[0] == found[row]


def test_a_method_is_asked_once_for_all_that_leaves_it_the_same(
    parts: tuple[Model, Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 5)
    watcher = watching({"site": parts[0].readers["site"]})
    found = answers(parts, watcher, WHICH)
    watched: Any = watcher.model
    assert watched.calls == [5, 5, 5, 5, 2, 2]  # with the table seen and hidden, not the photo
    assert np.array_equal(found[PHOTO], found[EVERYTHING])
    assert (found[TABLE] == 0).all()


@dataclass
class Line:
    """A model that answers one number to every row, as a straight line may beyond its rows."""

    value: float

    def answer(self, blocks: Mapping[str, FeatureBlock], rows: int) -> Answer:
        """That number."""
        return {"value": np.full(rows, self.value)}


def test_no_answer_of_several_lies_beyond_the_bounds(parts: tuple[Model, Loader]) -> None:
    page = make_job(str(parts[1].job.table), columns=("load",))
    page["tasks"] = {
        "life": {"type": "regress", "target": "hours_left", "lowest": 0.0, "highest": 9.0}
    }
    loader = Loader(parts[1].table, load_job(page), {}, {})
    network: Answer = {"value": np.array([2.0, 2.0]), "quantiles": np.array([[0.5, 8.5]] * 2)}
    for value, expected in ((-50.0, 1.0), (70.0, 5.5)):
        model: Any = Line(value)
        mixture = Mixture(0.5, {}, ((0.5, FittedMethod("line", {}, (), model)),))
        answered = Answered(seen={EVERYTHING: {"life": network}})
        found = blended(Blend({"life": mixture}), answered, loader, WHICH[:2])[EVERYTHING]["life"]
        assert found["value"] == pytest.approx([expected] * 2)  # of 2 and the nearest bound
        assert found["quantiles"].min() >= 0.0
        assert found["quantiles"].max() <= 9.0
    sure = {"probability": np.array([[0.2, 0.8]])}
    assert possible(load_job(make_job(str(parts[1].job.table))).tasks["fault"], sure) is sure


def test_a_trunk_runs_once_for_all_that_looks_at_it(
    parts: tuple[Model, Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, first = parts
    loader = Loader(first.table, first.job, first.readers, {})
    encoder, runs = model.encoder("photo"), []
    plain = answer_rows(model, loader, WHICH)
    features = encoder.features
    monkeypatch.setattr(encoder, "features", lambda v: runs.append(len(v)) or features(v))
    asked: Any = {"viewed": ["photo"], "widths": {"photo": width_of(parts)}}
    before = len(runs)
    found = answer_rows(model, loader, WHICH, **asked)
    assert len(runs) - before == 1  # for the network, the vectors and the view
    for key, values in plain.seen[EVERYTHING]["life"].items():
        assert np.array_equal(found.seen[EVERYTHING]["life"][key], values)
    assert found.view is not None
    seen = found.view.columns["photo"]
    assert np.array_equal(seen, projected(found.pooled["photo"]), equal_nan=True)
    there = found.view.present_BN[:, found.view.names.index("photo")]
    assert np.isnan(seen[:, 0]).tolist() == (~there).tolist()
    summary = answer_rows(model, loader, WHICH, viewed=[]).view
    assert summary is not None
    assert summary.columns["photo"].shape[1] == model.job.fuse.width
