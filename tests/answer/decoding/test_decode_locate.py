"""Boxes from maps: peaks against a loop and against torch, the same bits in any company."""

import numpy as np
import pytest

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.build import decode
from modalloy.answer.decoding.locate import LEAST_SCORE, peaks
from modalloy.job import config
from modalloy.readers.targets.locate import BoxTarget

OPTIONS = config.Locate(target="boxes", labels="names", on="photo", max_boxes=7)
TARGET = BoxTarget("defects", "boxes", "names", ("dent", "scratch"))


def outputs(rows: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {
        "heat": draw.normal(-2, 2, (rows, 2, 9, 12)).astype(np.float32),
        "sides": np.exp(draw.normal(0, 0.5, (rows, 4, 9, 12))).astype(np.float32),
        "seen": np.arange(rows) != 1,
        "size": np.array([[120.0, 90.0]] * rows, dtype=np.float32),
    }


def answer_of(found: dict[str, np.ndarray]) -> Answer:
    return decode(OPTIONS, TARGET, found)


def test_peaks_are_higher_than_their_neighbours() -> None:
    heat = np.zeros((2, 5, 5), dtype=np.float32)
    heat[0, 1, 1], heat[0, 1, 2] = 0.9, 0.8  # the second stands beside the first
    heat[1, 1, 2] = 0.7  # another class
    heat[0, 4, 4] = 0.6
    found, classes, cells = peaks(heat, 3)
    assert found.tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert classes.tolist() == [0, 1, 0]
    assert cells.tolist() == [6, 7, 24]


def test_peaks_agree_with_a_loop_and_with_max_pooling() -> None:
    heat = np.random.default_rng(1).random((3, 7, 6)).astype(np.float32)
    slow = []
    for c, y, x in np.ndindex(heat.shape):
        around = heat[c, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        if heat[c, y, x] == around.max() and heat[c, y, x] >= LEAST_SCORE:
            slow.append((float(heat[c, y, x]), c, y * 6 + x))
    wanted = sorted(slow, reverse=True)[:8]
    assert list(zip(*(a.tolist() for a in peaks(heat, 8)), strict=True)) == wanted
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(heat)[None]
    alone = torch.where(x == torch.nn.functional.max_pool2d(x, 3, 1, 1), x, 0.0)
    assert peaks(heat, 8)[0].tolist() == alone.flatten().topk(8).values.tolist()


def test_boxes_lie_where_the_sides_say_in_pixels() -> None:
    found = outputs(1)
    found["heat"][:] = -9.0
    found["heat"][0, 1, 4, 3] = 3.0
    found["sides"][0, :, 4, 3] = [1.0, 2.0, 0.5, 1.0]
    answer = answer_of(found)
    # The middle of the cell is (3.5, 4.5) of 12 x 9 cells, each of 10 x 10 pixels.
    assert answer["boxes"][0].tolist() == [pytest.approx([25.0, 25.0, 40.0, 55.0])]
    assert answer["names"][0] == ["scratch"]
    assert answer["scores"][0] == pytest.approx([1 / (1 + np.exp(-3.0))])


def test_a_row_has_the_same_bits_in_any_company() -> None:
    found = outputs(5)
    whole = answer_of(found)
    assert len(whole["boxes"][0]) == 7
    assert len(whole["boxes"][1]) == 0  # its picture was not seen
    for row in range(5):
        alone = answer_of({n: x[row : row + 1].copy() for n, x in found.items()})
        assert alone["names"][0] == whole["names"][row]
        for key in ("boxes", "scores"):
            assert np.array_equal(alone[key][0], whole[key][row])
