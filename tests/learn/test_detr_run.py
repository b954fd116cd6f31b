"""Runs whose boxes are sets of queries: trained, opened again, asked and explained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from checkpoints import PICTURES, save
from modalloy.errors import JobError, TableError
from modalloy.runs.run import load_run

pytestmark = pytest.mark.usefixtures("no_lines")


def job_of(job_dict: Any, table: Path, encoder: str, **options: Any) -> dict[str, Any]:
    photo = {"type": "image", "pixels": 32, "augment": "none", "encoder": encoder}
    boxes = {"type": "locate", "target": "boxes", "labels": "box_names", "on": "photo"}
    job = job_dict(table, columns=("load",), tasks={"where": boxes | {"head": "detr"} | options})
    job["columns"]["photo"] = photo
    job["train"] |= {"epochs": 1, "frozen_first": False}
    if encoder == "scratch":
        del job["train"]["frozen_first"]
    return job


@pytest.mark.parametrize("encoder", ["scratch", "detr", "rt_detr"])
def test_a_run_is_opened_again_and_answers_as_it_did(
    encoder: str, small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    if encoder != "scratch":
        encoder = save(PICTURES[encoder](), tmp_path / "checkpoint")
    ma.train(job_of(job_dict, small_table, encoder), out=tmp_path / "run", quiet=True)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert "map50" in report["tasks"]["where"]
    assert report["shuffled"]["where"]["table"]["rows"] == report["rows"]["test"]
    assert "cells dealt out among the rows" in (tmp_path / "run" / "report.html").read_text()
    first = ma.predict(tmp_path / "run", small_table, quiet=True)
    assert first["where.boxes"].map(len).max() > 0
    model = load_run(tmp_path / "run").model()
    assert type(model.task("where")).__name__ == ("Detr" if encoder == "scratch" else "TakenDetr")
    again = ma.predict(tmp_path / "run", small_table, quiet=True)
    for one, other in zip(first["where.boxes"], again["where.boxes"], strict=True):
        assert np.allclose(one, other)
    if encoder == "scratch":
        row = int(np.argmax(first["where.boxes"].map(len)))
        told = ma.explain(tmp_path / "run", small_table, row=row)
        assert "score of the" in str(told.text())


def test_what_cannot_be_is_said_in_a_sentence(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    detr = save(PICTURES["detr"](), tmp_path / "detr")
    asked = [
        (job_of(job_dict, small_table, detr, queries=9), "the checkpoint has 3 queries, not 9"),
        (job_of(job_dict, small_table, "scratch", head="dense", queries=9), "is for head: detr"),
    ]
    frame = pd.read_parquet(small_table)
    frame["other"] = frame["photo"]
    frame.to_parquet(small_table)
    compared = job_of(job_dict, small_table, detr, template="other")
    compared["columns"]["other"] = dict(compared["columns"]["photo"])
    asked.append((compared, "the decoder of a checkpoint looks at one picture"))
    for job, sentence in asked:
        with pytest.raises((JobError, TableError), match=sentence):
            ma.train(job, out=tmp_path / "none", quiet=True)
