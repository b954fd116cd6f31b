"""Charts of a search show what the runs told: marks, fronts, limits, the best so far, variables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.lines import Line2D

from modalloy.designing import foretold, parallel, plots
from modalloy.designing.page import runs_of
from modalloy.designing.summary import Summary, summary_of
from modalloy.report.lettering import drawn
from modalloy.twin.variables import Categorical, Continuous, Integer, Ordinal
from searches import CONSTRAINTS, Search


@pytest.fixture
def canvases(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Canvases in the order in which they are drawn."""
    seen: list[Any] = []
    for room in (plots, foretold, parallel):
        monkeypatch.setattr(room, "drawn", lambda canvas: seen.append(canvas) or drawn(canvas))
    return seen


@pytest.fixture
def searched(tmp_path: Path) -> Callable[..., Summary]:
    """Runs a search and puts it together."""

    def make(**given: Any) -> Summary:
        search = Search(tmp_path, **given).plan().round().accept()
        return summary_of(search.records, runs_of(tmp_path), search.twin)

    return make


def lines(canvas: Any) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in canvas.axes[0].lines}


def test_runs_of_each_kind_have_a_shape_and_a_colour(
    searched: Callable[..., Summary], canvases: list[Any]
) -> None:
    found = searched()
    plots.front(found)
    shown = lines(canvases[0])
    kinds = {name: line for name, line in shown.items() if ", " in name}
    told = [p for p in found.runs if p.outputs]
    for name, line in kinds.items():
        part, _, what = name.partition(", ")
        points = [p for p in told if (p.part == "planned") == (part == "planned")]
        points = [p for p in points if p.kept == (what == "keeps everything")]
        assert len(line.get_xdata()) == len(points) > 0, name
    assert len({line.get_marker() for line in kinds.values()}) == len(kinds) >= 3
    best = found.best
    assert shown["best"].get_xydata()[0] == pytest.approx(
        [best.outputs["deflection"], best.outputs["mass"]]
    )
    assert shown["limit 0.6 mm of deflection"].get_xdata()[0] == 0.6


def test_the_tightest_limit_is_the_one_that_is_drawn(searched: Callable[..., Summary]) -> None:
    loose = {**CONSTRAINTS[0], "high": 60.0}
    tight = {**CONSTRAINTS[1], "low": 330.0}
    assert plots.tightest(searched(constraints=(loose, tight))).output == "f1"


def test_what_lies_outside_the_frame_is_counted(
    searched: Callable[..., Summary], canvases: list[Any]
) -> None:
    found = searched(planned=80)
    (figure,) = plots.front(found)
    low, high = canvases[0].axes[0].get_xlim()
    bottom, top = canvases[0].axes[0].get_ylim()
    away = [
        p
        for p in found.planned
        if p.outputs
        and not (low <= p.number("deflection") <= high and bottom <= p.number("mass") <= top)
    ]
    assert figure.note == f"{len(away)} planned designs lie outside this frame."


def test_with_two_objectives_the_front_is_a_step_from_design_to_design(
    searched: Callable[..., Summary], canvases: list[Any]
) -> None:
    found = searched(objectives=("mass", "-f1"), constraints=CONSTRAINTS[:1])
    (figure,) = plots.front(found)
    assert figure.title == "f1 over mass"
    on = [p for p in found.accepted if p.run in found.end["front"]]
    edge = lines(canvases[0])["front"].get_xydata()
    assert len(edge) == len(on) > 1
    assert np.all(np.diff(edge, axis=0) > 0)  # more mass buys a higher frequency


def test_three_objectives_are_drawn_by_pairs(searched: Callable[..., Summary]) -> None:
    found = searched(objectives=("mass", "-f1", "deflection"), constraints=())
    titles = [figure.title for figure in plots.front(found)]
    assert titles == ["f1 over mass", "deflection over mass", "deflection over f1"]


def test_the_best_so_far_never_gets_worse(
    searched: Callable[..., Summary], canvases: list[Any]
) -> None:
    found = searched()
    plots.best_so_far(found)
    shown = lines(canvases[0])
    steps = shown["best so far"].get_ydata()
    assert np.all(np.diff(steps) <= 0)
    assert steps[-1] == min(p.outputs["mass"] for p in found.runs if p.kept)
    assert shown["end of the plan"].get_xdata()[0] == 39.5
    assert len(shown["told nothing"].get_xdata()) == sum(not p.outputs for p in found.runs)


def test_what_was_foretold_is_judged_by_its_interval(
    searched: Callable[..., Summary], canvases: list[Any]
) -> None:
    found = searched(constraints=(CONSTRAINTS[0], {**CONSTRAINTS[1], "low": 20.0}))
    figures = foretold.foretold(found)
    assert [f.title for f in figures] == ["mass", "deflection", "f1"]
    points = [p for p in found.tried if p.outputs]
    ends = [(p.foretold["mass"], p.outputs["mass"]) for p in points]
    inside = sum(low <= true <= high for (low, _, high), true in ends)
    assert figures[0].note == f"{inside} of {len(points)} verified values inside their interval."
    assert len(lines(canvases[0])["inside its interval"].get_xdata()) == inside
    assert len(lines(canvases[0])["outside"].get_xdata()) == len(points) - inside > 0
    assert "limit 0.6 mm of deflection" in lines(canvases[1])
    assert figures[2].note.endswith("Its limit lies outside this frame.")


@pytest.mark.parametrize(
    ("variable", "value", "at"),
    [
        (Continuous(low=1, high=100), 50.5, 0.5),
        (Continuous(low=1, high=100, log=True), 10.0, 0.5),
        (Integer(low=2, high=6), 3, 0.25),
        (Ordinal(levels=(10, 12, 16)), 12, 0.5),
        (Categorical(choices=("a", "b", "c")), "c", 1.0),
    ],
)
def test_where_a_value_stands_on_its_scale(variable: Any, value: Any, at: float) -> None:
    assert parallel.place(variable, value) == pytest.approx(at)


def test_a_line_for_each_design_and_a_scale_for_each_variable(
    searched: Callable[..., Summary], canvases: list[Any], tmp_path: Path
) -> None:
    found = searched()
    twin = Search(tmp_path / "other").twin
    parallel.parallel(found, twin)
    axes = canvases[0].axes[0]
    long = [line for line in axes.lines if len(line.get_ydata()) == 5]
    accepted = [p for p in found.accepted if p.part != "planned"]
    assert len(long) == len(found.planned) + len(accepted) + 1
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "width [mm]", "height [mm]", "ribs", "tube [mm]", "material",
    ]  # fmt: skip
    assert {"10", "60", "120", "12", "16", "20", "steel", "aluminium"} <= {
        t.get_text() for t in axes.texts
    }
