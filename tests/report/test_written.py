"""Texts are written where somebody reads them: of few rows where columns are hidden, for no other
task.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import modalloy as ma
from modalloy.adaptation.norms import re_estimate
from modalloy.adaptation.tent import tent
from modalloy.answer.answers import EVERYTHING
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.answer.torch_engine import unanswered
from modalloy.job.job_file import load_job
from modalloy.learn.unlike import view_rows
from modalloy.model.tasks import generate
from modalloy.model.tokens import Batch
from modalloy.report import written
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from untrained import untrained

ROWS = 60


class Pen:
    """Counts the rows that are written for."""

    def __init__(self) -> None:
        self.rows, self.write = 0, generate.write

    def __call__(self, decoder: Any, memory: Any, *given: Any) -> Any:
        self.rows += memory.rows
        return self.write(decoder, memory, *given)


@pytest.fixture
def pen(monkeypatch: pytest.MonkeyPatch) -> Pen:
    found = Pen()
    monkeypatch.setattr(generate, "write", found)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("written")
    draw = np.random.default_rng(0)
    kind = draw.choice(["star", "box"], ROWS)
    frame = pd.DataFrame({"load": draw.normal(size=ROWS), "seen": [f"a {k} is here" for k in kind]})
    frame["kind"], frame["caption"] = kind, [f"A {k}." for k in kind]
    frame.to_parquet(table := folder / "rows.parquet", index=False)
    job = {
        "table": str(table),
        "split": {"random": "stratified"},
        "columns": {
            "load": {"type": "number"},
            "seen": {"type": "text", "max_tokens": 8, "vocabulary": 80},
        },
        "fuse": {"type": "concat", "width": 16, "layers": 1},
        "tasks": {
            "kind": {"type": "classify", "target": "kind"},
            "caption": {
                "type": "generate",
                "target": "caption",
                "vocabulary": 270,
                "max_tokens": 8,
            },
        },
        "allow_leak": True,
    }
    return untrained(folder / "run", table, job=load_job(job))


def test_nothing_is_written_where_another_task_is_asked(run: Run, pen: Pen) -> None:
    table = open_table(run.job.table)
    why = ma.explain(run, table, row=0, task="kind", past=0)
    assert set(why.as_dict()["tasks"]) == {"kind"}
    predictor = Predictor(run)
    model, loader = predictor.model, predictor.open(table)[0]
    which = np.arange(8)
    view_rows(model, loader, which, [])
    batch = unanswered(Batch.of(loader.batch(which), model.device))
    assert tent(run.model(), [batch])[0] > 0
    model.add_module("norm", torch.nn.BatchNorm1d(2))
    assert re_estimate(model, [batch]) == 1
    assert pen.rows == 0
    model.decide(model.encode(batch), batch)
    assert pen.rows == len(which)


def test_decide_answers_the_tasks_that_are_named_as_it_answers_all(run: Run) -> None:
    predictor = Predictor(run)
    model, which = predictor.model, np.arange(8)
    loader = predictor.open(open_table(run.job.table))[0]
    every = answer_rows(model, loader, which).seen[EVERYTHING]
    some = answer_rows(model, loader, which, tasks=lambda h: ["kind"]).seen[EVERYTHING]
    assert set(every) == {"kind", "caption"}
    assert set(some) == {"kind"}
    np.testing.assert_array_equal(some["kind"]["probability"], every["kind"]["probability"])


def test_sets_of_columns_write_for_few_rows_and_the_report_says_for_how_many(
    run: Run, pen: Pen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_parquet(run.job.table)
    whole = ma.evaluate(run, table, out=tmp_path / "whole.html", quiet=True)
    assert pen.rows == ROWS * (3 + 2)  # three sets of columns, two dealt out
    assert "rows" not in whole.subsets["caption"]["seen"]
    pen.rows = 0
    monkeypatch.setattr(written, "MOST_ROWS", 7)
    few = ma.evaluate(run, table, out=tmp_path / "few.html", quiet=True)
    assert pen.rows == ROWS * (1 + 2) + 7 * 2
    assert {f["rows"] for f in few.subsets["caption"].values()} == {7}
    assert few.gain["caption"]["rows"] == 7
    assert few.tasks == whole.tasks
    assert few.subsets["kind"] == whole.subsets["kind"]
    assert "Of 7 of the test rows" in (tmp_path / "few.html").read_text()
    assert "of the test rows, drawn" not in (tmp_path / "whole.html").read_text()
