"""The records of a search put together: which design is best, which nearest, what each run is."""

import math
from pathlib import Path

import pytest

from modalloy.designing.page import runs_of, write_page
from modalloy.designing.records import Records
from modalloy.designing.summary import Bound, Point, Sought, Summary, summary_of
from modalloy.errors import DesignError, TwinError
from searches import Search


def point(run: int, *, kept: bool = True, **outputs: float) -> Point:
    return Point(run, "final", {"x": 0.5}, outputs, kept)


def summary(
    *points: Point, objectives: tuple[Sought, ...] = (), constraints: tuple[Bound, ...] = ()
) -> Summary:
    accepted = tuple(p for p in points if p.kept)
    end = {"runs": len(points)}
    told = (objectives, constraints, (), True, None, 0, points, points, accepted)
    return Summary({}, *told, end, {})


MASS, POWER = Sought("mass", True, "kg"), Sought("power", False, "W")
LIMIT = Bound("load", -math.inf, 10.0, "N", "load <= 10 N")


def test_with_one_objective_the_best_is_its_best() -> None:
    points = [point(1, mass=2.0), point(2, mass=1.0, kept=False), point(3, mass=1.5)]
    assert summary(*points, objectives=(MASS,)).best == points[2]
    points = [point(1, power=2.0), point(2, power=3.0)]
    assert summary(*points, objectives=(POWER,)).best == points[1]


def test_with_two_objectives_the_best_is_nearest_to_both() -> None:
    ends = [point(1, mass=1.0, power=0.0), point(2, mass=2.0, power=100.0)]
    middle = point(3, mass=1.2, power=80.0)
    assert summary(*ends, middle, objectives=(MASS, POWER)).best == middle


def test_without_an_objective_the_best_has_most_room() -> None:
    points = [point(1, load=9.0), point(2, load=4.0), point(3, load=6.0)]
    assert summary(*points, constraints=(LIMIT,)).best == points[1]


def test_the_nearest_is_short_of_least_each_bound_by_its_own_scale() -> None:
    window = Bound("depth", 0.9, 1.1, "mm", "0.9 mm <= depth <= 1.1 mm")
    first = point(1, load=12.0, depth=1.0, kept=False)  # a fifth of 10 N
    second = point(2, load=10.0, depth=1.13, kept=False)  # 0.03 of a window of 0.2: 0.15
    found = summary(first, second, constraints=(LIMIT, window))
    assert found.short_of(first) == pytest.approx(0.2)
    assert found.short_of(second) == pytest.approx(0.15)
    assert found.nearest() == second
    assert found.best is None


def test_a_bound_at_zero_is_scaled_by_what_proposals_told() -> None:
    zero = Bound("margin", 0.0, math.inf, None, "margin >= 0")
    found = summary(
        point(1, margin=-1.0, kept=False), point(2, margin=-5.0, kept=False), constraints=(zero,)
    )
    assert found.scale(zero) == pytest.approx(2.0)
    assert found.scale(LIMIT) == 10.0


def test_what_a_run_did_not_tell_is_near_nothing() -> None:
    silent = Point(1, "final", {}, {}, False, "failed")
    assert summary(silent, constraints=(LIMIT,)).nearest() is None
    assert math.isinf(LIMIT.outside(math.nan))


def test_every_run_is_counted_once_in_its_part(tmp_path: Path) -> None:
    search = Search(tmp_path, planned=30, batch=5, final=8).plan().round().accept()
    rows = runs_of(tmp_path)
    found = summary_of(search.records, rows, search.twin)
    assert [p.run for p in found.runs] == list(range(43))
    assert [p.part for p in found.runs] == ["planned"] * 30 + ["infill"] * 5 + ["final"] * 8
    assert [p.kept for p in found.runs] == [r["kept"] for r in search.seen]
    assert [p.outputs for p in found.runs] == [r["outputs"] for r in search.seen]
    assert len(found.proposed) == 8
    kept = sorted((r for r in search.seen if r["kept"]), key=search.cost)
    assert [p.run for p in found.accepted] == [r["run"] for r in kept]
    assert {p.part for p in found.accepted} == {"planned", "infill", "final"}
    assert all(("mass" in p.foretold) == (p.part != "planned") for p in found.accepted)
    assert all(set(p.values) == set(search.twin.variables) for p in found.runs)
    assert found.units == {
        "width": "mm", "height": "mm", "ribs": None, "tube": "mm", "material": None, "wall": "mm",
        "mass": "kg", "deflection": "mm", "f1": "Hz",
    }  # fmt: skip
    assert {p.reason for p in found.runs if not p.outputs} <= {"the mesh collapsed"}
    assert found.plan_kept == sum(r["kept"] for r in search.seen[:30])


def test_without_rows_the_best_of_the_plan_alone_is_known(tmp_path: Path) -> None:
    search = Search(tmp_path, rows=False).plan().accept()
    assert runs_of(tmp_path) is None
    found = summary_of(search.records)
    assert not found.whole_plan
    assert [p.run for p in found.planned] == [search.best(search.seen[:40])["run"]]
    assert found.best_planned == found.planned[0]


def test_an_empty_folder_is_no_search(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match="holds no record"):
        summary_of(Records(tmp_path))


def test_a_damaged_record_of_runs_is_refused(tmp_path: Path) -> None:
    search = Search(tmp_path).plan().accept()
    journal = tmp_path / "runs.jsonl"
    journal.write_text(journal.read_text().replace('"run": 3,', '"run" 3,'))
    with pytest.raises(TwinError, match="line 5: is damaged"):
        write_page(tmp_path, search.records, search.twin)
