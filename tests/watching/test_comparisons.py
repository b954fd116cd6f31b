"""All tests of a window: drift is found at 500 rows, and alarms without any are rare."""

import numpy as np
import pytest

from modalloy.observing.reference import Reference, refer_to
from modalloy.observing.said import blank
from modalloy.observing.seen import Feature, Seen
from modalloy.watching.comparisons import LEVEL, Comparison, alarms_in, comparisons_of

NAMES = 6


def rows_of(rows: int, draw: np.random.Generator) -> Seen:
    """Rows of eight numbers, a category, and vectors, as nothing has drifted."""
    numbers = {Feature(f"x{i}"): draw.gamma(2.0, size=rows) for i in range(8)}
    numbers[Feature("x0")][draw.random(rows) < 0.1] = np.nan
    present = {"x0": np.isfinite(numbers[Feature("x0")])}
    said = blank("classes", rows, name_B=draw.integers(0, 2, rows), sure_B=draw.random(rows))
    names = {"site": draw.integers(1, NAMES, rows)}
    return Seen(rows, present, numbers, names, {"photo": draw.normal(size=(rows, 16))}, {"t": said})


def known(draw: np.random.Generator) -> Reference:
    train, held = rows_of(800, draw), rows_of(300, draw)
    given = {"sizes": {"site": NAMES}, "frozen": frozenset({"photo"}), "draw": draw}
    return refer_to(train, held, held.said, **given)


def drifted(what: str, draw: np.random.Generator) -> Seen:
    seen = rows_of(500, draw)
    match what:
        case "shift":
            seen.numbers[Feature("x3")] += 0.6
        case "scale":
            seen.numbers[Feature("x3")] *= 1.4
        case "missing":
            seen.present["x0"][:100] = False
        case "name":
            seen.names["site"][:100] = 0
        case "shares":
            seen.names["site"][:100] = 1
        case "vectors":
            seen.vectors["photo"][:, 2] += 0.6
        case "doubt":
            seen.said["t"].sure_B[:] *= 0.8
    return seen


PLACE = {"missing": "x0", "name": "site", "shares": "site", "vectors": "photo", "doubt": "t"}


@pytest.mark.parametrize(
    "what", ["shift", "scale", "missing", "name", "shares", "vectors", "doubt"]
)
def test_drift_is_found_where_it_is(what: str, draw: np.random.Generator) -> None:
    alarms = alarms_in(comparisons_of(known(draw), drifted(what, draw), coverage={}, seed=0))
    assert alarms, what
    assert alarms[0].where == PLACE.get(what, "x3")
    assert alarms[0].score_B.shape == (500,)


def test_without_drift_alarms_are_rare(draw: np.random.Generator) -> None:
    wrong = []
    for seed in range(60):
        reference = known(draw)
        wrong.append(
            bool(alarms_in(comparisons_of(reference, rows_of(200, draw), coverage={}, seed=seed)))
        )
    assert np.mean(wrong) <= 0.1  # two deviations above what is promised


def test_broken_promises_are_found(draw: np.random.Generator) -> None:
    seen = rows_of(500, draw)
    held = (draw.random(500) < 0.8).astype(np.float64)
    seen.said["t"] = seen.said["t"]._replace(held_B=held)
    found = comparisons_of(known(draw), seen, coverage={"t": 0.9}, seed=0)
    assert [t.kind for t in alarms_in(found)] == ["covered"]


def test_the_surest_comes_first() -> None:
    blank_B = np.zeros(3)
    made = [Comparison("a", "", "number", 0.2, p, blank_B) for p in (0.9, 1e-9, 1e-4)]
    assert [t.chance for t in alarms_in(made)] == [1e-9, 1e-4]
    assert 0.0 < LEVEL < 0.05
