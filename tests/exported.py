"""A small run with everything that answers go through, and its graphs, made once for all tests."""

import atexit
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import modalloy as ma
from conftest import make_job, write_table
from in_engines import quick_export
from modalloy.answer.predictor import Predictor
from modalloy.deploy.export_rows import ExportRows, rows_of
from modalloy.deploy.export_run import exported, write_exported
from modalloy.deploy.exported import Exported
from modalloy.judge.baselines.baselines import Baselines
from modalloy.policy.plan import PART, Plan
from modalloy.policy.rules import Cascade
from modalloy.policy.seen import Features, Form
from modalloy.report import evaluate
from modalloy.runs.run import Run
from modalloy.runs.saving import add_part

COLUMNS = ("photo", "note", "load", "site")
TASKS: dict[str, dict[str, Any]] = {
    "fault": {
        "type": "classify",
        "target": "fault_code",
        "decide": {"costs": {"miss": 10, "false_alarm": 1}, "positive": "crack", "ask": 0.5},
    },
    "life": {"type": "regress", "target": "hours_left", "unit": "h", "quantiles": [0.1, 0.9]},
}


class Made(NamedTuple):
    """A run, its table, its graphs in ONNX and OpenVINO's form, and the rows that judge them."""

    folder: Path
    table: Path
    run: Run
    graphs: Exported
    rows: ExportRows

    def bundle(self, name: str, run: Run | None = None, **changes: Any) -> Path:
        """A bundle of the run, or of another one of the same weights; changes: of the graphs."""
        path = self.folder / name
        predictor = Predictor(run or self.run)
        write_exported(predictor, replace(self.graphs, **changes), self.rows, [], path)
        return path


@functools.cache
def whole() -> Made:
    """A run with a blend, promises, decisions and knowledge of its training rows."""
    folder = Path(tempfile.mkdtemp(prefix="modalloy-exported-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    table = write_table(folder, rows=160)
    job = make_job(table, columns=COLUMNS, tasks=TASKS, blend={}, calibrate={}, unlike={})
    job["split"] |= {"calibration": 0.25}
    with pytest.MonkeyPatch.context() as patch:  # their fitting takes longer than the training
        patch.setattr(evaluate, "baselines", lambda *_, **__: Baselines({}, {}, {}))
        run = ma.train(job, out=folder / "run", quiet=True)
    predictor = Predictor(run)
    rows = rows_of(predictor, None)
    with quick_export():
        graphs = exported(predictor, rows, "openvino")
    return Made(folder, table, run, graphs, rows)


@functools.cache
def buying() -> Run:
    """The same run with a policy: the table first, then the note and the photo while unsure."""
    made = whole()
    shutil.copytree(made.run.path, made.folder / "buying")
    run = ma.load_run(made.folder / "buying")
    classes = len(run.targets["fault"].names)
    plan = Plan(
        ("table", "photo", "note"),
        (),
        {"table": 1.0, "photo": 4.0, "note": 2.0},
        "",
        Features({"fault": Form("classes", classes)}),
        Cascade(np.array([0, 2, 1]), np.array([0.6, 0.65, 2.0])),
        "confidence cascade",
        run.sealed["model.safetensors"],
        {"alpha": 0.02, "sure": 0.9, "source": "nothing"},
    )
    return add_part(run, PART, plan.to_bytes())
