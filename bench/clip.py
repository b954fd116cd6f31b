"""CLIP fine-tuned by the contrast: memory and seconds a step, by size and by what of it learns.

ViT-B/32 is measured here with random weights, through the columns of a job, as a downloaded one
would run; ViT-L/14 is computed from its configuration. `python -m bench.clip`.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from bench.line import Line, publish, table

PAGE = "clip.md"
WAYS = ("frozen", "lora", "last_n", "full")
WORDS = ["pump", "bearing", "valve", "rotor", "seal", "loud", "worn", "cracked", "clean", "north"]


class Size(NamedTuple):
    """A published size: layers and widths of both towers, pixels and patch, text places."""

    width: int
    layers: int
    heads: int
    pixels: int
    patch: int
    text_width: int
    text_heads: int
    size: int


SIZES = {
    "ViT-B/32": Size(768, 12, 12, 224, 32, 512, 8, 512),
    "ViT-L/14": Size(1024, 24, 16, 224, 14, 768, 12, 768),
    "tiny": Size(32, 2, 2, 32, 8, 32, 2, 16),
}
TEXT_PLACES, TEXT_LAYERS, VOCABULARY = 77, 12, 49_408
COPIES = {"frozen": 0.0, "lora": 0.0, "last_n": 0.15, "full": 1.0}  # of weights: gradient, 2 x Adam


def main() -> None:
    """Measure each way in a process of its own, so that its peak of memory is its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.clip")
    parser.add_argument("--size", default="ViT-B/32", choices=[*SIZES])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--ways", nargs="*", default=["frozen", "lora", "full"], choices=WAYS)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--dry", action="store_true", help="print and write nothing")
    args = parser.parse_args()
    if args.one:
        print(*measure(args.folder, args.size, args.one, args.batch, args.steps))
        return
    command, lines = f"python -m bench.clip --batch {args.batch}", []
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), args.size)
        for way in args.ways:
            lines += [line._replace(command=command) for line in of_way(args, way, Path(folder))]
    if not args.dry:
        publish("clip", lines, PAGE)
    print(table(lines))


def of_way(args: argparse.Namespace, way: str, folder: Path) -> Iterator[Line]:
    """Measured figures of one way, and those that they make of ViT-L/14."""
    start = time.perf_counter()
    words = [sys.executable, "-m", "bench.clip", "--one", way, "--folder", str(folder)]
    words += ["--size", args.size, "--batch", str(args.batch), "--steps", str(args.steps)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=dict(os.environ))
    step_s, peak_mb, floor_mb = map(float, done.stdout.split()[-3:])
    seconds = time.perf_counter() - start
    case, of = f"CLIP {args.size}, {way}", f"{args.batch} rows a step, one core"
    yield Line(case, "seconds a step", step_s, anchor=of, seconds=seconds)
    yield Line(case, "peak memory, MB", peak_mb, anchor=f"{floor_mb:.0f} before", seconds=seconds)
    large, here = SIZES["ViT-L/14"], SIZES[args.size]
    told = f"computed from {args.size}"
    times = flops(large) / flops(here)
    yield Line(f"CLIP ViT-L/14, {way}", "seconds a step", step_s * times, anchor=told)
    weights = 4 * parameters(here) / 1e6
    states = max(0.0, peak_mb - floor_mb - weights * (1 + 4 * COPIES[way]))
    grown = 4 * parameters(large) / 1e6 * (1 + 4 * COPIES[way])
    more = states * activations(large) / activations(here)
    yield Line(f"CLIP ViT-L/14, {way}", "peak memory, MB", floor_mb + grown + more, anchor=told)


def parameters(size: Size) -> float:
    """Weights of both towers, without norms and biases' few."""
    towers = 12 * size.layers * size.width**2 + 12 * TEXT_LAYERS * size.text_width**2
    pieces = VOCABULARY if size.width > 100 else 300
    return towers + pieces * size.text_width + 3 * size.patch**2 * size.width


def flops(size: Size) -> float:
    """Multiplications of one row through both towers."""
    patches = (size.pixels // size.patch) ** 2 + 1
    picture = size.layers * patches * (12 * size.width**2 + 2 * patches * size.width)
    text = TEXT_LAYERS * TEXT_PLACES * (12 * size.text_width**2 + 2 * TEXT_PLACES * size.text_width)
    return picture + text


def activations(size: Size) -> float:
    """Numbers that a backward pass keeps of one row, in units that both sizes share."""
    patches = (size.pixels // size.patch) ** 2 + 1
    picture = size.layers * patches * (16 * size.width + 2 * size.heads * patches)
    text = TEXT_LAYERS * TEXT_PLACES * (16 * size.text_width + 2 * size.text_heads * TEXT_PLACES)
    return picture + text


def write_checkpoint(folder: Path, name: str) -> None:
    """A checkpoint of this size with random weights, and a tokenizer of a few words."""
    import transformers as t

    from modalloy.model.trunks.huggingface import quiet
    from modalloy.readers.tokenizer import learn_pieces

    size = SIZES[name]
    pieces = VOCABULARY if size.width > 100 else 300
    marks = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    text = {"vocab_size": pieces, "max_position_embeddings": TEXT_PLACES, **marks}
    text |= {"hidden_size": size.text_width, "intermediate_size": 4 * size.text_width}
    text |= {"num_attention_heads": size.text_heads, "num_hidden_layers": TEXT_LAYERS}
    picture = {"hidden_size": size.width, "intermediate_size": 4 * size.width}
    picture |= {"num_attention_heads": size.heads, "num_hidden_layers": size.layers}
    picture |= {"image_size": size.pixels, "patch_size": size.patch}
    given = {"text_config": text, "vision_config": picture, "projection_dim": size.size}
    with quiet():
        t.CLIPModel(t.CLIPConfig(**given)).save_pretrained(folder)
    learn_pieces([" ".join(WORDS)] * 3, 200).save(str(folder / "tokenizer.json"))


def measure(folder: Path, name: str, way: str, batch: int, steps: int) -> tuple[float, ...]:
    """Seconds of a step, the peak of memory and what the process took before, in MB."""
    import torch

    from modalloy.job import config
    from modalloy.model.tokens import Batch
    from modalloy.objectives.contrast import Contrast

    torch.set_num_threads(1)
    body, loader, rows = opened(folder, SIZES[name], way, batch)
    floor_mb = peak()
    contrast = Contrast(body, config.Contrast())
    learns = [p for p in [*body.parameters(), *contrast.parameters()] if p.requires_grad]
    optimizer = torch.optim.AdamW(learns, lr=1e-6)
    body.train()
    given, times = Batch.of(loader.batch(rows)), []
    for _ in range(steps):
        start = time.perf_counter()
        total = torch.stack(list(contrast(body, given).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:])), peak(), floor_mb


def opened(folder: Path, size: Size, way: str, batch: int) -> tuple[Any, Any, np.ndarray]:
    """A body of both towers, and rows of noise with a few words each."""
    from modalloy.job.job_file import load_job
    from modalloy.learn.adapting import begin_adapted
    from modalloy.learn.fitted_rows import open_loader
    from modalloy.model.body import Body
    from modalloy.table.open_table import open_table
    from modalloy.table.split import split_job

    draw, rows = np.random.default_rng(0), max(batch, 24)
    (folder / "img").mkdir(exist_ok=True)
    cells = []
    for i in range(rows):
        noise = draw.integers(0, 256, (size.pixels, size.pixels, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "img" / f"{i}.png")
        words = " ".join(draw.choice(WORDS, 8))
        cells.append({"photo": f"img/{i}.png", "note": words, "y": "ab"[i % 2]})
    import pandas as pd

    pd.DataFrame(cells).to_csv(folder / "table.csv", index=False)
    tower = {"encoder": f"hf:{folder}", "tune": way}
    photo = {"type": "image", "pixels": size.pixels, "augment": "none", **tower}
    job = {
        "table": str(folder / "table.csv"),
        "split": {"random": "stratified"},
        "columns": {"photo": photo, "note": {"type": "text", "max_tokens": TEXT_PLACES, **tower}},
        "fuse": {"type": "concat", "width": 64},
        "tasks": {"y": {"type": "classify", "target": "y"}},
    }
    loaded = load_job(job)
    source = open_table(loaded.table)
    loader = open_loader(loaded, source, split_job(source, loaded))
    body = Body(loaded, loader.readers, pretrained=True)
    if way == "lora":
        begin_adapted(body, None)
    return body, loader, np.arange(batch)


def peak() -> float:
    """The most memory that this process has taken so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
