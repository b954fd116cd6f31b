"""Planted outliers are found, the column is right, and a missing cell is no oddity."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modalloy.answer.answers import View
from modalloy.unlike.fitting import BOTH, HELD, LEFT_OUT, fit_likeness, limit_of
from modalloy.unlike.kept import likeness_from_bytes, likeness_to_bytes
from modalloy.unlike.likeness import TOGETHER, Likeness, Unlikeness
from modalloy.unlike.space import NEIGHBOURS, Space, Tail, shape_of

COLUMNS = ("load", "heat", "photo", "shake[x]")


def rows(draw: np.random.Generator, count: int, missing: float = 0.0) -> View:
    """Two numbers, a picture's summary of 16 dimensions that follows the load, and a channel."""
    load = draw.normal(0, 1, count)
    photo = load[:, None] * np.linspace(0, 1, 16) + draw.normal(0, 0.3, (count, 16))
    columns = {
        "load": load[:, None],
        "heat": draw.normal(0, 1, (count, 1)),
        "photo": photo,
        "shake[x]": np.stack([draw.normal(0, 0.1, count), draw.normal(0, 0.1, count)], 1),
    }
    present = draw.random((count, 3)) >= missing
    for at, name in enumerate(("load", "heat", "photo")):
        columns[name][~present[:, at]] = np.nan
    fused = np.concatenate([np.nan_to_num(c) for c in columns.values()], 1)
    return View(["load", "heat", "photo"], present, columns, fused)


def fitted(draw: np.random.Generator, **changes: Any) -> Likeness:
    """What 400 rows say, by 200 others."""
    told: dict[str, Any] = {"held": rows(draw, 200), "share": 0.01} | changes
    found = fit_likeness(rows(draw, 400, told.pop("missing", 0.0)), **told)
    assert found is not None
    return found


def auroc(odd: np.ndarray, usual: np.ndarray) -> float:
    """The share of pairs in which the odd row scores higher."""
    return float((odd[:, None] > usual).mean() + 0.5 * (odd[:, None] == usual).mean())


def changed(view: View, name: str, value: Any) -> View:
    """The same rows with one column otherwise."""
    return View(view.names, view.present_BN, view.columns | {name: value}, view.fused_BD)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_that_is_off_is_found_and_named(name: str, draw: np.random.Generator) -> None:
    found, usual = fitted(draw), rows(draw, 300)
    odd = changed(usual, name, usual.columns[name] + 6.0)
    said, before = found.judge(odd), found.judge(usual)
    assert auroc(said.score_B, before.score_B) > 0.99
    assert np.mean([column == name for column in said.column]) > 0.95
    assert before.unlike_B.mean() < 0.04
    assert [c == "" for c in before.column] == (~before.unlike_B).tolist()


def test_a_channel_that_stands_still_is_found_although_its_level_is_usual(
    draw: np.random.Generator,
) -> None:
    found, usual = fitted(draw), rows(draw, 100)
    dead = usual.columns["shake[x]"] * [1, 0] + [0, -3.0]  # log10 of its deviation
    said = found.judge(changed(usual, "shake[x]", dead))
    assert said.unlike_B.all()
    assert set(said.column) == {"shake[x]"}


def test_what_no_column_shows_is_seen_in_all_together(draw: np.random.Generator) -> None:
    found, usual = fitted(draw), rows(draw, 100)
    odd = View(usual.names, usual.present_BN, usual.columns, usual.fused_BD + 8.0)
    said = found.judge(odd)
    assert said.unlike_B.mean() > 0.95
    assert TOGETHER in said.column


def test_a_missing_cell_is_no_oddity(draw: np.random.Generator) -> None:
    found = fitted(draw)
    assert found.judge(rows(draw, 500, 0.5)).unlike_B.mean() < 0.03
    many = fitted(draw, held=rows(draw, 300, 0.3), missing=0.3)
    assert len(many.patterns_PN) > 1  # rows enough for some patterns of missing cells
    assert many.judge(rows(draw, 500, 0.3)).unlike_B.mean() < 0.04
    nothing = rows(draw, 3, 1.1)
    nothing.columns["shake[x]"][:] = np.nan
    said = found.judge(nothing)
    assert np.isnan(said.score_B).all()
    assert said.column == ["", "", ""]


def test_a_number_that_is_now_and_then_far_off_hides_no_odd_picture(
    draw: np.random.Generator,
) -> None:
    def heavy(count: int) -> View:
        view = rows(draw, count)
        return changed(view, "load", draw.standard_cauchy((count, 1)))

    found = fit_likeness(heavy(400), heavy(200), share=0.01)
    assert found is not None
    usual = heavy(1000)
    odd = changed(usual, "photo", usual.columns["photo"] + 4.0 * usual.columns["photo"].std(0))
    said = found.judge(odd)
    assert said.unlike_B.mean() > 0.9
    assert np.mean([c == "photo" for c in said.column if c]) > 0.95
    assert found.judge(usual).unlike_B.mean() < 0.04


def test_parts_of_the_first_form_are_judged_by_rarities(draw: np.random.Generator) -> None:
    found, usual = replace(fitted(draw), measure="rarity", limit=2.5), rows(draw, 50)
    data = likeness_to_bytes(found)
    assert b'\\"form\\": 1' in data or b'"form": 1' in data
    again = likeness_from_bytes(data)
    assert again.measure == "rarity"
    load = again.columns["load"]
    expected = load.tail.rarity(load.space.distances(usual.columns["load"]))
    assert again.scores(usual)[:, 0].tolist() == expected.tolist()
    assert again.judge(usual).score_B.tolist() == found.judge(usual).score_B.tolist()


def test_the_share_is_kept_and_can_be_chosen(draw: np.random.Generator) -> None:
    many = {"held": rows(draw, 2000)}
    usual = rows(draw, 2000)
    shares = [fitted(draw, **many, share=s).judge(usual).unlike_B.mean() for s in (0.01, 0.1)]
    assert shares[0] == pytest.approx(0.01, abs=0.008)
    assert shares[1] == pytest.approx(0.1, abs=0.03)


def test_without_held_back_rows_training_rows_are_left_out(draw: np.random.Generator) -> None:
    alone = fitted(draw, held=None)
    assert alone.said["by"] == LEFT_OUT
    assert fitted(draw).said["by"] == HELD
    assert alone.judge(rows(draw, 1000)).unlike_B.mean() < 0.03
    few = fitted(draw, held=rows(draw, 30))
    assert few.said["by"] == BOTH
    assert few.said["rows"] == 430
    assert few.judge(rows(draw, 1000)).unlike_B.mean() < 0.03
    pairs = [str(i // 2) for i in range(400)]
    assert fitted(draw, held=None, groups=pairs).limit > 0
    assert fit_likeness(rows(draw, 10), None, share=0.01) is None


def test_a_row_alone_is_judged_as_in_a_batch_and_bytes_bring_it_back(
    draw: np.random.Generator,
) -> None:
    found, usual = fitted(draw), rows(draw, 30, 0.2)
    again = likeness_from_bytes(likeness_to_bytes(found))
    assert likeness_to_bytes(again) == likeness_to_bytes(found)
    whole, alone = found.judge(usual), []
    for i in range(30):
        one = slice(i, i + 1)
        view = View(
            usual.names,
            usual.present_BN[one],
            {n: x[one] for n, x in usual.columns.items()},
            usual.fused_BD[one],
        )
        alone.append(again.judge(view))
    assert [one.score_B[0] for one in alone] == whole.score_B.tolist()
    assert [one.column[0] for one in alone] == whole.column
    assert isinstance(whole, Unlikeness)


def test_distances_are_those_of_the_slow_way(draw: np.random.Generator) -> None:
    x, y = draw.normal(3, 2, (60, 4)), draw.normal(3, 2, (10, 4))
    space = Space.fit(x)
    reference = space.rows_RF.astype(np.float64)

    def slow(z: np.ndarray, others: np.ndarray) -> float:
        return float(np.sort(np.sqrt(((others - z) ** 2).mean(1)))[NEIGHBOURS - 1])

    said = [slow(z, reference) for z in space.scaled(y)]
    assert space.distances(y) == pytest.approx(said)
    line = Space.fit(x[:, :1])
    reference_1 = line.rows_RF.astype(np.float64)
    far = np.concatenate([y[:, :1], [[-99.0], [99.0]]])
    assert line.distances(far) == pytest.approx([slow(z, reference_1) for z in line.scaled(far)])
    assert line.distances(far) == pytest.approx(line.nearest(line.scaled(far)), abs=1e-6)
    apart = [slow(z, np.delete(reference, i, 0)) for i, z in enumerate(reference)]
    assert space.apart() == pytest.approx(apart)
    pairs = [slow(z, np.delete(reference, [i, i ^ 1], 0)) for i, z in enumerate(reference)]
    assert space.apart([str(i // 2) for i in range(60)]) == pytest.approx(pairs)


def test_a_tail_says_how_rare_a_distance_is(draw: np.random.Generator) -> None:
    tail = Tail.fit(draw.exponential(1.0, 20_000))
    assert tail.rarity(np.array([np.log(100.0), np.log(1e4)])) == pytest.approx([2, 4], abs=0.15)
    assert tail.distance(0.001) == pytest.approx(np.log(1000), abs=0.3)
    assert tail.shape < 0.05
    heavy = Tail.fit(draw.pareto(1 / 0.3, 50_000))
    assert heavy.shape == pytest.approx(0.3, abs=0.05)
    assert heavy.distance(1e-4) == pytest.approx(1e4**0.3 - 1, rel=0.1)
    assert heavy.rarity(np.array([1e4**0.3 - 1])) == pytest.approx(4, abs=0.1)
    assert shape_of(np.ones(9)) == 0.0  # too few to tell
    assert limit_of(np.arange(1.0, 1000.0), 0.01) == 990.0
    few = limit_of(draw.exponential(1.0, 60), 0.001)
    assert few > 3.5  # sixty rows alone cannot tell one in a thousand
