"""Moves of each kind of column are what its reader makes of cells changed in their own unit."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import torch

from attacked import Small, generator, small
from modalloy.attacks.attack import answering
from modalloy.attacks.budget import Budget, budgets_of
from modalloy.attacks.moves import Moves, valid_of
from modalloy.attacks.pgd import PGD
from modalloy.cells.cells import Cells
from modalloy.errors import JobError
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE

COLUMNS = ("photo", "sound", "vibration", "note", "load", "site", "taken_at")


def read(found: Small, column: str, cells: list) -> np.ndarray:
    reader = found.model.readers[column]
    return reader.read(Cells({column: cells})).values["x"]


def moved(found: Small, budget: Budget, u: float, *, handed: bool = True) -> Batch:
    moves = Moves.of(found.model, found.batch, [budget])
    return moves.batch(moves.project(moves.zero() + u), handed=handed)


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize(("size", "unit"), [(0.5, "kN"), (0.2, "sd"), (5.0, "%")])
def test_a_number_moves_as_its_cell_would(scale: str, size: float, unit: str) -> None:
    load = {"type": "number", "unit": "kN", "bins": 4, "scale": scale}
    found = small((), more={"load": load})
    reader = found.model.readers["load"]
    given = found.loader.cells(("load",), found.batch.rows)["load"]
    low, high = reader.span
    for side in (1.0, -1.0):
        batch = moved(found, Budget("load", size, unit), side)
        cells = np.array([np.nan if c is None else c for c in given], dtype=float)
        match unit:
            case "kN":
                wanted = cells + side * size
            case "%":
                wanted = cells + side * size / 100 * (high - low)
            case _ if scale == "log":
                wanted = np.expm1(np.log1p(cells) + side * size * reader.scale)
            case _:
                wanted = cells + side * size * reader.scale
        wanted = np.clip(wanted, np.minimum(low, cells), np.maximum(high, cells))
        there = np.isfinite(cells)
        assert 0 < there.sum() < len(there)
        own = batch.values[TABLE]["number"][:, 0].numpy()
        expected = read(found, "load", list(wanted))
        np.testing.assert_allclose(own[there], expected[there], atol=2e-5)
        assert (own[~there] == 0.0).all()


def test_only_a_growing_budget_leaves_the_range_of_training() -> None:
    found = small(("load",))
    high = found.model.readers["load"].span[1]
    ends = []
    for budget in (Budget("load", 50.0, "kN"), Budget("load", 25.0, "kN").times(2.0)):
        after = moved(found, budget, 1.0)
        own = valid_of(found.model, after, Budget("load", 1.0, "kN")).x_B
        ends.append(float(own[found.batch.present[TABLE][:, 0]].max()))
    assert ends[0] == pytest.approx(high, rel=1e-3)
    assert ends[1] > high + 10


def test_whole_numbers_stay_whole_and_within_training() -> None:
    found = small(("load",))
    given = found.loader.cells(("load",), found.batch.rows)["load"]
    cells = [None if c is None else float(round(c)) for c in given]
    x = torch.from_numpy(read(found, "load", cells))
    found.batch.values[TABLE]["number"] = x[:, None]
    part = valid_of(found.model, found.batch, Budget("load", 2.6, "kN", whole=True))
    values = {TABLE: dict(found.batch.values[TABLE])}
    part.put(values, part.high_BS, handed=True)
    after = replace(found.batch, values=values)
    own = valid_of(found.model, after, Budget("load", 1.0, "kN")).x_B.numpy()
    there = np.array([c is not None for c in cells])
    want = np.array([c or 0.0 for c in cells])
    high = found.model.readers["load"].span[1]
    apart = (own - want)[there]
    np.testing.assert_allclose(apart, apart.round(), atol=2e-3)
    assert set(apart.round()) <= {0.0, 1.0, 2.0}
    assert 2.0 in apart.round()
    assert (own[there] <= max(high, want.max()) + 1e-3).all()


@pytest.mark.parametrize(("size", "unit"), [(90.0, "min"), (2.0, "d")])
def test_a_date_moves_as_its_cell_would(size: float, unit: str) -> None:
    found = small(("taken_at",))
    given = found.loader.cells(("taken_at",), found.batch.rows)["taken_at"]
    days = size / 1440 if unit == "min" else size
    batch = moved(found, Budget("taken_at", size, unit), 1.0)
    expected = read(found, "taken_at", [c + timedelta(days=days) for c in given])
    # A leap year is a day longer than the mean one that the move turns by.
    np.testing.assert_allclose(batch.values[TABLE]["time"][:, 0].numpy(), expected, atol=2e-3)


def test_series_and_recordings_move_in_the_unit_of_their_samples() -> None:
    found = small(("vibration", "sound"))
    scale = np.array(found.model.readers["vibration"].scale)[:, None]
    x, mask = (found.batch.values["vibration"][k] for k in ("x", "mask"))
    after = moved(found, Budget("vibration", 0.03, "unit"), 1.0).values["vibration"]["x"]
    change = (after - x).numpy() * scale
    here = mask.numpy()[:, None] & found.batch.present["vibration"].numpy()[:, None, None]
    np.testing.assert_allclose(change[np.broadcast_to(here, change.shape)], 0.03, atol=1e-6)
    assert not change[~np.broadcast_to(here, change.shape)].any()
    after = moved(found, Budget("vibration", 0.2, "sd"), -1.0).values["vibration"]["x"]
    assert (after - x).min().item() == pytest.approx(-0.2, abs=1e-6)
    wave = found.batch.values["sound"]["wave"]
    for budget in (Budget("sound", -40.0, "dBFS"), Budget("sound", 1.0, "%")):
        after = moved(found, budget, 1.0).values["sound"]["wave"]
        assert (after - wave).max().item() == pytest.approx(0.01, abs=1e-6)


def test_pixels_stay_whole_and_between_black_and_white() -> None:
    found = small(("photo",))
    before = found.batch.values["photo"]["pixels"]
    moves = Moves.of(found.model, found.batch, [Budget("photo", 8.0, "/255")])
    after = moves.batch(moves.start(generator()), handed=True).values["photo"]["pixels"]
    assert after.dtype == torch.uint8
    apart = (after.int() - before.int()).abs()
    assert 0 < apart.max() <= 8
    missing = ~found.batch.present["photo"]
    assert missing.any()
    assert not apart[missing].any()
    white = moves.batch(moves.project(moves.zero() + 9), handed=True).values["photo"]["pixels"]
    assert ((white == 255) | (white.int() - before.int() == 8))[~missing].all()


def test_vectors_of_a_text_stay_within_one_ball() -> None:
    found = small(("note",))
    size = 0.1
    moves = Moves.of(found.model, found.batch, [Budget("note", size, "embedding", "embedding")])
    batch = moves.batch(moves.start(generator()))
    moved_BLF, mask_BL = batch.values["note"]["moved"], batch.values["note"]["mask"]
    usual = found.model.encoder("note").pieces.weight.norm(dim=1).mean()
    length_B = moved_BLF.flatten(1).norm(dim=1)
    most_B = size * usual * mask_BL.sum(1).sqrt()
    assert (length_B <= most_B * (1 + 1e-5)).all()
    assert (length_B[batch.present["note"]] > 0).all()
    assert not moved_BLF[~mask_BL].any()
    with torch.no_grad():
        still = found.model(moves.batch(moves.zero())).tasks["fault"]["logits"]
        assert torch.allclose(still, found.model(found.batch).tasks["fault"]["logits"], atol=1e-6)
        other = found.model(batch).tasks["fault"]["logits"]
    assert not torch.allclose(still, other, atol=1e-4)


def test_all_columns_move_at_once_and_what_is_missing_stays_missing() -> None:
    found = small(COLUMNS)
    budgets = budgets_of(found.model.job, found.model.readers)
    attack = PGD(steps=2)
    after = attack(found.model, found.batch, budgets, draw=generator())
    again = attack(found.model, found.batch, budgets, draw=generator())
    for name, values in after.values.items():
        assert torch.equal(after.present[name], found.batch.present[name])
        for key, x in values.items():
            assert torch.equal(x, again.values[name][key])
            if key in found.batch.values[name] and name != TABLE:
                gone = ~found.batch.present[name]
                assert torch.equal(x[gone], found.batch.values[name][key][gone])
    changed = {n for n in after.values for k in after.values[n] if k in found.batch.values[n]
               and not torch.equal(after.values[n][k], found.batch.values[n][k])}  # fmt: skip
    assert changed == {"photo", "sound", "vibration", TABLE}
    assert "moved" in after.values["note"]


def test_a_batch_of_kept_features_gets_a_sentence() -> None:
    found = small(("photo",))
    found.batch.values["photo"] = {"features": torch.zeros(12, 1, 4)}
    with pytest.raises(JobError, match="frozen encoder said"):
        Moves.of(found.model, found.batch, [Budget("photo", 8.0, "/255")])


def test_gradients_pass_a_frozen_encoder_only_meanwhile() -> None:
    found = small(("photo",))
    encoder = found.model.encoder("photo")
    encoder.held = True
    x = found.batch.values["photo"]["pixels"].float().requires_grad_()
    values = {**found.batch.values["photo"], "pixels": x}
    batch = replace(found.batch, values={"photo": values})

    def reaches() -> bool:
        logits = found.model(batch).tasks["fault"]["logits"].sum()
        return torch.autograd.grad(logits, x, allow_unused=True)[0] is not None

    assert not reaches()
    found.model.train()
    with answering(found.model):
        assert not found.model.training
        assert reaches()
    assert found.model.training
    assert not reaches()
