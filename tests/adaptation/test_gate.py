"""What is beyond all that training saw in most rows is hidden, as little of it as will do."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modalloy.adaptation.gate import beyond, gate

NAMES = ("photo", "waves", "waves[a]", "waves[b]")
CHANNELS = {"waves": ["waves[a]", "waves[b]"]}


def likeness(*shares: float) -> Any:
    """Of ten rows, in which so large a share of each name is beyond the limit."""
    rarity = np.array([[2.0 if row < 10 * s else 0.5 for s in shares] for row in range(10)])
    whole = np.concatenate([rarity, np.ones((10, 1))], axis=1)
    return SimpleNamespace(columns=dict.fromkeys(NAMES), limit=1.0, scores=lambda view: whole)


@pytest.mark.parametrize(
    ("shares", "dead", "columns", "channels"),
    [
        ((0.0, 0.0, 0.0, 0.0), [], [], []),
        ((0.5, 0.0, 0.0, 0.0), [], [], []),
        ((0.6, 0.0, 0.0, 0.0), [], ["photo"], []),
        ((0.0, 0.0, 0.9, 0.0), [], [], ["waves[a]"]),
        ((0.0, 0.0, 0.9, 0.0), ["waves[b]"], ["waves"], []),
        ((0.9, 0.9, 0.0, 0.0), [], [], []),  # at least one column stays
        ((0.0, 0.0, 0.0, 0.0), ["waves[b]"], [], ["waves[b]"]),
    ],
)
def test_what_went_wrong_is_hidden(
    shares: tuple[float, ...], dead: list[str], columns: list[str], channels: list[str]
) -> None:
    view: Any = None
    found = gate(likeness(*shares), view, dead, ["photo", "waves"], CHANNELS)
    assert found.columns == columns
    assert found.channels == channels
    assert all(f"{n} " in found.said[n] for n in (*columns, *channels))


def test_without_a_likeness_only_the_dead_are_known() -> None:
    view: Any = None
    assert beyond(None, view) == {}
    assert gate(None, view, ["waves[a]"], ["photo", "waves"], CHANNELS).channels == ["waves[a]"]
