"""A lying column is another row's, noise or an attack, in the share of rows asked for."""

from collections.abc import Sequence

import pytest
import torch

from modalloy.model.tokens import Batch
from modalloy.objectives.corrupted import corrupting
from modalloy.objectives.losses import Losses
from modalloy.objectives.lying import Lie, Place, lying, mixed
from modalloy.readers.batch import TABLE
from small_net import Box, Net, objective, rows

PLACES = {"left": Place("left"), "right": Place("right")}


def noise(batch: Batch, column: str) -> Batch:
    """Nines in place of a column."""
    x = batch.values[column]["x"]
    values = {**batch.values, column: {"x": torch.full_like(x, 9.0)}}
    return Batch(values, batch.present, batch.targets)


def seen_by(lies: Sequence[Lie], *, chance: float, steps: int = 60) -> list[Batch]:
    """What the objective was asked about, the last of each step."""
    seen: list[Batch] = []

    def watched(net: Net, batch: Batch) -> Losses:
        seen.append(batch)
        return objective(net, batch)

    def left(net: Net, batch: Batch) -> Box:
        return Box(batch, 50.0)

    wrapped = lying(watched, PLACES, chance=chance, noise=noise, anything={"left": left}, lies=lies)
    net, last = Net(), []
    for _ in range(steps):
        wrapped(net, rows())
        last.append(seen[-1])
    return last


def test_one_column_of_a_share_of_rows_is_noise() -> None:
    clean = rows().values
    shares = []
    for batch in seen_by(["noise"], chance=0.5):
        changed = {n: (batch.values[n]["x"] != clean[n]["x"]).any(1) for n in PLACES}
        assert not (changed["left"].any() and changed["right"].any())
        for n, rows_B in changed.items():
            assert (batch.values[n]["x"][rows_B] == 9.0).all()
        shares.append((changed["left"] | changed["right"]).float().mean().item())
    assert sum(shares) / len(shares) == pytest.approx(0.5, abs=0.08)


def test_another_rows_cell_is_a_row_of_the_batch_and_answers_stay() -> None:
    clean = rows().values
    moved = 0
    for batch in seen_by(["other"], chance=1.0, steps=10):
        for n in PLACES:
            x = batch.values[n]["x"]
            moved += int((x != clean[n]["x"]).any())
            assert all(any(torch.equal(r, c) for c in clean[n]["x"]) for r in x)
        assert torch.equal(batch.targets["fault"]["y"], rows().targets["fault"]["y"])
    assert moved >= 8


def test_an_attack_goes_anywhere_that_the_column_may() -> None:
    far = [(b.values["left"]["x"] - rows().values["left"]["x"]).abs().max() for b in
           seen_by(["attack"], chance=1.0, steps=20)]  # fmt: skip
    assert max(far) > 40.0


def test_missing_cells_travel_with_the_cell_and_a_plain_column_goes_alone() -> None:
    x, other = torch.zeros(3, 2), torch.ones(3, 2)
    present, absent = torch.ones(3, 2).bool(), torch.zeros(3, 2).bool()
    batch = Batch({TABLE: {"number": x}}, {TABLE: present})
    told = Batch({TABLE: {"number": other}}, {TABLE: absent})
    place = Place(TABLE, "number", 1, 1)
    found = mixed(batch, told, place, torch.tensor([True, False, True]))
    assert found.values[TABLE]["number"].tolist() == [[0, 1], [0, 0], [0, 1]]
    assert found.present[TABLE].tolist() == [[True, False], [True, True], [True, False]]
    assert x.sum() == 0


def test_a_single_column_never_lies_and_corruptions_change_their_share() -> None:
    net, seen = Net(), []

    def watched(own: Net, batch: Batch) -> Losses:
        seen.append(batch.values["left"]["x"])
        return objective(own, batch)

    alone = {"left": PLACES["left"]}
    lying(watched, alone, chance=1.0, noise=noise, anything={})(net, rows())
    assert torch.equal(seen[-1], rows().values["left"]["x"])
    blurred = [(PLACES["left"], lambda batch: noise(batch, "left"))]
    for _ in range(60):
        corrupting(watched, blurred, share=0.3)(net, rows())
    share = torch.stack([(x == 9.0).all(1) for x in seen[1:]]).float().mean().item()
    assert share == pytest.approx(0.3, abs=0.07)
    net.eval()
    corrupting(watched, blurred, share=1.0)(net, rows())
    lying(watched, PLACES, chance=1.0, noise=noise, anything={})(net, rows())
    assert all(torch.equal(x, rows().values["left"]["x"]) for x in seen[-2:])
