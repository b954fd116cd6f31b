"""Numbers that were recorded row after row become a series that looks back; no others do."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from drafts import draft_of, valid
from modalloy.infer.recordings import Sorted, smoothness

MACHINES, STEPS = 8, 50


def recorded(draw: np.random.Generator, **changes: Any) -> dict[str, Any]:
    """Three sensors that walk at random on each of eight machines, rows in no order."""
    walk = draw.normal(size=(MACHINES, STEPS, 3)).cumsum(1).reshape(-1, 3)
    frame = {
        "machine_id": np.repeat([f"m{i}" for i in range(MACHINES)], STEPS),
        "step": np.tile(np.arange(STEPS), MACHINES),
        "heat": walk[:, 0],
        "flow": walk[:, 1],
        "noise": walk[:, 2],
        "batch_kg": np.repeat(draw.normal(size=MACHINES), STEPS),
        "y": draw.choice(["ok", "worn"], MACHINES * STEPS),
    } | changes
    order = draw.permutation(MACHINES * STEPS)
    return {name: np.asarray(cells)[order] for name, cells in frame.items()}


def test_each_row_sees_the_rows_before_it(draw: np.random.Generator) -> None:
    draft = draft_of(recorded(draw))
    found = draft.columns["readings"]
    assert found.options["from"] == ["heat", "flow", "noise"]
    assert found.options["history"] == {"by": ["machine_id"], "order": "step", "rows": 40}
    assert found.reason.startswith("3 numbers of which 3 move little from one 'step' of a")
    assert draft.columns["batch_kg"].type == "number"  # the same in all rows of a machine
    assert draft.columns["step"].type == "number"
    assert not {"heat", "flow", "noise"} & set(draft.columns)
    valid(draft)


def test_times_order_rows_too_and_a_name_may_come_again_in_test_rows(
    draw: np.random.Generator,
) -> None:
    when = pd.date_range("2024-03-01", periods=STEPS, freq="min").astype(str)
    part = np.tile(np.repeat(["train", "test"], [30, 20]), MACHINES)
    columns = recorded(draw, step=np.tile(when, MACHINES), split=part)
    found = draft_of(columns).columns["readings"]
    assert found.options["history"]["by"] == ["machine_id", "split"]
    seconds = draft_of(recorded(draw, step=np.tile(np.arange(STEPS) * 0.1, MACHINES)))
    assert seconds.columns["readings"].options["history"]["order"] == "step"
    by_machine = np.repeat(["train", "test"], [300, 100])
    found = draft_of(recorded(draw, split=by_machine)).columns["readings"]
    assert found.options["history"]["by"] == ["machine_id"]


@pytest.mark.parametrize("fault", ["drawn anew", "twice the same step", "uneven", "short", "gap"])
def test_rows_that_are_no_recording_stand_alone(draw: np.random.Generator, fault: str) -> None:
    rows = MACHINES * STEPS
    step = np.tile(np.arange(STEPS), MACHINES)
    changes: dict[str, Any] = {
        "drawn anew": {c: draw.normal(size=rows) for c in ("heat", "flow", "noise")},
        "twice the same step": {"step": step // 2},
        "uneven": {"step": np.sort(draw.choice(10_000, (MACHINES, STEPS)), 1).reshape(-1)},
        "short": {"machine_id": np.repeat([f"m{i}" for i in range(rows // 10)], 10)},
        "gap": {"step": np.where(draw.random(rows) < 0.1, np.nan, step)},
    }[fault]
    columns = draft_of(recorded(draw, **changes)).columns
    assert "readings" not in columns
    assert columns["heat"].type == "number"


def test_a_series_keeps_its_name_apart(draw: np.random.Generator) -> None:
    columns = recorded(draw, readings=draw.choice(["a", "b"], MACHINES * STEPS))
    assert draft_of(columns).columns["readings_before"].type == "series"


def test_smoothness_is_half_of_von_neumanns_ratio(draw: np.random.Generator) -> None:
    rows = Sorted(np.arange(2000), np.arange(2000) % 1000 > 0)
    assert smoothness(draw.normal(size=2000), rows) == pytest.approx(1.0, abs=0.1)
    line = np.tile(np.arange(1000.0), 2)
    assert smoothness(line, rows) == pytest.approx(6e-6, rel=0.01)  # 1 / (2 * 1000^2 / 12)
    assert smoothness(np.repeat([3.0, 5.0], 1000), rows) is None
    alternate = np.tile([1.0, -1.0], 1000)
    assert smoothness(alternate, rows) == pytest.approx(2.0)
    gaps = np.where(draw.random(2000) < 0.3, np.nan, line)
    assert smoothness(gaps, rows) == pytest.approx(6e-6, rel=0.05)
