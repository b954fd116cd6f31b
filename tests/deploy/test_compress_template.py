"""`compress` of a job whose template picture is read by its picture's own graph."""

from pathlib import Path

import numpy as np
import pandas as pd

from conftest import make_job, write_table
from modalloy.answer.predictor import Predictor
from modalloy.deploy.calibration_rows import own_table
from modalloy.deploy.guard import Judged
from modalloy.deploy.network import graphed
from modalloy.deploy.one_changed import OneChanged
from modalloy.deploy.packing import carried
from modalloy.deploy.picking import Picked
from modalloy.graphs.branch import FUSION
from modalloy.graphs.session import Session
from modalloy.job.job_file import load_job
from modalloy.readers.batch import TABLE, Arrays
from untrained import untrained

TASKS = {
    "boxes": {
        "type": "locate",
        "target": "boxes",
        "labels": "box_names",
        "on": "photo",
        "template": "good",
    }
}


class Opposite(Session):
    """A session that says the opposite."""

    def __init__(self, session: Session) -> None:
        self.session, self.inputs = session, session.inputs

    def run(self, values: Arrays) -> Arrays:
        out = self.session.run(values)
        return {n: -x if x.dtype.kind == "f" else x for n, x in out.items()}


def test_a_template_has_its_pictures_graph_whatever_that_becomes(tmp_path: Path) -> None:
    table = write_table(tmp_path, rows=60)
    frame = pd.read_parquet(table)
    frame.assign(good=frame["photo"]).to_parquet(table)
    photo = {"type": "image", "pixels": 16, "augment": "none"}
    columns = {"photo": photo, "good": photo, "load": {"type": "number"}}
    job = load_job(make_job(table, tasks=TASKS) | {"columns": columns})
    predictor = Predictor(untrained(tmp_path / "run", table, job=job))
    rows = own_table(predictor)
    network = graphed(predictor, predictor.model, rows, 1, quiet=True)
    graphs = {TABLE, "photo", FUSION}
    assert set(network.base.branches) == graphs | {"good"}
    assert set(network.feeds) == set(network.data) == graphs
    judged = Judged(12, {}, {}, {}, None, None)
    nothing = Picked({}, judged, [])
    branches, files = carried(network, nothing, small=False)
    assert set(branches) == graphs
    assert len(files) == 3
    changed = {"photo": Opposite(network.base.sessions["photo"])}
    engine = OneChanged(network.base, changed, {})
    given = rows.loader.batch(np.arange(8))
    both = [e.encode(given, e.inputs).tokens for e in (network.base, engine)]
    there = given.present["good"]
    assert there.any()
    for name in ("photo", "good"):
        was, now = (t[name].summary_BD[there] for t in both)
        np.testing.assert_allclose(now, -was, atol=1e-6)
