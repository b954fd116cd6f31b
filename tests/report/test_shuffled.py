"""A control: a column whose cells are dealt out among the rows no longer helps."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from conftest import make_job, write_table
from modalloy.answer.answers import EVERYTHING
from modalloy.answer.dealt import DealtLoader, deal, read_together
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.blend.mixture import Blend
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.train import train_model
from modalloy.model.model import Model
from modalloy.report.extras import Extras
from modalloy.report.shuffled import shuffled_figures
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from untrained import untrained

WORDS = ("check", "the", "today", "again", "near", "line")


def write_rows(folder: Path, rows: int = 320) -> Path:
    """`mercury` is a place at one site and a part at the other, `crane` the other way round:
    the tag of a word depends on word and category together.
    """
    draw = np.random.default_rng(0)
    records = []
    for row in range(rows):
        site = str(draw.choice(["north", "south"]))
        told = str(draw.choice(["mercury", "crane"]))
        words = [str(w) for w in draw.choice(WORDS, 4)]
        at = int(draw.integers(0, 5))
        kind = "place" if (site == "north") == (told == "mercury") else "part"
        tags = ["O"] * 5
        words.insert(at, told)
        tags[at] = f"B-{kind}"
        part = "test" if row % 5 == 0 else "train"
        records.append({"words": words, "tags": tags, "site": site, "part": part})
    path = folder / "orders.parquet"
    pd.DataFrame(records).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tagged")
    words = {"type": "tokens", "max_tokens": 16, "vocabulary": 96}
    job = load_job(
        {
            "table": str(write_rows(folder)),
            "split": {"column": "part", "validation": 0},
            "columns": {"words": words, "site": {"type": "category"}},
            "fuse": {"type": "concat", "width": 32, "layers": 1, "modality_dropout": 0.0},
            "tasks": {"what": {"type": "tag", "target": "tags", "on": "words"}},
            "train": {
                "epochs": 20,
                "batch": 16,
                "lr": 3e-3,
                "ema": 0.9,
                "precision": "float32",
                "patience": 0,
            },
        }
    )
    table = open_table(job.table)
    parts = split_job(table, job)
    loader = open_loader(job, table, parts)
    model = Model(job, loader.readers, loader.targets, pretrained=True)
    train_model(model, loader, parts, job, folder / "run", quiet=True)
    target = loader.targets["what"]
    truth = {"what": target.truth(loader.cells(target.columns, parts.test))}
    answers = answer_rows(model, loader, parts.test).seen[EVERYTHING]
    return model, loader, parts.test, truth, answers


def test_a_tag_depends_on_a_category_and_the_gain_goes_when_its_cells_are_dealt_out(
    trained: Any,
) -> None:
    model, loader, which, truth, answers = trained
    found = shuffled_figures(model, loader, which, truth, answers, Extras(blend=Blend({}, {})))
    assert list(found["what"]) == ["table"]  # the words themselves are never dealt out
    figures = found["what"]["table"]
    assert figures["whole"]["span_f1"] > 0.95
    assert figures["span_f1"] < 0.7  # half of the sites are wrong then
    assert figures["rows"] == len(which)
    low, high = figures["interval"]["span_f1"]
    assert low <= figures["span_f1"] <= high


def test_each_row_is_dealt_another_ones_cells_and_keeps_the_rest(trained: Any) -> None:
    _, loader, which, _, _ = trained
    other = deal(which, loader.table.rows, 0)
    assert (other[which] != which).all()
    assert sorted(other[which]) == sorted(which)
    rest = np.setdiff1d(np.arange(loader.table.rows), which)
    assert (other[rest] == rest).all()
    dealt = DealtLoader(loader, ["table"], other)
    own, one, far = loader.batch(which), dealt.batch(which), loader.batch(other[which])
    for name, values in far.values["table"].items():
        assert np.array_equal(one.values["table"][name], values)
    assert np.array_equal(one.values["words"]["ids"], own.values["words"]["ids"])
    assert np.array_equal(one.targets["what"]["y"], own.targets["what"]["y"])
    cells = dealt.cells(["site", "tags"], which)
    assert cells["site"] == loader.cells(["site"], other[which])["site"]
    assert all(
        list(a) == list(b)
        for a, b in zip(cells["tags"], loader.cells(["tags"], which)["tags"], strict=True)
    )


def test_inputs_that_read_the_same_column_are_dealt_out_together(tmp_path: Path) -> None:
    table = write_table(tmp_path, rows=40)
    job = make_job(table, columns=("load", "site", "photo", "vibration"))
    job["tasks"] = {"fault": job["tasks"]["fault"]}
    rpm = {"rpm": "load", "front": ["order"]}
    spun = {**job, "columns": {**job["columns"], "vibration": job["columns"]["vibration"] | rpm}}
    for given, expected in (
        (job, [("table",), ("photo",), ("vibration",)]),
        (spun, [("table", "vibration"), ("photo",)]),
    ):
        name = str(len(expected))
        predictor = Predictor(untrained(tmp_path / name, table, job=load_job(given)))
        loader = predictor.open(open_table(table))[0]
        assert read_together(loader, predictor.model.inputs) == expected
    report = ma.evaluate(predictor.run, table, out=tmp_path / "page.html", quiet=True)
    assert list(report.shuffled["fault"]) == ["table + vibration", "photo"]
    assert "read the same column of the table" in (tmp_path / "page.html").read_text()
    only = {**spun, "columns": {n: spun["columns"][n] for n in ("load", "vibration")}}
    run = untrained(tmp_path / "only", table, job=load_job(only))
    report = ma.evaluate(run, table, out=tmp_path / "page.html", quiet=True)
    assert "fault" in report.subsets
    assert report.shuffled == {}  # nothing would be left of the row
