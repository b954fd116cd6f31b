"""Rows and cells that belong together are told from those that do not."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from modalloy.job import config
from modalloy.model.tokens import Batch
from modalloy.objectives.matching import Matching, partners, same_cells
from spaces import body_and_space, opened


def unlike(rows: int) -> torch.Tensor:
    """That no row has another's cell."""
    return torch.zeros(rows, rows, dtype=torch.bool)


def test_partners_are_other_rows_and_hard_ones_look_alike() -> None:
    x_ND = torch.randn(40, 6)
    x_ND[1::2] = x_ND[::2] + 0.05 * torch.randn(20, 6)  # each row has a near copy
    near = torch.arange(40) ^ 1
    for hard in (True, False):
        drawn = torch.stack([partners(x_ND, unlike(40), hard=hard) for _ in range(20)])
        assert (drawn != torch.arange(40)).all()
        share = (drawn == near).float().mean().item()
        assert share > 0.5 if hard else share < 0.1


@pytest.mark.parametrize("hard", [True, False])
def test_the_same_cell_is_no_partner(hard: bool) -> None:
    kind = torch.arange(60) % 3
    x_ND = torch.randn(3, 6)[kind] + 1e-6 * torch.randn(60, 6)
    told = torch.stack([partners(x_ND, unlike(60), hard=hard) for _ in range(20)])
    assert (kind[told] != kind).all()
    noisy = torch.randn(60, 6)  # as under dropout: the cells tell
    same = same_cells({"x": kind[:, None, None].float(), "present": torch.ones(60, 1).bool()})
    assert torch.equal(same, kind[:, None] == kind)
    told = torch.stack([partners(noisy, same, hard=hard) for _ in range(20)])
    assert (kind[told] != kind).all()
    assert (partners(torch.ones(60, 6), unlike(60), hard=hard) == -1).all()
    assert (partners(torch.randn(1, 6), unlike(1), hard=hard) == -1).all()


def test_rows_that_all_have_one_cell_do_not_count(small_table: Path) -> None:
    loader = opened(small_table, columns=("note", "site"))
    body, _ = body_and_space(loader)
    matching, batch = Matching(body, config.Matching()), Batch.of(loader.batch(np.arange(30)))
    assert matching(body, batch).counts["matching/table"][0] > 0
    for values in batch.values["table"].values():
        values[:] = values[:1].clone()
    for learning in (True, False):
        body.train(learning), matching.train(learning)
        losses = matching(body, batch)
        assert losses.counts["matching/table"][0] == 0
        assert losses["matching/table"].item() == 0.0
        assert losses.counts["matching/note"][0] > 0


def test_the_loss_agrees_with_a_loop(small_table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = opened(small_table, columns=("photo", "note"))
    body, _ = body_and_space(loader)
    matching = Matching(body, config.Matching(hard=False)).eval()
    body.eval()
    batch = Batch.of(loader.batch(np.arange(12)))
    have = (batch.present["photo"] & batch.present["note"]).nonzero().squeeze(1)
    able = batch.present["photo"].nonzero().squeeze(1)

    def rolled(summary_ND: torch.Tensor, same_NN: torch.Tensor, *, hard: bool) -> torch.Tensor:
        return torch.roll(torch.arange(len(summary_ND)), 1)

    monkeypatch.setattr("modalloy.objectives.matching.partners", rolled)
    next_to = dict(zip(able.tolist(), torch.roll(able, 1).tolist(), strict=True))
    losses = matching(body, batch)
    assert set(losses) == {"matching/photo", "matching/note"}
    slow = []
    for row in have.tolist():
        other = next_to[row]
        one = [Batch.of(loader.batch(np.array([r]))) for r in (row, other)]
        own = body.encode(one[0])
        swapped = own | {"photo": body.encode(one[1])["photo"]}
        for tokens, true in ((own, 1.0), (swapped, 0.0)):
            logit = matching.head(body.fuse(tokens).summary_BKD.mean(1)).squeeze()
            slow.append(F.binary_cross_entropy_with_logits(logit, torch.tensor(true)))
    torch.testing.assert_close(losses["matching/photo"], torch.stack(slow).mean())
    assert losses.counts["matching/photo"][0] == len(have) < 12


def test_a_column_is_drawn_for_each_row_and_rows_without_it_do_not_count(
    small_table: Path,
) -> None:
    loader = opened(small_table, columns=("photo", "note", "load"))
    body, _ = body_and_space(loader)
    matching, batch = Matching(body, config.Matching()), Batch.of(loader.batch(np.arange(30)))
    losses = matching(body, batch)
    assert set(losses) == {"matching/photo", "matching/note", "matching/table"}
    counts = {name: int(losses.counts[name][0]) for name in losses}
    assert all(0 < count < 20 for count in counts.values())
    assert sum(counts.values()) <= 30
    batch.present["photo"][:] = False
    losses = matching(body, batch)
    losses["matching/photo"].backward()
    assert losses["matching/photo"].item() == 0.0
    assert losses.counts["matching/photo"][0] == 0
