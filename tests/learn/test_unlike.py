"""Noise pictures, dead and shifted channels and odd numbers are told from usual rows, by name."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.job.job_file import load_job
from modalloy.judge.report import Report
from modalloy.learn.unlike import drawn, fit_unlike, look_back
from modalloy.model.model import Model
from modalloy.readers.build import fit_readers, fit_targets
from modalloy.report.page import page
from modalloy.report.unlike import count_unlike
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.runs.saving import save_run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job
from modalloy.unlike.fitting import BOTH
from modalloy.unlike.kept import PART, likeness_of, likeness_to_bytes
from untrained import NOTES

ROWS, TEST = 220, 60


def usual(draw: np.random.Generator, count: int) -> pd.DataFrame:
    """Parts with a load, two channels of vibration and a picture of a bright disc."""
    load = draw.normal(500, 20, count)
    time = np.arange(64)
    y, x = np.mgrid[:24, :24]

    def photo(size: float) -> bytes:
        disc = ((y - 12) ** 2 + (x - 12) ** 2 < size**2) * 150.0
        pixels = (disc + draw.normal(50, 5, disc.shape)).clip(0, 255).astype(np.uint8)
        return picture(np.repeat(pixels[..., None], 3, 2))

    return pd.DataFrame(
        {
            "load": load,
            "ax": [np.sin(time / p) + draw.normal(0, 0.2, 64) for p in draw.uniform(2, 4, count)],
            "ay": [draw.normal(3, 1.0, 64) for _ in range(count)],
            "photo": [photo(s) for s in draw.uniform(4, 9, count)],
            "fault": np.where(load > 500, "yes", "no"),
        }
    )


def picture(pixels: np.ndarray) -> bytes:
    """A PNG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network as it is before training, and what is kept of the training rows."""
    folder = tmp_path_factory.mktemp("unlike")
    usual(np.random.default_rng(1), ROWS).to_parquet(folder / "parts.parquet")
    return kept_run(folder, folder / "run")


def kept_run(folder: Path, path: Path, **unlike: Any) -> Run:
    """A run of such a table; unlike: options of the job's group."""
    job = load_job(
        {
            "table": str(folder / "parts.parquet"),
            "split": {"random": "stratified", "test": 0.1, "validation": 0.3},
            "columns": {
                "load": {"type": "number"},
                "shake": {"type": "series", "from": ["ax", "ay"], "length": 64},
                "photo": {"type": "image", "pixels": 24},
            },
            "fuse": {"type": "concat", "width": 16, "layers": 1},
            "tasks": {"fault": {"type": "classify", "target": "fault"}},
            "unlike": unlike,
        }
    )
    table = open_table(job.table)
    parts = split_job(table, job)
    blank = Loader(table, job, {}, {})
    readers = fit_readers(job, lambda names: blank.cells(names, parts.train))
    targets = fit_targets(job, lambda names: blank.cells(names, parts.train))
    torch.manual_seed(0)
    model = Model(job, readers, targets, pretrained=True).eval()
    loader = Loader(table, job, readers, targets)
    wanted = job.unlike.use != "never"
    back = look_back(model, loader, parts, refit=False)
    likeness = fit_unlike(job, loader, back) if wanted else None
    path.mkdir()
    save_prints(path, Parts(*(fingerprints(table, job, p) for p in parts)))
    kept = {} if likeness is None else {PART: likeness_to_bytes(likeness)}
    return save_run(path, job, readers, targets, model, NOTES, decimal=".", parts=kept)


def odd(rows: pd.DataFrame, what: str, draw: np.random.Generator) -> pd.DataFrame:
    """The same rows with one thing that no training row shows."""
    match what:
        case "noise":
            pixels = draw.integers(0, 256, (len(rows), 24, 24, 3), dtype=np.uint8)
            return rows.assign(photo=[picture(p) for p in pixels])
        case "dead":
            return rows.assign(ax=[np.zeros(64)] * len(rows))
        case "shifted":
            return rows.assign(ay=[a + 3.0 for a in rows["ay"]])
        case _:
            return rows.assign(load=0.0)


@pytest.mark.parametrize(
    ("what", "column"),
    [("noise", "photo"), ("dead", "shake[ax]"), ("shifted", "shake[ay]"), ("zero", "load")],
)
def test_planted_outliers_are_told_and_named(
    run: Run, what: str, column: str, draw: np.random.Generator
) -> None:
    predictor, rows = Predictor(run), usual(draw, TEST)
    before = predictor.frame(rows)
    after = predictor.frame(odd(rows, what, draw))
    pairs = after["unlike.score"].to_numpy()[:, None] > before["unlike.score"].to_numpy()
    assert pairs.mean() >= 0.9  # AUROC
    assert (before["unlike"] == "yes").mean() < 0.1
    assert (after["unlike"] == "yes").mean() > 0.8
    named = after.loc[after["unlike"] == "yes", "unlike.column"]
    assert (named == column).mean() > 0.9


def test_missing_cells_are_no_oddity_and_a_row_alone_answers_alike(
    run: Run, draw: np.random.Generator
) -> None:
    predictor, rows = Predictor(run), usual(draw, TEST)
    for lacking in (["photo"], ["ax", "ay"], ["load", "photo"]):
        said = predictor.frame(rows.assign(**dict.fromkeys(lacking, None)))
        assert (said["unlike"] == "yes").mean() < 0.1
    whole = predictor.frame(rows)
    alone = [predictor.frame(rows.iloc[i : i + 1]) for i in range(5)]
    scores = [one["unlike.score"].iloc[0] for one in alone]
    assert scores == pytest.approx(whole["unlike.score"].iloc[:5].tolist(), rel=1e-4)


def test_never_keeps_nothing_and_a_larger_share_calls_more_rows_unlike(
    run: Run, tmp_path: Path, draw: np.random.Generator
) -> None:
    folder, rows = Path(run.job.table).parent, usual(draw, TEST)
    never = kept_run(folder, tmp_path / "never", use="never")
    assert never.parts == ()
    assert "unlike" not in Predictor(never).frame(rows.iloc[:2])
    kept, more = likeness_of(run), likeness_of(kept_run(folder, tmp_path / "more", share=0.2))
    assert kept is not None
    assert more is not None
    for name, judged in kept.columns.items():  # the distance at which a row is unlike
        assert more.limit * more.columns[name].unit < kept.limit * judged.unit
    found = Predictor(more_run := tmp_path / "more").frame(rows)["unlike"]
    assert more_run.is_dir()
    assert (found == "yes").mean() > (Predictor(run).frame(rows)["unlike"] == "yes").mean()


def test_the_report_counts_unlike_rows_by_what_is_unlike(
    run: Run, draw: np.random.Generator
) -> None:
    likeness = likeness_of(run)
    assert likeness is not None
    both = pd.concat([usual(draw, 30), odd(usual(draw, 10), "dead", draw)], ignore_index=True)
    unlike = Predictor(run).answers(both).unlike
    assert unlike is not None
    found = count_unlike(likeness, unlike)
    assert found["rows"] == 40
    assert 9 <= found["unlike"] <= 14
    assert found["columns"]["shake[ax]"] >= 9
    assert found["judged_by"] == BOTH
    html = page(Report(tasks={"fault": {"accuracy": 1.0}}, unlike=found))
    assert "Rows unlike those of training" in html
    assert "shake[ax]" in html


def test_rows_are_drawn_by_the_seed() -> None:
    rows = np.arange(5000)
    one, other = (drawn(rows, np.random.default_rng(s)) for s in (0, 1))
    assert len(one) == 2000
    assert one.tolist() == drawn(rows, np.random.default_rng(0)).tolist()
    assert one.tolist() != other.tolist()
    assert drawn(rows[:7], np.random.default_rng(0)).tolist() == list(range(7))
