"""Draws depend on seed and row alone, keep what was shown, and are steered by other columns."""

import numpy as np
import pytest
import torch

from drawable import drawable, some_rows
from modalloy.drawing.artist import Artist
from modalloy.drawing.sheet import TILE, as_png, contact_sheet
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.tokens import Batch
from modalloy.objectives.autoregress import Autoregress


def artist(*columns: str) -> Artist:
    body = drawable(*columns)
    torch.manual_seed(2)
    options = config.Autoregress(columns=columns, width=16, layers=2, components=3)
    return Artist(body, Autoregress(body, options))


def only(batch: Batch, row: int) -> Batch:
    return Batch(
        {n: {k: t[row : row + 1] for k, t in v.items()} for n, v in batch.values.items()},
        {n: p[row : row + 1] for n, p in batch.present.items()},
    )


@pytest.mark.parametrize("name", ["photo", "pull", "sound"])
def test_a_seed_draws_the_same_again_and_another_draws_otherwise(name: str) -> None:
    one, batch = artist(name), some_rows(name)
    first, again = (one.draw(name, batch, each=2, seed=3) for _ in range(2))
    other = one.draw(name, batch, each=2, seed=4)
    for a, b, c in zip(first.samples, again.samples, other.samples, strict=True):
        assert np.array_equal(a[0], b[0])
        assert not np.array_equal(a[0], a[1])
        assert not np.array_equal(a[0], c[0])


@pytest.mark.parametrize("name", ["photo", "pull", "sound"])
def test_a_row_is_drawn_alone_as_in_a_batch(name: str) -> None:
    one, batch = artist(name), some_rows(name)
    whole = one.draw(name, batch, anew=0.5, each=1, numbers=[5, 6, 7, 8])
    alone = one.draw(name, only(batch, 2), anew=0.5, each=1, numbers=[7])
    assert alone.samples[0][0] == pytest.approx(
        whole.samples[2][0], abs=1e-3 if name != "photo" else 1
    )
    assert alone.expected[0] == pytest.approx(whole.expected[2], abs=1e-3 if name != "photo" else 1)


def test_what_was_shown_is_kept_and_the_rest_is_drawn() -> None:
    one, batch = artist("photo", "pull"), some_rows("photo", "pull")
    found = one.draw("photo", batch, anew=0.5, each=1)
    assert found.seen_R.tolist() == [8] * 4  # two of four lines of four patches
    for given, drawn in zip(found.given, found.samples, strict=True):
        assert given is not None
        assert np.array_equal(drawn[0][:, :8], given[:, :8])
        assert not np.array_equal(drawn[0][:, 8:], given[:, 8:])
    pull = one.draw("pull", batch, anew=0.25, each=1)
    assert pull.seen_R.tolist() == [30, 24, 19, 30]  # of 40, 33, 26 and 40 steps
    assert [x.shape for x in pull.expected] == [(2, 40), (2, 33), (2, 26), (2, 40)]
    assert pull.given[1] == pytest.approx(batch.values["pull"]["x"][1, :, :33].numpy())


def test_what_is_shown_begins_where_the_cell_begins() -> None:
    one, batch = artist("pull"), some_rows("pull")
    mask_BL = batch.values["pull"]["mask"]
    mask_BL[0, :25] = False  # more of it is empty than half
    mask_BL[1, 10:12] = False  # a gap within
    batch.values["pull"]["x"] *= mask_BL[:, None]
    found = one.draw("pull", batch, anew=0.4, each=1)
    assert found.seen_R.tolist() == [25 + 9, 19, 15, 24]  # of 15, 33, 26 and 40 steps
    assert [x.shape[1] for x in found.samples for x in x] == [40, 33, 26, 40]
    seen_BL = one.method.canvases["pull"].begun(batch.values["pull"], torch.tensor(found.seen_R))
    assert seen_BL["mask"].sum(1).tolist() == [9, 17, 15, 24]
    for row, seen in enumerate(found.seen_R):
        drawn, given = found.samples[row][0], found.given[row]
        assert np.array_equal(drawn[:, :seen], given[:, :seen])
        assert not np.array_equal(drawn[:, seen:], given[:, seen:])
    assert one.draw("pull", batch, anew=1.0, each=1).seen_R.tolist() == [0] * 4


def test_rows_without_a_cell_are_drawn_whole_and_long() -> None:
    one, batch = artist("pull"), some_rows("pull")
    batch.present["pull"][1] = False
    found = one.draw("pull", batch, anew=0.5, each=1)
    assert found.seen_R.tolist() == [20, 0, 13, 20]
    assert found.given[1] is None
    assert found.samples[1][0].shape == (2, 40)
    sheet = contact_sheet(found, [0, 1, 2, 3])
    assert sheet.width > 4 * TILE


def test_other_columns_steer_what_is_drawn() -> None:
    one, batch = artist("photo", "pull"), some_rows("photo", "pull")
    first = one.draw("photo", batch, each=1)
    batch.values["pull"]["x"] = batch.values["pull"]["x"] + 2.0
    second = one.draw("photo", batch, each=1)
    assert not np.array_equal(first.expected[0], second.expected[0])


def test_cold_draws_vary_less() -> None:
    one, batch = artist("pull"), some_rows("pull")
    draws = {t: one.draw("pull", batch, each=8, temperature=t).samples[0] for t in (0.05, 1.0)}
    spread = {t: np.std(np.stack(x), axis=0).mean() for t, x in draws.items()}
    assert spread[0.05] < 0.5 * spread[1.0]


@pytest.mark.parametrize("name", ["photo", "pull", "sound"])
def test_a_sheet_has_a_line_a_row(name: str) -> None:
    one, batch = artist(name), some_rows(name)
    found = one.draw(name, batch, anew=0.5, each=2)
    sheet = contact_sheet(found, [4, 5, 6, 7])
    assert sheet.height > 4 * TILE
    assert as_png(sheet).startswith(b"\x89PNG")
    colours = {sheet.getpixel((x, y)) for x in range(60, sheet.width, 3) for y in range(30, 100, 3)}
    assert len(colours) > 3
    whole = contact_sheet(one.draw(name, batch, each=3), [0, 1, 2, 3])
    assert whole.width > sheet.width  # all rows hold a cell here; one draw more


def test_another_column_is_named() -> None:
    one = artist("photo")
    assert one.column(None) == "photo"
    with pytest.raises(JobError, match=r"does not draw 'foto'. Did you mean 'photo'\?"):
        one.column("foto")
