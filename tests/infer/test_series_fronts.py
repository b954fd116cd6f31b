"""Fronts by rows and samples, and curves told from sets of features."""

import numpy as np
import pytest

from modalloy.infer.lists import longest_of, roughness
from modalloy.infer.series_fronts import series_fronts


@pytest.mark.parametrize(
    ("rows", "learned_from", "longest", "front", "why"),
    [
        (1000, 100, 150, ["minirocket", "hydra", "statistics"], "few to learn"),
        (600, 500, 150, ["minirocket", "hydra", "convolution", "statistics"], "allow both"),
        (1000, 800, 2000, ["minirocket", "convolution", "statistics"], "allow both"),
        (10_000, 8000, 1000, None, ""),
    ],
)
def test_fronts_are_those_that_rows_and_samples_allow(
    rows: int, learned_from: int, longest: int, front: list[str] | None, why: str
) -> None:
    options, said = series_fronts(rows, longest, learned_from=learned_from)
    assert options == ({} if front is None else {"front": front})
    assert why in said


def test_neighbours_of_a_curve_are_alike() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(50, 40))
    assert 0.9 < roughness(list(noise)) < 1.1
    assert roughness(list(noise.cumsum(1))) < 0.45
    assert roughness([[2.0] * 40]) == 1.0  # a flat list says nothing
    slow = [abs(a - b) for a in noise[0] for b in noise[0]]
    pairs = sum(slow) / 40 / 39
    assert np.isclose(roughness([noise[0]]), np.abs(np.diff(noise[0])).mean() / pairs)


def test_the_longest_of_several_channels_is_along_its_samples() -> None:
    assert longest_of([[1.0, 2.0], [1.0, 2.0, 3.0]]) == 3
    assert longest_of([[[1.0, 2.0, 3.0]] * 2, [[1.0, 2.0]] * 5]) == 5
