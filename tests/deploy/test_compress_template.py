"""`compress` of a job whose template picture is read by its picture's own graph."""

from pathlib import Path

import numpy as np
import pandas as pd

from conftest import make_job, write_table
from modalloy.answer.graph_engine import GraphEngine
from modalloy.answer.loader import Loader
from modalloy.deploy.feeds import feeds_of
from modalloy.deploy.guard import Judged
from modalloy.deploy.network import Network
from modalloy.deploy.one_changed import Kept, OneChanged
from modalloy.deploy.packing import carried
from modalloy.deploy.picking import Picked
from modalloy.graphs.branch import FUSION, Branch, Port, Variant
from modalloy.graphs.session import Session
from modalloy.job.job_file import load_job
from modalloy.readers.batch import TABLE, Arrays
from modalloy.readers.build import fit_readers
from modalloy.table.open_table import open_table

TASKS = {
    "boxes": {
        "type": "locate",
        "target": "boxes",
        "labels": "box_names",
        "on": "photo",
        "template": "good",
    }
}


class Sums(Session):
    """An encoder whose only number is the sum of what it is given, times a factor."""

    def __init__(self, factor: float) -> None:
        self.factor, self.inputs = factor, ()

    def run(self, values: Arrays) -> Arrays:
        own = [x.reshape(len(x), -1).sum(1) for x in values.values() if x.dtype.kind == "f"]
        sum_B1 = self.factor * np.sum(own, axis=0)[:, None].astype(np.float32)
        mask_B1 = np.ones(sum_B1.shape, bool)
        return {"x_BTD": sum_B1[:, None], "mask_BT": mask_B1, "summary_BD": sum_B1}


class Together(Session):
    """Fusion that says how much all inputs sum to."""

    inputs = ()

    def run(self, values: Arrays) -> Arrays:
        return {"fused": np.sum([x for n, x in values.items() if "summary" in n], axis=0)}


def test_a_template_has_its_pictures_graph_whatever_that_becomes(tmp_path: Path) -> None:
    table = write_table(tmp_path, rows=24)
    frame = pd.read_parquet(table)
    frame.assign(good=frame["photo"]).to_parquet(table)
    photo = {"type": "image", "pixels": 16, "augment": "none"}
    columns = {"photo": photo, "good": photo, "load": {"type": "number"}}
    job = load_job(make_job(table, tasks=TASKS) | {"columns": columns})
    opened, rows = open_table(job.table), np.arange(24)
    plain = Loader(opened, job, {}, {})
    readers = fit_readers(job, lambda names: plain.cells(names, rows))
    loader = Loader(opened, job, readers, {})
    given = loader.batch(rows)
    fused = [f"{kind}.{m}" for m in range(3) for kind in ("x", "mask", "summary")]
    takes = {TABLE: given.values[TABLE], "photo": given.values["photo"], FUSION: fused}
    branches = {
        name: Branch(
            name,
            {key: Port("float32", (-1,)) for key in keys},
            (),
            (),
            (Variant("onnxruntime", (f"{name or 'heads'}.onnx",)),),
        )
        for name, keys in takes.items()
    }
    sessions = {TABLE: Sums(1.0), "photo": Sums(1.0), FUSION: Together()}
    absent = {name: np.zeros(1, np.float32) for name in ("photo", "good")}
    base = GraphEngine(job, readers, {}, branches, sessions, absent)
    assert set(base.branches) == {TABLE, "photo", "good", FUSION}

    feeds = feeds_of(base, loader, rows)
    assert set(feeds) == set(takes)
    network = Network({}, dict.fromkeys(takes, b"graph"), feeds, base, absent)
    nothing = Picked({}, Judged(24, {}, {}, {}, None, None), [])
    kept, files = carried(network, nothing, small=False)
    assert set(kept) == set(takes)
    assert set(files) == {f"{TABLE}.onnx", "photo.onnx", "heads.onnx"}

    changed = OneChanged(base, {"photo": Sums(-1.0)}, Kept())
    was, now = (e.encode(given, e.inputs).tokens for e in (base, changed))
    assert given.present["good"].any()
    for name in ("photo", "good"):
        np.testing.assert_allclose(now[name].summary_BD, -was[name].summary_BD)
        assert np.abs(was[name].summary_BD).max() > 0
    np.testing.assert_array_equal(now[TABLE].summary_BD, was[TABLE].summary_BD)
