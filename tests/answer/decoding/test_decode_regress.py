"""Numbers in the target's unit: members averaged, the same bits in any company."""

import math

import numpy as np
import pytest

from modalloy.answer.decoding.build import decode
from modalloy.job import config
from modalloy.readers.targets.regress import NumberTarget

OPTIONS = config.Regress(target="y", quantiles=(0.1, 0.9))
TARGET = NumberTarget("life", "y", center=100.0, scale=20.0, log=False)


def outputs(rows: int, members: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    quantiles = draw.normal(size=(rows, members, 2)).astype(np.float32)
    return {"value": draw.normal(size=(rows, members)).astype(np.float32), "quantiles": quantiles}


def test_answers_are_means_over_members_in_the_targets_unit() -> None:
    found = outputs(4, 3)
    answer = decode(OPTIONS, TARGET, found)
    for row in range(4):
        np.testing.assert_allclose(answer["value"][row], found["value"][row].mean() * 20 + 100)
        wanted = [sum(found["quantiles"][row, :, q]) / 3 * 20 + 100 for q in range(2)]
        np.testing.assert_allclose(answer["quantiles"][row], wanted)
    assert answer["value"].shape == (4,)
    assert answer["quantiles"].shape == (4, 2)


def test_a_row_has_the_same_bits_in_any_company() -> None:
    for members in (1, 2, 32):
        found = outputs(30, members)
        whole = decode(OPTIONS, TARGET, found)
        for row in range(30):
            alone = decode(OPTIONS, TARGET, {n: x[row : row + 1].copy() for n, x in found.items()})
            assert all(np.array_equal(alone[n][0], whole[n][row]) for n in whole)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    ("low", "high"), [(None, None), (95.0, None), (None, 110.0), (95.0, 110.0)]
)
def test_answers_and_quantiles_stay_within_the_bounds(
    log: bool, low: float | None, high: float | None
) -> None:
    target = NumberTarget("life", "y", math.log1p(100.0), 0.1, True) if log else TARGET
    options = OPTIONS.model_copy(update={"scale": "log" if log else "linear"})
    bound = options.model_copy(update={"lowest": low, "highest": high})
    found = outputs(40, 3)
    free, kept = decode(options, target, found), decode(bound, target, found)
    for name, x in free.items():
        natural, cut = target.to_natural(x), target.to_natural(kept[name])
        assert natural.min() < 95.0 < 110.0 < natural.max()
        np.testing.assert_allclose(cut, np.clip(natural, low, high))
        inside = natural == np.clip(natural, low, high)
        assert np.array_equal(x[inside], kept[name][inside])
