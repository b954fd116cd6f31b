"""What a site's encoders say of rows as it leaves the site, while learning and afterwards."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.loader import Loader
from modalloy.errors import RunError
from modalloy.federation.matched.own_job import matched_of
from modalloy.federation.matched.release import Release
from modalloy.learn.train import own_batches
from modalloy.model.body import Body
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import has_any
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table

AT_ONCE = 64  # rows that are encoded together when nothing is learned
Sent = tuple[dict[str, Tensor], dict[str, Tensor]]


def encode(body: Body, batch: Batch, release: Release) -> Sent:
    """Summaries (B, D) that may leave the site by input, and which rows have the input, (B,)."""
    tokens = body.encode(batch)
    sent = release({name: t.summary_BD for name, t in tokens.items()})
    return sent, {name: has_any(batch.present[name]) for name in sent}


def encode_rows(body: Body, loader: Loader, rows: np.ndarray, release: Release) -> Iterator[Sent]:
    """The same of some rows, batch by batch, when nothing is learned."""
    body.eval()
    chunks = [rows[i : i + AT_ONCE] for i in range(0, len(rows), AT_ONCE)]
    for batch in own_batches(loader, chunks, 0, 1, body.device):
        with torch.no_grad():
            found = encode(body, batch, release)
        yield found


def summaries_of(run: Run, rows: Any) -> dict[str, list[list[float] | None]]:
    """Columns for the site with the answers: `SITE.input` -> a vector for each row, None where it
    lacks the input; with the clip and noise that the run learned with.

    run: of a site without the answers. rows: whatever `open_table` opens. RunError for another run.
    """
    told = run.notes.get("matched")
    if told is None or run.targets:
        raise RunError(
            f"{run.path}: is no run of a site without the answers of a split training, which alone "
            "makes summaries for another site."
        )
    table = open_table(rows, allow_outside=run.job.allow_outside)
    loader = Loader(table, run.job, run.readers, {})
    found: dict[str, list[list[float] | None]] = {}
    release = Release(matched_of(run.job))
    for sent, there in encode_rows(run.body(), loader, np.arange(table.rows), release):
        for name, z_BD in sent.items():
            pairs = zip(z_BD.tolist(), there[name].tolist(), strict=True)
            cells = found.setdefault(f"{told['site']}.{name}", [])
            cells += [z_D if known else None for z_D, known in pairs]
    return found
