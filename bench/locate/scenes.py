"""Drawn scenes with boxes, and a note beside each: a folder with pictures and a table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

SIDE = 64  # pixels
SHAPES = ("circle", "square", "triangle")
PARTS = {  # what notes are about, and the words that say so
    "electric": ("cable", "fuse", "relay", "contact", "short"),
    "hydraulic": ("pump", "valve", "oil", "leak", "pressure"),
    "mechanic": ("bearing", "gear", "bolt", "belt", "wear"),
    "optic": ("lens", "lamp", "mirror", "camera", "blur"),
}
FILLER = ("checked", "again", "today", "the", "near", "left", "right", "line", "shift", "part")
ASTRAY = 0.25  # chance that a telling word is of another class: notes alone are not enough for 1.0


def draw_scenes(folder: Path, rows: int, seed: int) -> Path:
    """`scenes.parquet` with photo, boxes, shapes, note, topic and split; a fifth are test rows."""
    draw = np.random.default_rng(seed)
    (folder / "img").mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame([draw_row(folder, row, draw) for row in range(rows)])
    part = draw.permutation(rows)
    frame["split"] = np.select([part < rows // 5, part < 3 * rows // 10], ["test", "val"], "train")
    path = folder / "scenes.parquet"
    frame.to_parquet(path, index=False)
    return path


def draw_row(folder: Path, row: int, draw: np.random.Generator) -> dict[str, Any]:
    """One scene of none to six shapes, which may lie over one another, and its note."""
    picture, boxes, shapes = draw_picture(draw)
    picture.save(folder / "img" / f"{row:05d}.png")
    topic = str(draw.choice(list(PARTS)))
    return {
        "photo": f"img/{row:05d}.png",
        "boxes": json.dumps(boxes),
        "shapes": json.dumps(shapes),
        "note": write_note(topic, draw),
        "topic": topic,
    }


def draw_picture(draw: np.random.Generator) -> tuple[Image.Image, list[list[int]], list[str]]:
    """A noisy picture, its boxes and what is in them."""
    ground = draw.integers(0, 256, 3)
    noise = draw.normal(0, 12, (SIDE, SIDE, 3))
    picture = Image.fromarray((ground + noise).clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    boxes, shapes = [], []
    for _ in range(int(draw.integers(0, 7))):
        wide, high = (int(n) for n in draw.integers(9, 27, 2))
        left, top = int(draw.integers(0, SIDE - wide)), int(draw.integers(0, SIDE - high))
        box = [left, top, left + wide, top + high]
        shape = str(draw.choice(SHAPES))
        colour = tuple(int(c) for c in (ground + draw.integers(60, 196, 3)) % 256)
        inside = (left, top, left + wide - 1, top + high - 1)
        match shape:
            case "circle":
                pen.ellipse(inside, fill=colour)
            case "square":
                pen.rectangle(inside, fill=colour)
            case _:
                peak = (left + wide // 2, top)
                pen.polygon([peak, (left, inside[3]), (inside[2], inside[3])], fill=colour)
        boxes.append(box)
        shapes.append(shape)
    return picture, boxes, shapes


def write_note(topic: str, draw: np.random.Generator) -> str:
    """A few words, of which two or three tell the topic, and now and then another one."""
    words = [str(w) for w in draw.choice(FILLER, 5)]
    for _ in range(int(draw.integers(2, 4))):
        about = str(draw.choice(list(PARTS))) if draw.random() < ASTRAY else topic
        words.append(str(draw.choice(PARTS[about])))
    return " ".join(str(w) for w in draw.permutation(words))
