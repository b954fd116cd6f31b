"""A space is learned from what rows have; what they lack changes nothing; every option counts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.learn.pretexts import weights_of
from modalloy.model.tokens import Batch
from modalloy.objectives.contrast import Contrast, hidden, mixed_up
from modalloy.objectives.names import read_name
from modalloy.objectives.pairwise import infonce
from modalloy.objectives.pretext import weighed
from modalloy.readers.batch import TABLE
from spaces import body_and_space, opened

COLUMNS = ("photo", "note", "load")


def batch_of(loader, rows: int = 20) -> Batch:
    """The first rows, some of which lack photo, note or load."""
    return Batch.of(loader.batch(np.arange(rows)))


def test_each_pair_sees_exactly_the_rows_that_have_both(small_table: Path) -> None:
    loader = opened(small_table, columns=COLUMNS)
    body, contrast = body_and_space(loader, row=False)
    body.eval(), contrast.eval()
    batch = batch_of(loader)
    losses = contrast(body, batch)
    assert set(losses) == {"contrast/table~photo", "contrast/table~note", "contrast/photo~note"}
    for name, loss in losses.items():
        a, b = read_name(name).inputs
        shown = {i: p.any(1) if p.ndim > 1 else p for i, p in batch.present.items()}
        rows = (shown[a] & shown[b]).nonzero().squeeze(1)
        assert 0 < len(rows) < len(batch.rows)
        assert losses.counts[name][0] == len(rows)
        tokens = body.encode(Batch.of(loader.batch(rows.numpy())))
        heads, scale = contrast.space.heads, contrast.space.scale
        z = [heads[i](tokens[i].summary_BD) for i in (a, b)]
        torch.testing.assert_close(loss, infonce(*z, scale))


def test_a_row_that_lacks_a_column_gives_it_no_gradient(small_table: Path) -> None:
    loader = opened(small_table, columns=("photo", "note"))
    body, contrast = body_and_space(loader, row=False)
    batch = batch_of(loader)
    batch.present["photo"][:] = False
    loss = contrast(body, batch)["contrast/photo~note"]
    loss.backward()
    assert loss.item() == 0.0
    grads = [p.grad for p in body.encoder("photo").parameters() if p.grad is not None]
    assert all((g == 0).all() for g in grads)


def test_the_fused_row_is_compared_without_the_column(small_table: Path) -> None:
    loader = opened(small_table, columns=COLUMNS)
    body, contrast = body_and_space(loader)
    body.eval(), contrast.eval()
    batch = batch_of(loader)
    losses = contrast(body, batch)
    seen = contrast.space.see(body, batch)
    row = contrast.space.project_row(body, body.hide(seen.tokens, ["note"]))
    shown = {i: p.any(1) if p.ndim > 1 else p for i, p in batch.present.items()}
    rows = shown["note"] & (shown[TABLE] | shown["photo"])
    z = contrast.space.heads["note"](seen.latents["note"])
    slow = infonce(row[rows], z[rows], contrast.space.scale)
    torch.testing.assert_close(losses["contrast/note"], slow)


@pytest.mark.parametrize("fuse", ["concat", "attention"])
def test_rows_lack_all_plain_columns_as_though_their_cells_were_missing(
    small_table: Path, fuse: str
) -> None:
    fusion = {"type": fuse, "width": 16, "layers": 1}
    loader = opened(small_table, columns=("note", "load", "site"), fuse=fusion)
    body, contrast = body_and_space(loader)
    body.eval()
    seen = contrast.space.see(body, batch_of(loader))
    hide_B = torch.arange(20) % 2 == 0
    found = body.fuse(hidden(body, seen.tokens, {TABLE: hide_B})).summary_BKD
    gone = body.fuse(body.hide(seen.tokens, [TABLE])).summary_BKD
    there = body.fuse(seen.tokens).summary_BKD
    torch.testing.assert_close(found, torch.where(hide_B[:, None, None], gone, there))
    assert not torch.allclose(gone, there)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "sigmoid"},
        {"loss": "gram"},
        {"mixup": 1.0},
        {"temperature": 0.5, "layers": 0},
    ],
)
def test_every_way_learns(small_table: Path, options: dict) -> None:
    loader = opened(small_table, columns=COLUMNS)
    body, contrast = body_and_space(loader, row=False, **options)
    batch = batch_of(loader)
    optimizer = torch.optim.AdamW([*body.parameters(), *contrast.parameters()], lr=3e-3)
    totals, scale = [], contrast.space.scale.item()
    for step in range(25):
        torch.manual_seed(step)
        total = torch.stack(list(contrast(body, batch).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert np.mean(totals[-3:]) < 0.8 * np.mean(totals[:3])
    assert contrast.space.scale.item() != scale


def test_the_anchor_alone_is_compared_where_it_is_asked_for(small_table: Path) -> None:
    loader = opened(small_table, columns=COLUMNS)
    body, every = body_and_space(loader, row=False, loss="gram")
    _, one = body_and_space(loader, row=False, loss="gram", anchor="note")
    batch = batch_of(loader)
    assert len(every(body, batch)) == 3
    assert list(one(body, batch)) == ["contrast/note~table~photo"]


def test_a_temperature_that_does_not_learn_stays(small_table: Path) -> None:
    loader = opened(small_table, columns=("photo", "note"))
    body, contrast = body_and_space(loader, learn_temperature=False)
    torch.stack(list(contrast(body, batch_of(loader)).values())).sum().backward()
    assert contrast.space.log_scale.grad is None


def test_mixed_rows_have_what_both_have_by_one_share(small_table: Path) -> None:
    loader = opened(small_table, columns=("photo", "note"))
    body, contrast = body_and_space(loader)
    seen = contrast.space.see(body, batch_of(loader))
    torch.manual_seed(5)
    mixed = mixed_up(seen, 0.7)
    torch.manual_seed(5)
    share = torch.distributions.Beta(0.7, 0.7).sample((20, 1))
    order = torch.randperm(20)
    for name, x in seen.latents.items():
        slow = [share[i] * x[i] + (1 - share[i]) * x[order[i]] for i in range(20)]
        torch.testing.assert_close(mixed.latents[name], torch.stack(slow))
        both = seen.present[name] & seen.present[name][order]
        assert torch.equal(mixed.present[name], both)


def test_neighbours_of_frozen_encoders_are_kept(small_table: Path) -> None:
    loader = opened(small_table, columns=("photo", "note"))
    batch, found = batch_of(loader), {}
    with pytest.raises(JobError, match="no column has a frozen encoder"):
        body_and_space(loader, neighbours=1.0)
    for weight, levels in ((1.0, 1), (2.0, 1), (1.0, 3)):
        body, _ = body_and_space(loader)
        body.encoder("photo").held = True
        options = config.Contrast(neighbours=weight, levels=levels, size=8, row=False)
        contrast = Contrast(body, options)
        body.eval(), contrast.eval()
        assert "contrast/note~note" not in contrast(body, batch)  # its encoder learns
        found[weight, levels] = contrast(body, batch)["contrast/photo~photo"]
    torch.testing.assert_close(found[2.0, 1], 2 * found[1.0, 1])
    assert not torch.isclose(found[1.0, 3], found[1.0, 1])


def test_every_option_changes_what_is_lost(small_table: Path) -> None:
    loader = opened(small_table, columns=COLUMNS)
    body, _ = body_and_space(loader)
    batch, found = batch_of(loader), {}
    ways: dict[str, dict[str, Any]] = {
        "usual": {},
        "loss": {"loss": "sigmoid"},
        "gram": {"loss": "gram"},
        "anchor": {"loss": "gram", "anchor": "note"},
        "size": {"size": 4},
        "layers": {"layers": 0},
        "temperature": {"temperature": 0.5},
        "row": {"row": False},
        "mixup": {"mixup": 1.0},
    }
    for name, options in ways.items():
        torch.manual_seed(0)
        contrast = Contrast(body, config.Contrast(**{"size": 8, **options}))
        torch.manual_seed(1)
        total = weighed(contrast(body, batch), {"contrast": 1.0})
        found[name] = round(total.item(), 5)
    assert len(set(found.values())) == len(ways)


def test_the_weight_of_each_way_counts() -> None:
    losses = {"contrast/photo~note": torch.tensor(2.0), "matching/note": torch.tensor(3.0)}
    for contrast, matching, total in ((1.0, 1.0, 5.0), (2.0, 1.0, 7.0), (1.0, 3.0, 11.0)):
        given = {"contrast": {"weight": contrast}, "matching": {"weight": matching}}
        options = config.Pretrain(masked={"weight": 0}, **given)
        assert weighed(losses, weights_of(options)).item() == total
    assert weights_of(config.Pretrain(contrast={"weight": 0})) == {"masked": 1.0}
