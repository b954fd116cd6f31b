"""Runs of a plan: fixed values, hidden ones, seeds; the same for the same seed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from modalloy.errors import TwinError
from modalloy.twin.asked import Asked
from modalloy.twin.tasks import drawn, tasks_of
from modalloy.twin.twin import Twin
from modalloy.twin.twin_file import load_twin
from modalloy.twin.variables import Hidden
from toy_twins import write_twin


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    return load_twin(write_twin(tmp_path_factory.mktemp("plate")))


def asked(**changes: Any) -> Asked:
    return Asked("sobol", 40, 0, "drawn", {})._replace(**changes)


def test_every_run_has_every_variable_and_a_seed_of_its_own(twin: Twin) -> None:
    tasks = tasks_of(twin, asked())
    assert [task.run for task in tasks] == list(range(40))
    assert all(set(t.values) == {*twin.variables, "wear"} for t in tasks)
    assert len({task.seed for task in tasks}) == 40
    assert all(t.values["area"] == t.values["width"] ** 2 for t in tasks)
    assert {type(tasks[0].values[n]) for n in ("width", "teeth", "material")} == {float, int, str}


@pytest.mark.parametrize("kind", ["sobol", "latin"])
def test_the_same_seed_is_the_same_plan_and_another_is_another(kind: str, twin: Twin) -> None:
    assert tasks_of(twin, asked(kind=kind)) == tasks_of(twin, asked(kind=kind))
    one, other = tasks_of(twin, asked(kind=kind)), tasks_of(twin, asked(kind=kind, seed=1))
    assert all(a.values != b.values and a.seed != b.seed for a, b in zip(one, other, strict=True))


def test_the_first_runs_of_a_longer_plan_are_those_of_a_shorter_one(twin: Twin) -> None:
    assert tasks_of(twin, asked(count=90))[:40] == tasks_of(twin, asked())


def test_what_is_set_is_the_same_in_every_run_and_links_follow(twin: Twin) -> None:
    tasks = tasks_of(twin, asked(fixed={"width": "20", "material": "brass", "wear": 0.5}))
    assert {t.values["width"] for t in tasks} == {20.0}
    assert {t.values["area"] for t in tasks} == {400.0}
    assert {t.values["material"] for t in tasks} == {"brass"}
    assert {t.values["wear"] for t in tasks} == {0.5}
    assert len({t.values["load"] for t in tasks}) == 40
    factorial = asked(kind="factorial", fixed={"width": 20, "material": "brass"})
    assert len(tasks_of(twin, factorial)) == 35  # 7 teeth, 5 levels of load


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ({"widht": 3}, "set: widht is no variable of this twin. Did you mean 'width'?"),
        ({"area": 3}, "set: area follows from other variables; set these."),
        ({"width": 41}, "set: width must lie from 10 to 40. Got 41."),
        ({"teeth": "3.5"}, "set: teeth must be a whole number from 3 to 9. Got 3.5."),
        ({"width": "wide"}, "set: width must be a number. Got 'wide'."),
        ({"material": "lead"}, "set: material must be one of steel, brass. Got 'lead'."),
        ({"wear": 2}, "set: wear must lie from 0 to 1. Got 2."),
    ],
)
def test_what_cannot_be_set_is_told(fixed: dict[str, Any], said: str, twin: Twin) -> None:
    with pytest.raises(TwinError) as caught:
        tasks_of(twin, asked(fixed=fixed))
    assert str(caught.value) == said


def test_all_fixed_leaves_hidden_parameters_alone_to_vary(twin: Twin) -> None:
    whole = {"width": 20, "load": 2, "teeth": 4, "material": "steel"}
    tasks = tasks_of(twin, asked(count=5, fixed=whole))
    assert len({t.values["wear"] for t in tasks}) == 5
    assert {t.values["area"] for t in tasks} == {400.0}
    with pytest.raises(TwinError, match="fixes every variable, so that all runs are the same"):
        tasks_of(twin, asked(fixed=whole, hidden="default"))


def test_given_designs_are_run_as_they_are(twin: Twin) -> None:
    one = {"width": 12.3, "load": 7.0, "teeth": 5, "material": "steel", "area": 1.0, "mass": 3.0}
    tasks = tasks_of(twin, asked(designs=[one, one | {"wear": 0.75}]))
    assert [t.values["width"] for t in tasks] == [12.3, 12.3]
    assert tasks[0].values["area"] == pytest.approx(151.29)
    assert tasks[1].values["wear"] == 0.75
    assert "mass" not in tasks[0].values
    with pytest.raises(TwinError, match="design 1: has no value of load"):
        tasks_of(twin, asked(designs=[one, {"width": 12.3}]))
    with pytest.raises(TwinError, match="design 0: width must lie from 10 to 40"):
        tasks_of(twin, asked(designs=[one | {"width": 9.0}]))
    with pytest.raises(TwinError, match="there are none"):
        tasks_of(twin, asked(designs=[]))


def test_hidden_parameters_stay_at_their_default_where_asked(twin: Twin) -> None:
    tasks = tasks_of(twin, asked(hidden="default"))
    assert {t.values["wear"] for t in tasks} == {0.25}


def test_draws_are_uniform_or_normal_within_their_bounds() -> None:
    hidden = {
        "even": Hidden(low=2.0, high=5.0),
        "near": Hidden(low=0.0, high=1.0, default=0.25, deviation=0.2),
    }
    rows = drawn(hidden, 4000, 1, "drawn")
    even_N = np.array([row["even"] for row in rows])
    near_N = np.array([row["near"] for row in rows])
    assert kstest(even_N, "uniform", args=(2.0, 3.0)).pvalue > 0.01
    law = truncnorm(-0.25 / 0.2, 0.75 / 0.2, loc=0.25, scale=0.2)
    assert kstest(near_N, law.cdf).pvalue > 0.01
    assert abs(np.corrcoef(even_N, near_N)[0, 1]) < 0.05
    assert drawn(hidden, 7, 1, "drawn") == rows[:7]
    assert drawn({}, 3, 1, "drawn") == [{}, {}, {}]


def test_a_narrow_law_far_from_a_bound_stays_inside() -> None:
    hidden = {"x": Hidden(low=0.0, high=1.0, default=1.0, deviation=1e-3)}
    x_N = np.array([row["x"] for row in drawn(hidden, 500, 0, "drawn")])
    assert ((x_N >= 0) & (x_N <= 1)).all()
    assert x_N.mean() == pytest.approx(1 - 1e-3 * np.sqrt(2 / np.pi), abs=2e-4)


def test_twin_without_hidden_parameters(tmp_path: Path) -> None:
    line = "  wear: {type: continuous, low: 0, high: 1, unit: mm, default: 0.25, deviation: 0.2}\n"
    plain = load_twin(write_twin(tmp_path, **{f"hidden:\n{line}": ""}))
    assert set(tasks_of(plain, asked(count=2))[0].values) == set(plain.variables)
