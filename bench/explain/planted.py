"""A table in which one cell of a row gives its class, at a place that is known: planted causes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

WORDS = (
    "part", "line", "shift", "tool", "lamp", "hand", "wash", "rim", "left", "right", "weld",
    "corner", "back", "centre", "checked", "twice", "after", "new", "old", "night", "morning",
    "batch", "feed", "press", "roll", "belt", "pump", "valve", "shaft", "gear",
)  # fmt: skip
CAUSE_WORD = "leaking"
SIDE, PATCH = 48, 10  # pixels of a picture and of its bright patch
SAMPLES, BURST, RATE_HZ = 512, 48, 1000
CAUSES = ("photo", "note", "vibration")


def write_planted(folder: Path, *, rows: int, seed: int = 0) -> Path:
    """`planted.parquet`: photo, note, vibration and load; `state` is `bad` in two rows of three.

    Of a bad row exactly one cell says so: a bright patch, one word, or a burst. `cause` names the
    column and `place` where in it: left and top of the patch, number of the word, first sample.
    """
    draw = np.random.default_rng(seed)
    (folder / "img").mkdir(parents=True, exist_ok=True)
    records = [plant(folder, row, draw) for row in range(rows)]
    path = folder / "planted.parquet"
    pd.DataFrame(records).to_parquet(path, index=False)
    return path


def plant(folder: Path, row: int, draw: np.random.Generator) -> dict[str, Any]:
    """One row with its picture."""
    cause = CAUSES[int(draw.integers(3))] if draw.random() < 2 / 3 else ""
    picture = draw.normal(90, 14, (SIDE, SIDE))
    words = draw.choice(WORDS, 8).tolist()
    wave = draw.normal(0, 1, SAMPLES)
    place: list[int] = []
    if cause == "photo":
        left, top = (int(v) for v in draw.integers(0, SIDE - PATCH, 2))
        picture[top : top + PATCH, left : left + PATCH] += 90
        place = [left, top]
    elif cause == "note":
        place = [int(draw.integers(len(words)))]
        words[place[0]] = CAUSE_WORD
    elif cause == "vibration":
        place = [int(draw.integers(SAMPLES - BURST))]
        turns = 180 / RATE_HZ * np.arange(BURST)
        wave[place[0] : place[0] + BURST] += 6 * np.sin(2 * np.pi * turns)
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / "img" / f"{row:04d}.png")
    return {
        "photo": f"img/{row:04d}.png",
        "note": " ".join(words),
        "vibration": wave,
        "load": float(draw.normal(10, 2)),
        "state": "bad" if cause else "good",
        "cause": cause,
        "place": place,
        "part": ("train", "train", "train", "val", "test")[row % 5],
    }


def planted_job(
    table: Path, *, epochs: int, pixels: int = SIDE, front: tuple[str, ...] = ("statistics",)
) -> dict[str, Any]:
    """A job over it that trains in seconds."""
    return {
        "table": str(table),
        "split": {"column": "part"},
        "columns": {
            "photo": {"type": "image", "pixels": pixels, "augment": "none"},
            "note": {"type": "text", "max_tokens": 24, "vocabulary": 128},
            "vibration": {
                "type": "series", "length": SAMPLES, "rate_hz": RATE_HZ, "front": list(front),
            },
            "load": {"type": "number", "unit": "kN", "bins": 4},
        },
        "fuse": {"type": "concat", "width": 32, "layers": 1},
        "tasks": {"state": {"type": "classify", "target": "state"}},
        "train": {"epochs": epochs, "batch": 16, "precision": "float32"},
        "blend": {"use": "never"},
        "calibrate": {"use": "never"},
        "unlike": {"use": "never"},
    }  # fmt: skip


def hits(said: dict[str, Any], cause: str, place: list[int]) -> bool:
    """Whether the column that adds most is the cause, and its strongest part lies where it was
    planted.

    said: of one task, as `Explanation.as_dict` has it.
    """
    columns = said["columns"]
    if max(columns, key=lambda c: columns[c]["adds"]) != cause:
        return False
    part = max(said["inside"][cause]["parts"], key=lambda p: p["share"])
    match cause:
        case "photo":
            left, top, right, bottom = part["box"]
            across = min(right, place[0] + PATCH) - max(left, place[0])
            down = min(bottom, place[1] + PATCH) - max(top, place[1])
            return across > 0 and down > 0
        case "note":
            return part["word"] == place[0]
        case _:
            return min(part["to"], place[0] + BURST) > max(part["from"], place[0])
