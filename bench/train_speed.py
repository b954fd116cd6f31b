"""Our training against a plain loop, in rows a second: interleaved runs, ratios of medians.

    python -m bench.train_speed [--rounds 5]

The plain loop is what most people write: the whole text padded to its maximum length (or the
picture decoded anew every time), eager float32, nothing cached, the same pretrained encoder, the
same batch, the same AdamW. Both sides train on the same rows; figures are training rows a second.

Before its first step our training times three steps of each number type and memory layout
(`precision: auto`), once whatever the number of rows and epochs. `ratio` compares the training
steps alone and leaves these seconds out: with so few rows they would outweigh the steps, in a
training of hours they are nothing. `probe_s` says how long they took, and `ratio_with_probe` is the
ratio for this whole short training, the probe included.

    text fine-tune    MiniLM, all weights, 64 tokens at most          wanted: at least 2.5 times
    frozen encoder    MiniLM, head only, ten epochs                    wanted: at least 8 times
    picture fine-tune EfficientNet-lite0, all weights, 160 pixels      wanted: at least 1.2 times
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from modalloy import config
from modalloy.job import load_job
from modalloy.learn.fit import State, fit
from modalloy.learn.frozen import frozen_features
from modalloy.learn.probe import apply, probe
from modalloy.learn.training import open_rows
from modalloy.limits import cores
from modalloy.model.batches import Rows, epoch_order
from modalloy.model.model import Model
from modalloy.model.pretrained import SOURCES, find_weights
from modalloy.objectives.supervised import supervised
from modalloy.table.split import split_job
from modalloy.table.table import open_table

RESULTS = Path(__file__).parent / "results" / "train_speed.json"
WORDS = ["pump", "bearing", "seal", "motor", "valve", "leak", "noise", "hot", "replaced", "oil"]
MAX_TOKENS = 64
BATCH = 32


class Timing(NamedTuple):
    """One run: rows trained, seconds of the training steps, seconds of the probe before them."""

    rows: int
    steps_s: float
    probe_s: float = 0.0

    @property
    def rate(self) -> float:
        """Training rows a second of the steps alone."""
        return self.rows / self.steps_s

    @property
    def whole_rate(self) -> float:
        """Training rows a second of the whole training, the probe included."""
        return self.rows / (self.steps_s + self.probe_s)


Done = tuple[int, float]  # rows trained, and seconds of the probe among those it took
Run = Callable[[Path], Iterator[Done]]
CASES: dict[str, tuple[str, int, float]] = {
    "text fine-tune": ("text", 512, 2.5),
    "frozen encoder, ten epochs": ("frozen", 256, 8.0),
    "picture fine-tune": ("picture", 128, 1.2),
}


def main() -> None:
    """Measure the three cases and write bench/results/train_speed.json."""
    parser = argparse.ArgumentParser(prog="python -m bench.train_speed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, help="rows of each case: a trial, nothing is written")
    args = parser.parse_args()
    torch.set_num_threads(cores())
    sides: dict[str, tuple[Run, Run]] = {
        "text": (ours_text, plain_text),
        "frozen": (ours_frozen, plain_frozen),
        "picture": (ours_picture, plain_picture),
    }
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (case, rows, wanted) in CASES.items():
            table = write_table(Path(folder) / case, args.rows or rows, pictures=case == "picture")
            ours, plain = sides[case]
            pairs = [(measure(ours, table), measure(plain, table)) for _ in range(args.rounds)]
            results.append(line(name, wanted, pairs))
            print(json.dumps(results[-1]), flush=True)
    if not args.rows:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def line(name: str, wanted: float, pairs: list[tuple[Timing, Timing]]) -> dict[str, Any]:
    """One case: medians over the interleaved pairs of ours and the plain loop, and their ratios."""
    ours, plain = ([p[k] for p in pairs] for k in (0, 1))
    a, b = (statistics.median(t.rate for t in side) for side in (ours, plain))
    whole = statistics.median(t.whole_rate for t in ours)
    return {
        "case": name,
        "ours_rows_per_s": round(a, 1),
        "plain_rows_per_s": round(b, 1),
        "ratio": round(a / b, 2),
        "probe_s": round(statistics.median(t.probe_s for t in ours), 1),
        "ratio_with_probe": round(whole / b, 2),
        "wanted": wanted,
        "rounds": len(pairs),
        "command": f"python -m bench.train_speed --rounds {len(pairs)}",
    }


def measure(run: Run, table: Path) -> Timing:
    """One training; loading tables and weights is timed on neither side, the probe on its own."""
    work = run(table)
    next(work)  # everything is loaded
    start = time.perf_counter()
    rows, probe_s = next(work)
    return Timing(rows, time.perf_counter() - start - probe_s, probe_s)


def write_table(folder: Path, rows: int, *, pictures: bool) -> Path:
    """Short work orders of 4 to 40 words, lengths as real ones vary, or 300 px pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    records: list[dict[str, Any]] = []
    for row in range(rows):
        record: dict[str, Any] = {"label": f"c{row % 4}"}
        if pictures:
            grey = np.random.default_rng(row).normal(90 + 30 * (row % 4), 20, (300, 300))
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"{row}.jpg")
            record["photo"] = f"{row}.jpg"
        else:
            record["note"] = " ".join(draw.choices(WORDS, k=int(draw.lognormvariate(2.4, 0.5)) + 3))
        records.append(record)
    path = folder / "table.csv"
    pd.DataFrame(records).to_csv(path, index=False)
    return path


# --- ours ---------------------------------------------------------------------------------------


def ours(table: Path, columns: dict[str, Any], epochs: int) -> Iterator[Done]:
    """What `modalloy train` does between loading and evaluation, in its order."""
    job = load_job(
        {
            "table": str(table),
            "split": {"random": "stratified", "test": 0.0, "validation": 0.0},
            "columns": columns,
            "tasks": {"label": {"type": "classify", "target": "label"}},
            "train": {"epochs": epochs, "batch": BATCH, "patience": 0},
        }
    )
    opened = open_table(str(table))
    parts = split_job(opened, job)
    rows = open_rows(job, opened, parts)
    model = Model(job, rows.readers, rows.targets, pretrained=True)
    state = State.begin(model, job, 1000)
    yield 0, 0.0
    frozen_features(model, rows, parts.train, quiet=True)
    batch = rows.batch(parts.train[:BATCH])
    start = time.perf_counter()
    apply(model, probe(model, supervised, batch, "auto"))
    probe_s = time.perf_counter() - start
    yield train(job, rows, state, parts.train, epochs), probe_s


def train(job: config.Job, rows: Rows, state: State, which: np.ndarray, epochs: int) -> int:
    """All epochs."""
    lengths = rows.lengths(which)
    for epoch in range(epochs):
        for _ in fit(
            state, supervised, rows.stream(epoch_order(which, BATCH, 0, epoch, lengths)), job
        ):
            pass
    return epochs * len(which)


def ours_text(table: Path) -> Iterator[Done]:
    return ours(table, {"note": {"type": "text", "encoder": "minilm", "max_tokens": MAX_TOKENS}}, 1)


def ours_frozen(table: Path) -> Iterator[Done]:
    column = {"type": "text", "encoder": "minilm", "max_tokens": MAX_TOKENS, "tune": "frozen"}
    return ours(table, {"note": column}, 10)


def ours_picture(table: Path) -> Iterator[Done]:
    column = {"type": "image", "encoder": "efficientnet_lite0", "pixels": 160, "augment": "none"}
    return ours(table, {"photo": column}, 2)


# --- the plain loop -------------------------------------------------------------------------------


class Plain(nn.Module):
    """A pretrained trunk and a linear head."""

    def __init__(self, trunk: nn.Module, width: int) -> None:
        super().__init__()
        self.trunk, self.head = trunk, nn.Linear(width, 4)


def plain_text(table: Path, *, epochs: int = 1, frozen: bool = False) -> Iterator[Done]:
    from transformers import AutoModel, AutoTokenizer

    frame = pd.read_csv(table)
    folder = find_weights(SOURCES["minilm"], "minilm").parent
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = Plain(AutoModel.from_pretrained(folder, dtype=torch.float32), 384).train()
    model.trunk.requires_grad_(not frozen)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    yield 0, 0.0
    trained = plain_epochs(
        model,
        optimizer,
        frame,
        epochs,
        lambda rows: plain_sentences(model, tokenizer, frame.note[rows].tolist()),
    )
    yield trained, 0.0


def plain_sentences(model: Plain, tokenizer: Any, texts: list[str]) -> torch.Tensor:
    inputs = tokenizer(
        texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    )
    hidden = model.trunk(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1)
    return model.head((hidden * mask).sum(1) / mask.sum(1))


def plain_frozen(table: Path) -> Iterator[Done]:
    return plain_text(table, epochs=10, frozen=True)


def plain_picture(table: Path) -> Iterator[Done]:
    job = load_job(
        {
            "table": str(table),
            "split": {"random": "stratified", "test": 0.0, "validation": 0.0},
            "columns": {"photo": {"type": "image", "encoder": "efficientnet_lite0", "pixels": 160}},
            "tasks": {"label": {"type": "classify", "target": "label"}},
        }
    )
    opened = open_table(str(table))
    rows = open_rows(job, opened, split_job(opened, job))
    trunk = Model(job, rows.readers, rows.targets, pretrained=True).encoders["photo"].trunk
    frame = pd.read_csv(table)
    model = Plain(trunk, 1280).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    yield 0, 0.0
    trained = plain_epochs(
        model,
        optimizer,
        frame,
        2,
        lambda rows: plain_photos(model, table.parent, frame.photo[rows]),
    )
    yield trained, 0.0


def plain_photos(model: Plain, folder: Path, names: Any) -> torch.Tensor:
    arrays = [np.asarray(Image.open(folder / n).convert("RGB").resize((160, 160))) for n in names]
    # Channels first in memory, as ToTensor and transformers' processors hand them over.
    x_BCHW = torch.from_numpy(np.stack([a.transpose(2, 0, 1) for a in arrays]))
    x_BCHW = (x_BCHW.contiguous().float() - 127) / 128
    return model.head(model.trunk(x_BCHW).head_BFHW.mean((2, 3)))


def plain_epochs(
    model: Plain,
    optimizer: torch.optim.Optimizer,
    frame: pd.DataFrame,
    epochs: int,
    logits_of: Callable[[np.ndarray], torch.Tensor],
) -> int:
    labels = torch.tensor(frame.label.str[1:].astype(int).to_numpy())
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(len(frame))
        for i in range(0, len(order), BATCH):
            rows = order[i : i + BATCH]
            loss = nn.functional.cross_entropy(logits_of(rows), labels[rows])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return epochs * len(frame)


if __name__ == "__main__":
    main()
