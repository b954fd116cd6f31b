"""A seed in, a small table with every kind of column out: what the tests train and read."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import atexit
import functools
import json
import shutil
import tempfile
import traceback
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from PIL import Image

settings.register_profile("modalloy", deadline=None, derandomize=True)
settings.load_profile("modalloy")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto` takes the cores that this process may use, not all that the machine has."""
    from modalloy.machine.limits import cores

    return cores()


ROWS = 80
NOTES = {
    "crack": ("crack near the weld", "edge is broken, crack seen", "long crack on the housing"),
    "ok": ("clean part, nothing seen", "surface is fine", "looks good, passed"),
}
WORDS = {
    "crack": (["replace", "the", "cracked", "seal"], ["O", "O", "B-fault", "B-part"]),
    "ok": (["check", "hydraulic", "pump", "today"], ["O", "B-part", "I-part", "O"]),
}
COLUMNS: dict[str, dict[str, Any]] = {
    "photo": {"type": "image", "pixels": 16, "augment": "none"},
    "sound": {"type": "audio", "rate_hz": 4000, "seconds": 0.25},
    "vibration": {"type": "series", "length": 32, "rate_hz": 100},
    "note": {"type": "text", "max_tokens": 16, "vocabulary": 128},
    "load": {"type": "number", "unit": "kN", "bins": 4},
    "site": {"type": "category"},
    "taken_at": {"type": "time"},
}
TASKS: dict[str, dict[str, Any]] = {
    "fault": {"type": "classify", "target": "fault_code"},
    "life": {"type": "regress", "target": "hours_left", "unit": "h"},
}


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """The same random numbers in every test, whatever ran before it."""
    np.random.seed(0)
    try:
        import torch
    except ImportError:
        return
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture
def remembering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Asked for by a test of what frozen encoders said before, which it keeps in its own folder."""
    from modalloy.answer import content_store

    monkeypatch.setattr(content_store, "features_file", lambda: tmp_path / "features.sqlite")


@pytest.fixture(autouse=True)
def _nothing_remembered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frozen encoders run in every other test, whatever an earlier training has kept."""
    if "remembering" not in request.fixturenames:
        monkeypatch.setattr("modalloy.answer.loader.store_of", lambda most_gb: None)


@pytest.fixture
def failing_parts() -> None:
    """Asked for by a test whose reports may lack parts; see `_whole_reports`."""


@pytest.fixture(autouse=True)
def _whole_reports(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No part of any report fails unseen: a failure is the test's, unless it asks for one."""
    from modalloy.judge import sections

    found: list[str] = []
    trace_of = sections.trace_of

    def noted(error: Exception) -> list[str]:
        found.append("".join(traceback.format_exception(error)))
        return trace_of(error)

    monkeypatch.setattr(sections, "trace_of", noted)
    yield
    if "failing_parts" not in request.fixturenames:
        assert not found, found[0]


@pytest.fixture(scope="module")
def no_lines() -> Iterator[None]:
    """Reports without simple methods beside the model: their fitting takes longer than a small
    training, and the tests of a module that asks for this look at none of them.
    """
    from modalloy.judge.baselines.baselines import Baselines
    from modalloy.report import evaluate

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "baselines", lambda *_, **__: Baselines({}, {}, {}))
        yield


@pytest.fixture
def small_table(tmp_path: Path) -> Path:
    """`parts.parquet` with 80 rows of every kind of column, its media beside it."""
    return write_table(tmp_path)


@pytest.fixture
def small_csv(tmp_path: Path) -> Path:
    """`parts.csv`, the same 80 rows without the list columns for tags and boxes."""
    return write_table(tmp_path, name="parts.csv")


@pytest.fixture
def job_dict() -> Callable[..., dict[str, Any]]:
    """Makes a job as a dictionary; see `make_job`."""
    return make_job


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets; tests that ask for it are skipped where it is absent."""
    here = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("MODALLOY_SHARED") or here.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("the real data sets are absent: set MODALLOY_SHARED to their folder.")
    return folder


def make_job(
    table: Path | str, *, columns: tuple[str, ...] | None = None, **changes: Any
) -> dict[str, Any]:
    """A job over the small table that trains in seconds; `changes` replaces its keys.

    The network answers alone, uncalibrated: `blend={}` and `calibrate={}` are as jobs have them by
    default.
    """
    names = tuple(COLUMNS) if columns is None else columns
    job: dict[str, Any] = {
        "table": str(table),
        "split": {"by": "machine", "test": 0.25, "validation": 0.2},
        "columns": {name: dict(COLUMNS[name]) for name in names},
        "fuse": {"type": "concat", "width": 16, "layers": 1},
        "tasks": {name: dict(task) for name, task in TASKS.items()},
        "train": {"epochs": 2, "batch": 16, "precision": "float32"},
        "blend": {"use": "never"},
        "calibrate": {"use": "never"},
        "unlike": {"use": "never"},
    }
    return job | changes


def write_table(
    folder: Path, *, rows: int = ROWS, seed: int = 0, name: str = "parts.parquet"
) -> Path:
    """The small table and its media, in a folder; the class shows in every column, some cells lack.

    Columns: photo (grey 24 x 24 PNG, bright when cracked), sound (0.25 s WAV at 4 kHz, 800 Hz when
    cracked and 200 Hz otherwise), vibration (list of 32 numbers), note, load (kN), site, taken_at,
    machine (8 of them), words and tags (lists), boxes (list of lists) and box_names, fault_code,
    hours_left (h). A `.csv` name leaves out words, tags and boxes; its series are JSON lists.
    """
    shutil.copytree(
        _written(rows, seed, name), folder, copy_function=shutil.copyfile, dirs_exist_ok=True
    )
    return folder / name


@functools.cache
def _written(rows: int, seed: int, name: str) -> Path:
    """The folder of one such table, which is written once: drawing it takes longer than a copy."""
    folder = Path(tempfile.mkdtemp(prefix="modalloy-table-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    draw = np.random.default_rng(seed)
    (folder / "img").mkdir(parents=True, exist_ok=True)
    (folder / "snd").mkdir(exist_ok=True)
    records = [write_row(folder, row, draw) for row in range(rows)]
    frame = pd.DataFrame(records)
    for column, step in {"photo": 11, "sound": 13, "vibration": 17, "note": 19, "load": 7}.items():
        frame.loc[frame.index % step == 3, column] = None
    frame.loc[frame.index % 23 == 5, "hours_left"] = None
    path = folder / name
    if path.suffix == ".csv":
        frame["vibration"] = [
            None if cell is None else json.dumps(cell.round(4).tolist())
            for cell in frame["vibration"]
        ]
        frame.drop(columns=["words", "tags", "boxes", "box_names"]).to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return folder


def write_row(folder: Path, row: int, draw: np.random.Generator) -> dict[str, Any]:
    """One part: its media files and its cells."""
    fault = "crack" if draw.random() < 0.5 else "ok"
    bad = fault == "crack"
    words, tags = WORDS[fault]
    left, top = (int(v) for v in draw.integers(0, 12, 2))
    shaft_hz = draw.uniform(15, 25) if bad else draw.uniform(3, 8)
    turns = shaft_hz * np.arange(32) / 100.0 + draw.random()
    return {
        "photo": write_photo(folder / "img" / f"{row:03d}.png", bad, (left, top), draw),
        "sound": write_sound(folder / "snd" / f"{row:03d}.wav", 800 if bad else 200, draw),
        "vibration": draw.uniform(0.5, 2) * np.sin(2 * np.pi * turns) + draw.normal(0, 0.2, 32),
        "note": f"{NOTES[fault][draw.integers(3)]} {row}",
        "load": float(draw.normal(12.0 if bad else 8.0, 2.0)),
        "site": str(draw.choice(["north", "north", "south"] if bad else ["south", "west"])),
        "taken_at": pd.Timestamp("2024-01-01") + pd.Timedelta(hours=7 * row),
        "machine": f"m{row % 8}",
        "words": words,
        "tags": tags,
        "boxes": [[left, top, left + 8, top + 8]],
        "box_names": ["scratch" if bad else "dent"],
        "fault_code": fault,
        "hours_left": float(draw.normal(20.0 if bad else 90.0, 5.0)),
    }


def write_photo(
    path: Path, bright: bool, corner: tuple[int, int], draw: np.random.Generator
) -> str:
    """A noisy grey picture with a lighter 8 x 8 square; returns its path relative to the table."""
    grey = draw.normal(150 if bright else 60, 12, (24, 24))
    left, top = corner
    grey[top : top + 8, left : left + 8] += 60
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(path)
    return f"img/{path.name}"


def write_sound(path: Path, pitch_hz: int, draw: np.random.Generator) -> str:
    """A quarter of a second of one noisy tone, 16-bit WAV; returns its path from the table."""
    pitch_hz = pitch_hz * draw.uniform(0.8, 1.2)
    turns = pitch_hz * np.arange(1000) / 4000 + draw.random()
    tone = draw.uniform(0.2, 0.6) * np.sin(2 * np.pi * turns) + draw.normal(0, 0.05, 1000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(4000)
        file.writeframes((tone * 32767).clip(-32767, 32767).astype("<i2").tobytes())
    return f"snd/{path.name}"


@pytest.fixture
def draw() -> np.random.Generator:
    """Random numbers that are the same in every test."""
    return np.random.default_rng(0)


@pytest.fixture
def y(draw: np.random.Generator) -> list[str]:
    """A target with three classes in 200 rows."""
    return draw.choice(["ok", "crack", "dent"], 200).tolist()
