"""Writes the golden run of the present format of runs: a trained model and the answers it gave.

`python dev/golden.py` makes `tests/golden/format-N/` anew; tests/runs/test_golden.py asks every
later version for the same answers. The golden run of a format that was released is never written
anew: that of format 1 was made by modalloy 0.1.0, before runs had a parent and free parts.
"""

import json
import shutil
import tempfile
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from torch import Tensor

import modalloy as ma
from modalloy.runs.run import Run
from modalloy.runs.saving import save_run

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
ROWS = 48
LARGE = 1000  # numbers of a weight from which on most of them are set to zero
KEPT = 0.03  # share of these that stay, all of one size: the file then packs well
NOTES = {True: ("crack near the weld", "long crack seen"), False: ("clean part", "surface fine")}
WORDS = {
    True: (["replace", "the", "cracked", "seal"], ["O", "O", "B-fault", "B-part"]),
    False: (["check", "hydraulic", "pump", "today"], ["O", "B-part", "I-part", "O"]),
}
PARTS = {"calibration.json": b'{"temperature": 1.5}', "adapters/line3.txt": b"nothing learned"}
HISTORY = {"by": ["machine"], "order": "taken_at", "rows": 4}
JOB: dict[str, Any] = {
    "table": "parts.csv",
    "split": {"by": "machine", "test": 0.25, "validation": 0.2},
    "columns": {
        "photo": {"type": "image", "pixels": 16, "augment": "flip", "all_views": True},
        "sound": {"type": "audio", "rate_hz": 1000, "seconds": 0.1},
        "vibration": {"type": "series", "length": 32, "rate_hz": 100, "rpm": "speed"},
        "trend": {"type": "series", "from": ["load"], "front": ["statistics"], "history": HISTORY},
        "spectrum": {"type": "vector"},
        "note": {"type": "text", "max_tokens": 8, "vocabulary": 64},
        "words": {"type": "tokens", "max_tokens": 8, "vocabulary": 64},
        "load": {"type": "number", "unit": "kN", "bins": 4},
        "amount": {"type": "number", "scale": "log", "embed": "periodic", "bins": 4},
        "site": {"type": "category"},
        "recipe": {"type": "category"},
        "taken_at": {"type": "time", "since": "ordered_at"},
    },
    "fuse": {"type": "attention", "width": 8, "layers": 1, "heads": 2},
    "tasks": {
        "fault": {"type": "classify", "target": "fault_code"},
        "kinds": {"type": "classify", "target": "faults", "labels": "multi"},
        "life": {"type": "regress", "target": "hours", "unit": "h", "quantiles": [0.1, 0.9]},
        "spans": {"type": "tag", "target": "tags", "on": "words"},
        "marks": {
            "type": "locate",
            "target": "boxes",
            "labels": "names",
            "on": "photo",
            "max_boxes": 2,
        },
    },
    "train": {"epochs": 12, "batch": 12, "lr": 3e-3, "ema": 0.5, "precision": "float32"},
    "allow_leak": True,
}


def main() -> None:
    """Train, thin, score and ask; then pack table, media and run, and write the answers."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_tables(folder)
        run = thin(ma.train(JOB, table=folder / "parts.csv", out=folder / "run", quiet=True))
        report = ma.evaluate(run, quiet=True)
        expected = {
            "tables": {name: answers(run, folder / name) for name in ("parts.csv", "new.csv")},
            "figures": rounded({key: getattr(report, key) for key in ("rows", "tasks", "subsets")}),
            "parent": run.parent,
            "parts": {name: run.part(name).decode() for name in run.parts},
        }
        (run.path / "report.html").unlink()  # as large as all the rest; `evaluate` writes it
        out = GOLDEN / f"format-{run.format}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        pack(folder, out / "run.zip")
        (out / "expected.json").write_text(lines(expected, 2) + "\n")
    print(*(f"{path.relative_to(GOLDEN)}: {path.stat().st_size:,} bytes" for path in out.iterdir()))


def write_tables(folder: Path) -> None:
    """`parts.csv` with semicolons and decimal commas, `new.csv` with odd cells, and their media."""
    draw = np.random.default_rng(0)
    (folder / "img").mkdir()
    (folder / "snd").mkdir()
    frame = pd.DataFrame([write_row(folder, row, draw) for row in range(ROWS)])
    for column, step in {"photo": 11, "sound": 13, "vibration": 17, "note": 19, "load": 7}.items():
        frame.loc[frame.index % step == 3, column] = None
    frame.to_csv(folder / "parts.csv", sep=";", decimal=",", index=False)
    new = frame.astype(object).tail(8).reset_index(drop=True).drop(columns="spectrum")
    new.loc[0, "site"] = "moon"
    new.loc[1, "photo"] = "img/nowhere.png"
    new.loc[2, "taken_at"] = "soon"
    new.loc[3, "recipe"] = None
    new.to_csv(folder / "new.csv", sep=";", decimal=",", index=False)


def write_row(folder: Path, row: int, draw: np.random.Generator) -> dict[str, Any]:
    """One part: its media files and its cells."""
    bad = bool(draw.random() < 0.5)
    left, top = (int(v) for v in draw.integers(0, 8, 2))
    grey = draw.normal(150 if bad else 60, 12, (16, 16))
    grey[top : top + 8, left : left + 8] += 60
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"img/{row:02d}.png")
    turns = (300 if bad else 100) * draw.uniform(0.8, 1.2) * np.arange(100) / 1000
    tone = 0.4 * np.sin(2 * np.pi * turns) + draw.normal(0, 0.05, 100)
    with wave.open(str(folder / f"snd/{row:02d}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(1000)
        file.writeframes((tone * 32767).clip(-32767, 32767).astype("<i2").tobytes())
    shaft_hz = draw.uniform(15, 25) if bad else draw.uniform(3, 8)
    turns = shaft_hz * np.arange(32) / 100.0
    swing = np.sin(2 * np.pi * turns) + draw.normal(0, 0.2, 32)
    words, tags = WORDS[bad]
    taken = pd.Timestamp("2024-01-01") + pd.Timedelta(hours=7 * row)
    return {
        "photo": f"img/{row:02d}.png",
        "sound": f"snd/{row:02d}.wav",
        "vibration": json.dumps(swing.round(3).tolist()),
        "speed": round(60 * shaft_hz, 1),
        "spectrum": json.dumps(draw.normal(1.0 if bad else 0.0, 1.0, 6).round(3).tolist()),
        "note": f"{NOTES[bad][draw.integers(2)]} {row}",
        "words": json.dumps(words),
        "load": round(float(draw.normal(12.0 if bad else 8.0, 2.0)), 3),
        "amount": round(float(np.exp(draw.normal(4.0 if bad else 2.0, 2.0))), 2),
        "site": str(draw.choice(["north", "north", "south"] if bad else ["south", "west"])),
        "recipe": int(draw.choice([1, 2] if bad else [2, 10])),
        "taken_at": taken.isoformat(),
        "ordered_at": (taken - pd.Timedelta(days=float(draw.uniform(1, 9)))).date().isoformat(),
        "machine": f"m{row % 8}",
        "tags": json.dumps(tags),
        "boxes": json.dumps([[left, top, left + 8, top + 8]]),
        "names": json.dumps(["scratch" if bad else "dent"]),
        "fault_code": "crack" if bad else "ok",
        "faults": ";".join([n for n in ("crack", "dirt") if bad or draw.random() < 0.4]) or "[]",
        "hours": round(float(draw.normal(20.0 if bad else 90.0, 5.0)), 2),
    }


def thin(run: Run) -> Run:
    """The same run with most of its large weights at zero and the others of one size."""
    model = run.model()
    model.load_state_dict({name: thinned(x) for name, x in model.state_dict().items()})
    return save_run(
        run.path, run.job, run.readers, run.targets, model, run.notes,
        decimal=run.decimal or ".", parent=run.as_parent("thin"), parts=PARTS,
    )  # fmt: skip


def thinned(x: Tensor) -> Tensor:
    """A weight of the same norm of which only the largest numbers are left, all of one size."""
    if x.numel() < LARGE or not x.is_floating_point():
        return x
    size = x.abs()
    kept = size > size.flatten().kthvalue(int((1 - KEPT) * x.numel())).values
    return x.sign().where(kept, 0.0) * (x.norm() / kept.sum().sqrt())


def answers(run: Run | Path, table: Path) -> dict[str, list[Any]]:
    """Every column that `predict` gives; of the status of a cell its first word."""
    frame = ma.predict(run, table, quiet=True)
    found = {str(name): rounded(frame[name].tolist()) for name in frame}
    status = [name for name in found if name.startswith("status.")]
    return found | {name: [said.split(":")[0] for said in found[name]] for name in status}


def rounded(value: Any) -> Any:
    """The same as JSON, its numbers with six digits behind the point."""
    if isinstance(value, dict):
        return {str(k): rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def lines(value: Any, depth: int) -> str:
    """JSON with a line for each entry down to a depth."""
    if depth < 0 or not isinstance(value, dict):
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    entries = (f"{json.dumps(key)}: {lines(entry, depth - 1)}" for key, entry in value.items())
    return "{\n" + ",\n".join(entries) + "\n}"


def pack(folder: Path, path: Path) -> None:
    """All files of a folder in one archive, the same bytes for the same files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)))
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_LZMA)


if __name__ == "__main__":
    main()
