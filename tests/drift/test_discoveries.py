"""Benjamini and Hochberg's procedure by its own example and by its promise."""

import numpy as np

from modalloy.drift.discoveries import discoveries

EXAMPLE = [  # the fifteen chances of Benjamini & Hochberg 1995, section 3.2
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
    0.6528, 0.7590, 1.0,
]  # fmt: skip


def test_the_articles_example_has_four_discoveries() -> None:
    found = discoveries(EXAMPLE, 0.05)
    assert found.sum() == 4
    assert found[:4].all()
    order = np.random.default_rng(0).permutation(15)
    assert discoveries([EXAMPLE[i] for i in order], 0.05).tolist() == [i < 4 for i in order]


def test_without_drift_an_alarm_is_as_rare_as_promised(draw: np.random.Generator) -> None:
    alarms = [discoveries(draw.random(40), 0.05).any() for _ in range(2000)]
    assert np.mean(alarms) < 0.065
    assert not discoveries([], 0.05).any()
