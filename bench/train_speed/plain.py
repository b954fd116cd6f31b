"""A table in, a plain loop's training of it out: what most people write, and the article too."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from bench.train_speed.same import BATCH, FROZEN_EPOCHS, MAX_TOKENS, PICTURE_EPOCHS, PIXELS, Done
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.model import Model
from modalloy.model.trunks.pretrained import SOURCES, find_weights
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


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
    return plain_text(table, epochs=FROZEN_EPOCHS, frozen=True)


def plain_picture(table: Path) -> Iterator[Done]:
    job = load_job(
        {
            "table": str(table),
            "split": {"random": "stratified", "test": 0.0, "validation": 0.0},
            "columns": {
                "photo": {"type": "image", "encoder": "efficientnet_lite0", "pixels": PIXELS}
            },
            "tasks": {"label": {"type": "classify", "target": "label"}},
        }
    )
    opened = open_table(str(table))
    rows = open_loader(job, opened, split_job(opened, job))
    trunk = Model(job, rows.readers, rows.targets, pretrained=True).encoders["photo"].trunk
    frame = pd.read_csv(table)
    model = Plain(trunk, 1280).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    yield 0, 0.0
    trained = plain_epochs(
        model,
        optimizer,
        frame,
        PICTURE_EPOCHS,
        lambda rows: plain_photos(model, table.parent, frame.photo[rows]),
    )
    yield trained, 0.0


def plain_photos(model: Plain, folder: Path, names: Any) -> torch.Tensor:
    arrays = [
        np.asarray(Image.open(folder / n).convert("RGB").resize((PIXELS, PIXELS))) for n in names
    ]
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
