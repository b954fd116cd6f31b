"""Levers that change no answer: what they save, each against doing without it, interleaved.

    python -m bench.levers [--rounds 5] [--only decode steps notes]

decode: a 12-megapixel JPEG read for a 224 px encoder, at the smallest scale of its own that
suffices against decoding all of it. steps, trainings: on a frozen MiniLM whose features are kept
against running it every time - a step, ten epochs, and a second training of the same cells. notes:
a table of notes of real lengths through MiniLM, in buckets of like length against padding each to
128 pieces. Ratios are of medians over rounds, beside them ratios of CPU seconds, which do
not count what neighbours took. Writes bench/results/levers.json and docs/performance.md.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from bench.line import Line, publish
from modalloy.answer.buckets import buckets
from modalloy.cells.cells import Cells
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.training import learn_job
from modalloy.machine.bursts import Timing, faster, interleaved
from modalloy.machine.fingerprint import processor
from modalloy.machine.limits import cores
from modalloy.media.media import open_image
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.readers.image import ImageReader
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

WORDS = ["pump", "bearing", "seal", "motor", "valve", "leak", "noise", "hot", "replaced", "oil"]
BATCH, EPOCHS, ROWS, PIECES, NOTES = 16, 10, 32, 64, 64
PIXELS = 224
NOISES = (4, 8)  # deviations of 255: of a camera by day, and in a dark hall
COMMAND = "python -m bench.levers"


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[*CASES], default=[*CASES])
    args = parser.parse_args()
    torch.set_num_threads(cores())
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = place  # nothing that earlier trainings kept is used
        for name in args.only:
            lines = CASES[name](Path(place) / name, args.rounds)
            for line in lines:
                print(line, flush=True)
            publish("levers", lines, "performance.md")


def compared(
    case: str, slow: Timing, fast: Timing, began: float, goal: float | None = None
) -> list[Line]:
    """Two lines: the ratio of the wall seconds with its interval, and that of the CPU seconds."""
    ratio, cpu = faster(slow, fast), slow.cpu_ms / fast.cpu_ms
    rounds = len(slow.round_s_R)
    told = f"p50 {slow.p50_ms:.3g} ms and {fast.p50_ms:.3g} ms, {cores()} threads, {processor()}"
    asked = "" if goal is None else f">= {goal:g}x"
    command = f"{COMMAND} --rounds {rounds}"
    took = time.perf_counter() - began
    return [
        Line(
            case,
            "times as fast",
            ratio.value,
            (ratio.low, ratio.high),
            told,
            asked,
            None if goal is None else ratio.value >= goal,
            took,
            command,
        ),
        Line(case, "times less CPU", cpu, None, f"{slow.cpu_ms:.3g} ms and {fast.cpu_ms:.3g} ms"),
    ]


def decode(folder: Path, rounds: int) -> list[Line]:
    """Photographs of 12 megapixels from their files to the pixels of an encoder.

    The bytes of a JPEG are unpacked at every scale, so that files with more noise save less.
    """
    folder.mkdir(parents=True)
    reader = ImageReader("photo", 3, PIXELS, None)
    lines = []
    for noise in NOISES:
        began = time.perf_counter()
        photo = photograph(folder / f"{noise}.jpg", noise)
        cells = Cells({"photo": [photo.name]}, folder)

        def whole(photo: Path = photo) -> np.ndarray:
            small = open_image(photo).resize((PIXELS, PIXELS), Image.Resampling.BILINEAR)
            return np.asarray(small.convert("RGB"))

        def reduced(cells: Cells = cells) -> np.ndarray:
            return reader.read(cells).values["pixels"][0].transpose(1, 2, 0)

        apart = float(np.abs(whole().astype(np.int16) - reduced()).mean())
        found = interleaved({"whole": whole, "reduced": reduced}, rounds=rounds)
        case = f"12 MP JPEG of {photo.stat().st_size / 1e6:.1f} MB to {PIXELS} px"
        lines += compared(case, found["whole"], found["reduced"], began, 5)
        lines.append(Line(case, "mean difference of 255", apart, None, "the whole decode"))
    return lines


def photograph(path: Path, noise: float) -> Path:
    """Soft shapes under the noise of a sensor, 4000 x 3000, quality 90."""
    y_HW, x_HW = np.mgrid[0:3000, 0:4000].astype(np.float32)
    base_HW = 110 + 60 * np.sin(x_HW / 97) + 50 * np.cos(y_HW / 61)
    draw = np.random.default_rng(0)
    x_HWC = base_HW[..., None] + draw.normal(0, noise, (3000, 4000, 3)).astype(np.float32)
    Image.fromarray(x_HWC.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def steps(folder: Path, rounds: int) -> list[Line]:
    """Training steps on what a frozen MiniLM says."""
    began = time.perf_counter()
    job = notes_job(folder)
    loaded = load_job(job)
    table = open_table(loaded.table)
    parts = split_job(table, loaded)
    loader = open_loader(loaded, table, parts)
    model = Model(loaded, loader.readers, loader.targets, pretrained=True).train()
    some = parts.train[:BATCH]
    cells = Batch.of(loader.batch(some))
    frozen_features(model, loader, parts.train, quiet=True)
    kept = Batch.of(loader.batch(some))
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1e-4, fused=True)
    model.train()

    def step(batch: Batch) -> Callable[[], None]:
        def one() -> None:
            torch.stack(list(supervised(model, batch).values())).sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return one

    found = interleaved({"trunk": step(cells), "kept": step(kept)}, rounds=rounds)
    name = f"frozen MiniLM, a step of {BATCH} notes"
    return compared(f"{name}: kept", found["trunk"], found["kept"], began, 50)


def trainings(folder: Path, rounds: int) -> list[Line]:
    """Whole trainings on what a frozen MiniLM says."""
    job = notes_job(folder)
    table = open_table(job["table"])
    parts = split_job(table, load_job(job))
    number = iter(range(1000))

    def training(cache_gb: float, remember_gb: float) -> Callable[[], object]:
        train = job["train"] | {"cache_gb": cache_gb, "remember_gb": remember_gb}
        own = load_job(job | {"train": train})
        return lambda: learn_job(own, table, parts, out=folder / f"run{next(number)}", quiet=True)

    ways = {"every": training(0, 0), "kept": training(8, 0), "known": training(8, 1)}
    began = time.perf_counter()
    found = interleaved(ways, rounds=rounds)
    name = f"frozen MiniLM, {EPOCHS} epochs of {ROWS} notes, loading included"
    lines = compared(f"{name}: kept", found["every"], found["kept"], began)
    return lines + compared(f"{name}: known from before", found["every"], found["known"], began)


def notes(folder: Path, rounds: int) -> list[Line]:
    """A table of notes of real lengths, from texts to mean states, by torch."""
    began = time.perf_counter()
    loaded = load_job(notes_job(folder, max_tokens=128))
    table = open_table(loaded.table)
    loader = open_loader(loaded, table, split_job(table, loaded))
    reader = loader.readers["note"]
    encoder = Model(loaded, loader.readers, loader.targets, pretrained=True).eval().encoder("note")
    draw = random.Random(0)
    lengths = [min(126, int(draw.lognormvariate(np.log(20), 0.7)) + 1) for _ in range(NOTES)]
    texts = [" ".join(draw.choices(WORDS, k=k)) for k in lengths]

    @torch.inference_mode()
    def run(rows: list[str], length: int) -> torch.Tensor:
        values = reader.read(Cells({"note": rows})).values
        arrays = {
            n: np.pad(a, [(0, 0), (0, length - a.shape[1])] + [(0, 0)] * (a.ndim - 2))
            for n, a in values.items()
        }
        given = {n: torch.from_numpy(a) for n, a in arrays.items()}
        return encoder.features(given)["features"][:, 0]

    def padded() -> torch.Tensor:
        chunks = [texts[i : i + BATCH] for i in range(0, NOTES, BATCH)]
        return torch.cat([run(rows, 128) for rows in chunks])

    def bucketed() -> torch.Tensor:
        mask_RL = reader.read(Cells({"note": texts})).values["mask"]
        out = torch.empty(NOTES, 384)
        for bucket in buckets(mask_RL.sum(1), BATCH, longest=128):
            found = run([texts[i] for i in bucket.rows], bucket.length or 128)
            out[bucket.rows[: bucket.count]] = found[: bucket.count]
        return out

    apart = float((padded() - bucketed()).abs().max())
    assert apart < 1e-4, apart
    found = interleaved({"padded": padded, "buckets": bucketed}, rounds=rounds)
    case = f"{NOTES} notes, median 20 words: buckets against padding to 128"
    return compared(case, found["padded"], found["buckets"], began)


def notes_job(folder: Path, max_tokens: int = PIECES) -> dict[str, Any]:
    """A job of one frozen text column, and its table."""
    folder.mkdir(parents=True)
    draw = random.Random(0)
    records = [
        {
            "label": f"c{i % 4}",
            "note": f"{i} " + " ".join(draw.choices(WORDS, k=draw.randint(45, 60))),
        }
        for i in range(ROWS)
    ]
    pd.DataFrame(records).to_csv(folder / "table.csv", index=False)
    column = {"type": "text", "encoder": "minilm", "max_tokens": max_tokens, "tune": "frozen"}
    return {
        "table": str(folder / "table.csv"),
        "split": {"random": "stratified", "test": 0.0, "validation": 0.0},
        "columns": {"note": column},
        "tasks": {"label": {"type": "classify", "target": "label"}},
        "train": {"epochs": EPOCHS, "batch": BATCH, "patience": 0, "precision": "float32"},
    }


CASES: dict[str, Callable[[Path, int], list[Line]]] = {
    "decode": decode,
    "steps": steps,
    "trainings": trainings,
    "notes": notes,
}

if __name__ == "__main__":
    main()
