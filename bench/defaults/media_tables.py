"""Made tables of texts, pictures, sounds, series and vectors, and a mixture; all seeded."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from bench.defaults.tables import write_csv

RATE_HZ = 8_000
SIDE = 64  # pixels of the pictures
NOTES = {
    "leak": ["oil under the pump", "seal is wet again", "drips from the flange", "hose lost fluid"],
    "noise": ["bearing howls", "loud knocking at start", "grinding from the gear", "rattles badly"],
    "heat": ["housing too hot", "motor smells burnt", "thermal cut-out tripped", "cooler blocked"],
    "power": ["no voltage at the drive", "fuse blown", "cable cut", "controller does not start"],
}
ROUND = ["seen at the {} shift", "told by {}", "please look, {}", "{} again", "since {} morning"]
WHO = ["early", "late", "night", "Monday", "Friday", "Meyer", "Rossi", "Novak", "Silva", "Chen"]


def texts(folder: Path) -> Path:
    """400 work orders in a few words each, of four kinds."""
    draw = np.random.default_rng(10)
    kinds = draw.choice(list(NOTES), 400)
    return write_csv(folder, {"note": notes(kinds, draw), "kind": kinds})


def pictures(folder: Path) -> Path:
    """300 drawn plates of metal: sound, scratched or pierced, anywhere on the plate."""
    draw = np.random.default_rng(11)
    kinds = draw.choice(["sound", "scratch", "hole"], 300)
    (folder / "img").mkdir()
    paths = [f"img/{row}.png" for row in range(len(kinds))]
    for path, kind in zip(paths, kinds, strict=True):
        plate(str(kind), draw).save(folder / path)
    return write_csv(folder, {"photo": np.array(paths), "state": kinds})


def sounds(folder: Path) -> Path:
    """240 recordings of a machine: a tone with an overtone, and hum; faults shift the overtone."""
    import soundfile

    draw = np.random.default_rng(12)
    kinds = draw.choice(["even", "loose", "worn"], 240)
    (folder / "wav").mkdir()
    paths = [f"wav/{row}.wav" for row in range(len(kinds))]
    seconds = np.arange(int(0.6 * RATE_HZ)) / RATE_HZ
    for path, kind in zip(paths, kinds, strict=True):
        base_hz = draw.uniform(180, 320)
        times = {"even": 2.0, "loose": 2.5, "worn": 3.0}[str(kind)]
        wave = np.sin(2 * np.pi * base_hz * seconds + draw.uniform(0, 6))
        wave += 0.5 * np.sin(2 * np.pi * times * base_hz * seconds + draw.uniform(0, 6))
        wave += draw.normal(0, 0.4, len(seconds))
        soundfile.write(folder / path, (0.2 * wave).astype(np.float32), RATE_HZ)
    return write_csv(folder, {"recording": np.array(paths), "state": kinds})


def series(folder: Path) -> Path:
    """160 presses in a column `values`: where in the stroke the peak lies tells the kind."""
    draw = np.random.default_rng(13)
    kinds = draw.choice(["early", "late", "double"], 160)
    moments = np.linspace(0, 1, 120)
    rows = []
    for kind in kinds:
        at = {"early": [0.3], "late": [0.7], "double": [0.3, 0.7]}[str(kind)]
        shift, height = draw.normal(0, 0.04), draw.uniform(0.8, 1.2) / len(at)
        rows.append(
            sum(height * np.exp(-(((moments - a - shift) / 0.05) ** 2)) for a in at)
            + draw.normal(0, 0.1, len(moments))
        )
    return write_parquet(folder, {"values": lists(rows), "stroke": pa.array(list(kinds))})


def vectors(folder: Path) -> Path:
    """1,000 embeddings of 64 numbers whose order means nothing; five classes of directions."""
    draw = np.random.default_rng(14)
    centres = draw.normal(0, 0.35, (5, 64))
    kinds = draw.integers(0, 5, 1_000)
    rows = list(centres[kinds] + draw.normal(0, 1, (1_000, 64)))
    names = pa.array([f"family {k}" for k in kinds])
    return write_parquet(folder, {"embedding": lists(rows), "family": names})


def mixture(folder: Path) -> Path:
    """1,000 rows of notes, series, sites and loads that act together; 30 % of cells are empty."""
    draw = np.random.default_rng(15)
    rows = 1_000
    kinds, site = draw.choice(list(NOTES), rows), draw.choice(["A", "B", "C"], rows)
    load, phase = draw.uniform(0, 1, rows), draw.uniform(0, 6, rows)
    swing = draw.uniform(0.5, 2, rows)
    moments = np.linspace(0, 12, 80)
    waves = swing[:, None] * np.sin(moments + phase[:, None]) + draw.normal(0, 0.2, (rows, 80))
    hours = 20 + 10 * (kinds == "heat") + 6 * swing * load + 4 * (site == "B")
    hours += draw.normal(0, 1.5, rows)
    empty = draw.uniform(size=(rows, 4)) < 0.3
    columns = {
        "note": pa.array(list(notes(kinds, draw)), mask=empty[:, 0]),
        "vibration": lists([None if e else w for w, e in zip(waves, empty[:, 1], strict=True)]),
        "site": pa.array(list(site), mask=empty[:, 2]),
        "load": pa.array(load, mask=empty[:, 3]),
        "repair_hours": pa.array(hours),
    }
    return write_parquet(folder, columns)


def plate(kind: str, draw: np.random.Generator) -> Image.Image:
    """A grey plate with brushed lines, and its fault."""
    grain = 130 + draw.uniform(-25, 25) + draw.normal(0, 14, (SIDE, 1))
    grain = grain + draw.normal(0, 9, (SIDE, SIDE))
    picture = Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8))
    x, y = draw.integers(12, SIDE - 12, 2)
    if kind == "hole":
        r = draw.integers(3, 6)
        ImageDraw.Draw(picture).ellipse((x - r, y - r, x + r, y + r), fill=25)
    elif kind == "scratch":
        turn, long = draw.uniform(0, np.pi), draw.uniform(10, 18)
        dx, dy = long * np.cos(turn), long * np.sin(turn)
        ImageDraw.Draw(picture).line((x - dx, y - dy, x + dx, y + dy), fill=225, width=2)
    return picture


def notes(kinds: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A short note of each kind, with words and a number around it that say nothing."""
    said = [draw.choice(NOTES[str(kind)]) for kind in kinds]
    around = [draw.choice(ROUND).format(draw.choice(WHO)) for _ in kinds]
    orders = draw.integers(10_000, 99_999, len(kinds))  # no two notes are alike
    told = zip(said, around, orders, strict=True)
    return np.array([f"{what}, {rest}, order {order}" for what, rest, order in told])


def lists(rows: Sequence[np.ndarray | None]) -> pa.Array:
    """A column of lists of float32."""
    return pa.array([None if r is None else r.tolist() for r in rows], pa.list_(pa.float32()))


def write_parquet(folder: Path, columns: dict[str, pa.Array]) -> Path:
    """The table as a Parquet file, for cells that are lists."""
    path = folder / "table.parquet"
    pq.write_table(pa.table(columns), path)
    return path
