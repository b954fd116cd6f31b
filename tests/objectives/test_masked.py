"""What is hidden of which column, and what it costs not to know it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import make_job, write_table
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.unlabelled_rows import open_unlabelled
from modalloy.model.body import Body
from modalloy.model.tokens import Batch
from modalloy.objectives.masked import Masked, hide
from modalloy.objectives.rebuilt.rebuilt import Patches
from modalloy.readers.batch import TABLE
from modalloy.table.open_table import open_table

ALL = ("photo", "sound", "vibration", "note", "load", "site", "taken_at")


class Small:
    """A body over the small table with a batch of its rows."""

    def __init__(self, folder: Path, columns: tuple[str, ...] = ALL) -> None:
        job = make_job(write_table(folder), columns=columns)
        self.job = load_job(job)
        table = open_table(self.job.table)
        rows = open_unlabelled(self.job, [table], [np.arange(table.rows)], most=0)
        self.loader = rows.loader
        torch.manual_seed(0)
        self.body = Body(self.job, self.loader.readers, pretrained=True)
        self.batch = Batch.of(self.loader.batch(np.arange(40)))

    def masked(self, **options: Any) -> Masked:
        """What hides, with its options changed, from the same random start."""
        torch.manual_seed(1)
        given = config.Masked().model_copy(update=options)
        return Masked(self.body, given)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """All kinds of columns."""
    return Small(tmp_path_factory.mktemp("small"))


def losses(small: Small, **options: Any) -> dict[str, float]:
    """What each input costs under these options, chance being the same."""
    masked = small.masked(**options).eval()
    torch.manual_seed(2)
    with torch.no_grad():
        return {n: float(x) for n, x in masked(small.body.eval(), small.batch).items()}


def test_each_option_changes_what_is_lost(small: Small) -> None:
    usual = losses(small)
    assert set(usual) == {f"masked/{n}" for n in small.body.inputs}
    touched = {
        "patches": {"masked/photo", "masked/sound", "masked/vibration"},
        "pieces": {"masked/note"},
        "cells": {f"masked/{TABLE}"},
        "columns": set(usual),
        "summary": set(usual),
        "width": set(usual),
        "layers": set(usual),
    }
    other = {"patches": 0.3, "pieces": 0.5, "cells": 0.6, "columns": 0.0, "summary": 0.0}
    other |= {"width": 64, "layers": 1}
    for option, names in touched.items():
        found = losses(small, **{option: other[option]})
        assert all(found[n] != usual[n] for n in names), option


def test_shares_are_kept_and_of_several_columns_one_always_stays(small: Small) -> None:
    masked = small.masked(patches=0.4, columns=0.6)
    there = {
        n: r.there(small.batch.values[n], small.batch.present[n]) for n, r in masked.rebuilt.items()
    }
    whole, patches = 0.0, []
    alone = small.masked(patches=0.0, pieces=0.0, cells=0.0, columns=0.6)
    for _ in range(50):
        hidden = alone.draw(small.batch, there)
        gone = torch.stack([(hidden[n] == there[n]).all(1) for n in there], 1)
        has = torch.stack([there[n].any(1) for n in there], 1)
        assert (has & ~gone).any(1).all()
        hidden = masked.draw(small.batch, there)
        assert all(not (hidden[n] & ~there[n]).any() for n in there)
        photo = hidden["photo"][there["photo"].any(1)]
        whole += photo.all(1).float().mean().item() / 50
        patches.append(photo[~photo.all(1)].float().mean().item())
    assert whole == pytest.approx(0.6 * (1 - 0.6**4), abs=0.03)  # not where nothing else is left
    assert np.mean(patches) == pytest.approx(0.4, abs=0.02)


def test_nothing_of_what_is_hidden_reaches_the_encoders(small: Small) -> None:
    masked, body = small.masked(columns=0.4), small.body.eval()
    there = {
        n: r.there(small.batch.values[n], small.batch.present[n]) for n, r in masked.rebuilt.items()
    }
    hidden = masked.draw(small.batch, there)
    other = {n: dict(v) for n, v in small.batch.values.items()}
    table, size = other[TABLE], masked.rebuilt["vibration"].size
    hides = hidden[TABLE]
    table["number"] = table["number"] + 5.0 * hides[:, :1]
    table["category"] = torch.where(hides[:, 1:2], 1, table["category"])
    at = hidden["vibration"].repeat_interleave(size, 1)[:, : other["vibration"]["x"].shape[2]]
    other["vibration"]["x"] = other["vibration"]["x"] + 3.0 * at[:, None]
    other["note"]["ids"] = torch.where(hidden["note"], 9, other["note"]["ids"])
    other["photo"]["pixels"] = torch.where(
        hidden["photo"]
        .unflatten(1, (8, 8))
        .repeat_interleave(2, 1)
        .repeat_interleave(2, 2)[:, None],
        7,
        other["photo"]["pixels"],
    ).to(torch.uint8)
    changed = Batch(other, small.batch.present, {}, small.batch.rows)
    assert not torch.equal(other["photo"]["pixels"], small.batch.values["photo"]["pixels"])
    with torch.no_grad():
        seen, known = (body.encode(hide(masked.rebuilt, b, hidden)) for b in (small.batch, changed))
    for name in seen:
        assert torch.equal(seen[name].x_BTD, known[name].x_BTD), name


def test_plain_cells_cost_what_is_worked_out_by_hand(small: Small) -> None:
    rebuilt = small.masked().rebuilt[TABLE]
    values = small.batch.values[TABLE]
    z_BPE = torch.randn(40, rebuilt.most, 128)
    found = rebuilt.loss(z_BPE, values, torch.ones(40, rebuilt.most).bool()).detach().numpy()
    z = z_BPE.numpy()
    state = {n: p.detach().numpy() for n, p in rebuilt.named_parameters()}
    guess = z[:, 0] @ state["guess_number.weight_NEF"][0] + state["guess_number.bias_NF"][0]
    error = np.abs(guess[:, 0] - values["number"][:, 0].numpy())
    straight = 2 * 4.0 * (error - 2.0)
    np.testing.assert_allclose(found[:, 0], np.where(error < 4, error**2, straight), rtol=1e-4)
    logits = z[:, 1] @ state["guess_name.0.weight"].T + state["guess_name.0.bias"]
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    right = chance[np.arange(40), values["category"][:, 0].numpy()]
    np.testing.assert_allclose(found[:, 1], -np.log(right) / math.log(len(logits[0])), rtol=1e-4)


def test_word_pieces_are_hidden_as_the_mask_and_told_by_the_encoders_own_vectors(
    small: Small,
) -> None:
    rebuilt = small.masked().rebuilt["note"]
    values, present = small.batch.values["note"], small.batch.present["note"]
    there = rebuilt.there(values, present)
    assert not there[:, 0].any()  # the start of each text
    hidden = there & (torch.arange(there.shape[1]) % 2 == 1)
    assert (rebuilt.hide(values, hidden)["ids"][hidden] == 4).all()  # [MASK]
    z_BPE = torch.randn(*there.shape, 128)
    with torch.no_grad():
        found = rebuilt.loss(z_BPE, values, hidden)[hidden].numpy()
        z = rebuilt.norm(torch.nn.functional.gelu(rebuilt.inward(z_BPE[hidden]))).numpy()
    vectors = small.body.encoder("note").pieces.weight.detach().numpy()
    logits = z @ vectors.T * rebuilt.scale + rebuilt.bias_V.detach().numpy()
    top = logits.max(1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(1))
    right = logits[np.arange(len(z)), values["ids"][hidden].numpy()]
    np.testing.assert_allclose(found, (total - right) / math.log(len(vectors)), rtol=1e-3)


def test_patches_are_rebuilt_as_their_shape_their_mean_and_their_deviation() -> None:
    patches, x_NGF = Patches(), torch.randn(64, 1, 9) * 3 + torch.arange(64)[:, None, None]
    truth = patches.train().truth(x_NGF).numpy()[:, 0]
    x = x_NGF.numpy()[:, 0]
    mean, spread = x.mean(1), np.sqrt(x.var(1) + 1e-4)
    np.testing.assert_allclose(truth[:, :9], (x - mean[:, None]) / spread[:, None], atol=1e-4)
    np.testing.assert_allclose(truth[:, 9], (mean - mean.mean()) / mean.std(), atol=1e-3)
    logs = np.log(spread)
    np.testing.assert_allclose(truth[:, 10], (logs - logs.mean()) / logs.std(), atol=1e-3)
    cost = patches.cost(torch.zeros(64, 1, 11), torch.from_numpy(truth)[:, None]).numpy()
    by_hand = ((truth[:, :9] ** 2).mean(1) + truth[:, 9] ** 2 + truth[:, 10] ** 2) / 3
    np.testing.assert_allclose(cost, by_hand, rtol=1e-4)


def test_pictures_are_cut_into_patches_as_one_would_by_hand(small: Small) -> None:
    pixels = small.batch.values["photo"]["pixels"]
    found = small.masked().rebuilt["photo"].cut(pixels).numpy()
    x = (pixels.numpy().astype(float) - 127) / 64
    by_hand = x.reshape(40, 1, 8, 2, 8, 2).transpose(0, 2, 4, 1, 3, 5).reshape(40, 64, 4)
    np.testing.assert_allclose(found, by_hand, atol=1e-6)
