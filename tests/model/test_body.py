"""A body without heads: it runs what is asked for, hides cells, and learns without a target."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from conftest import make_job
from modalloy.answer.loader import Loader
from modalloy.errors import JobError
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.body import Body
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

TEMPLATE = {
    "type": "locate",
    "target": "boxes",
    "labels": "box_names",
    "on": "photo",
    "template": "good",
}


def opened(table: Path, **changes: Any) -> Loader:
    """A loader with readers fitted to the small table."""
    job = load_job(make_job(table, **changes))
    source = open_table(job.table)
    return open_loader(job, source, split_job(source, job))


def body_of(loader: Loader) -> Body:
    """A body of this loader's columns, the same each time."""
    torch.manual_seed(0)
    return Body(loader.job, loader.readers, pretrained=True).eval()


def test_a_model_is_its_body_and_heads(small_table: Path) -> None:
    fuse = {"type": "gated", "width": 16, "auxiliary": 0.3, "consistency": 0.1}
    loader = opened(small_table, fuse=fuse)
    body = body_of(loader)
    torch.manual_seed(0)
    model = Model(loader.job, loader.readers, loader.targets, pretrained=True)
    weights, own = model.state_dict(), body.state_dict()
    assert list(weights)[: len(own)] == list(own)
    assert {name.split(".")[0] for name in own} == {"encoders", "fusion"}
    heads = {name.split(".")[0] for name in list(weights)[len(own) :]}
    assert heads == {"tasks", "auxiliary", "consistency"}
    assert all(torch.equal(weights[name], own[name]) for name in own)


def test_only_what_is_asked_for_runs(small_table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = opened(small_table)
    body, which = body_of(loader), np.arange(9)
    whole = body.encode(Batch.of(loader.batch(which)))
    ran: list[Encoder] = []
    forward = Encoder.forward
    noting = lambda self, *args: (ran.append(self), forward(self, *args))[1]  # noqa: E731
    monkeypatch.setattr(Encoder, "forward", noting)
    batch = Batch.of(loader.batch(which, inputs=["note", "photo"]))
    assert set(batch.values) == set(batch.present) == {"note", "photo"}
    some = body.encode(batch, ["note", "photo"])
    assert ran == [body.encoder("photo"), body.encoder("note")]
    assert list(some) == body.inputs
    hidden = body.hide(whole, set(body.inputs) - {"note", "photo"})
    for name in body.inputs:
        torch.testing.assert_close(some[name].summary_BD, hidden[name].summary_BD)
    torch.testing.assert_close(body.fuse(some).summary_BKD, body.fuse(hidden).summary_BKD)
    none = body.encode(Batch.of(loader.batch(which, inputs=())), ())
    assert len(body.fuse(none).summary_BKD) == 9


def test_inputs_and_columns_that_do_not_exist_are_named(small_table: Path) -> None:
    loader = opened(small_table, columns=("note", "load", "site"))
    body, batch = body_of(loader), Batch.of(loader.batch(np.arange(3)))
    for asked in (
        lambda: body.encode(batch, ["nota"]),
        lambda: loader.batch(np.arange(3), inputs=["nota"]),
    ):
        with pytest.raises(
            JobError, match=r"no input 'nota'; .* table, note\. Did you mean 'note'"
        ):
            asked()
    with pytest.raises(JobError, match=r"'load' is no input of its own: .* ask for 'table'"):
        loader.stream([np.arange(3)], inputs=["load"])
    with pytest.raises(JobError, match="no column 'table'; there are: load, site, note"):
        body.hide_cells(batch, [TABLE])


@pytest.mark.parametrize(
    "columns",
    [("load",), ("site", "taken_at"), ("load", "site", "taken_at"), ("photo", "load"), ("note",)],
    ids="+".join,
)
@torch.no_grad()
def test_hidden_cells_are_as_those_of_an_empty_column(
    columns: tuple[str, ...], small_table: Path
) -> None:
    loader = opened(small_table, fuse={"type": "attention", "width": 16, "heads": 2})
    body, which = body_of(loader), np.arange(12)
    batch = Batch.of(loader.batch(which))
    before = {name: present.clone() for name, present in batch.present.items()}
    frame = pd.read_parquet(small_table).assign(**dict.fromkeys(columns))
    empty = Loader(open_table(frame, folder=small_table.parent), loader.job, loader.readers, {})
    hidden = body.hide_cells(batch, columns)
    found = body.fuse(body.encode(hidden)).summary_BKD
    wanted = body.fuse(body.encode(Batch.of(empty.batch(which)))).summary_BKD
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(found, body.fuse(body.encode(batch)).summary_BKD, atol=1e-3)
    assert all(torch.equal(batch.present[name], before[name]) for name in before)


def test_a_template_is_read_by_its_pictures_encoder(small_table: Path) -> None:
    frame = pd.read_parquet(small_table)
    frame.assign(good=frame["photo"]).to_parquet(small_table)
    photo = {"type": "image", "pixels": 16, "augment": "none"}
    columns = {"photo": photo, "good": photo, "load": {"type": "number"}}
    job = load_job(make_job(small_table, tasks={"boxes": TEMPLATE}) | {"columns": columns})
    source = open_table(job.table)
    loader = open_loader(job, source, split_job(source, job))
    body = body_of(loader)
    assert body.encoders.keys() == [TABLE, "photo"]
    tokens = body.encode(Batch.of(loader.batch(np.arange(6), inputs=["good"])), ["good"])
    alone = body.encoder("photo")
    assert body.encoder("good") is alone
    assert not torch.equal(tokens["good"].summary_BD[0], alone.absent_D)
    assert torch.equal(tokens["photo"].summary_BD[0], alone.absent_D)


def test_a_masked_column_is_learned_from_the_others(small_table: Path) -> None:
    """The smallest second user: no target, no task, a hidden number told from what is left."""
    loader = opened(small_table, columns=("note", "load", "site"))
    body = body_of(loader).train()
    batch = Batch.of(loader.batch(np.arange(48)))
    load_B, known_B = batch.values[TABLE]["number"][:, 0], batch.present[TABLE][:, 0]
    head = nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=3e-3)
    losses = []
    for _ in range(30):
        tokens = body.encode(body.hide_cells(batch, ["load"]))
        told_B = head(body.fuse(tokens).summary_BKD.mean(1)).squeeze(1)
        loss = (told_B - load_B)[known_B].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])


def test_a_hidden_table_is_told_by_its_summary(small_table: Path) -> None:
    """The same of a whole input: its summary from the fused one of the other inputs."""
    loader = opened(small_table, columns=("note", "load", "site"))
    body = body_of(loader)
    batch = Batch.of(loader.batch(np.arange(48), inputs=["note", TABLE]))
    with torch.no_grad():
        wanted_BD = body.encode(batch)[TABLE].summary_BD
    head = nn.Linear(16, 16)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=3e-3)
    losses = []
    for _ in range(30):
        tokens = body.hide(body.encode(batch, ["note"]), [TABLE])
        loss = (head(body.fuse(tokens).summary_BKD.mean(1)) - wanted_BD).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
