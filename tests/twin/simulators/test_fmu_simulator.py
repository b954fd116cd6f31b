"""An FMU is a simulator: its runs are the closed form's, and what does not fit is told first."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import fmpy
import numpy as np
import pytest

import modalloy as ma
from modalloy.errors import TwinError
from modalloy.twin.pool import Pool
from modalloy.twin.runs import Expected, Outcome, RunLimits, Task
from modalloy.twin.simulators.fmu import At, Fmu, import_fmpy
from modalloy.twin.simulators.fmu_check import prepare_fmu
from oscillators import SETTABLE, build_fmu, position

LIMITS = RunLimits(seconds=60, memory_mb=1000, runs_per_process=100, retries=0)
POSITION = {"position": Expected("number")}
DESIGNS = [
    {"stiffness": 100.0, "damping": 1.0, "mass": 1.0, "start": 1.0},
    {"stiffness": 40.0, "damping": 0.5, "mass": 2.0, "start": -0.3},
    {"stiffness": 250.0, "damping": 8.0, "mass": 0.5, "start": 2.0},
]
TIME_S = np.linspace(0.0, 2.0, 401)


@pytest.fixture(scope="module")
def fmu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The oscillator."""
    return build_fmu(tmp_path_factory.mktemp("fmu"))


def outcomes(
    fmu: Path,
    designs: list[dict[str, Any]],
    *,
    at: At = "last",
    expected: dict[str, Expected] = POSITION,
) -> list[Outcome]:
    """What came of some designs after two seconds, in their order."""
    tasks = [Task(run, values, run) for run, values in enumerate(designs)]
    simulator = Fmu(str(fmu), 2.0, 0.005, at)
    with Pool(simulator, expected, LIMITS, variables=designs[0], workers=1) as running:
        return sorted(running.run(tasks))


@pytest.mark.parametrize("at", ["last", "mean", "min", "max"])
def test_its_response_is_the_closed_form(fmu: Path, at: At) -> None:
    found = outcomes(fmu, [*DESIGNS, *DESIGNS[::-1]], at=at)
    path_NT = np.array([position(TIME_S, **design) for design in DESIGNS])
    wanted = {
        "last": path_NT[:, -1],
        "mean": np.trapezoid(path_NT, TIME_S) / 2.0,
        "min": path_NT.min(1),
        "max": path_NT.max(1),
    }[at]
    assert {o.status for o in found} == {"ok"}
    got = [o.outputs["position"] for o in found]
    np.testing.assert_allclose(got, [*wanted, *wanted[::-1]], rtol=1e-7, atol=1e-9)


def test_time_and_steps_are_as_asked(fmu: Path) -> None:
    for stop_time_s, step_s in [(1.0, 0.05), (1.0, 0.2), (1.6, 0.2)]:
        simulator = Fmu(str(fmu), stop_time_s, step_s, "mean")
        with Pool(simulator, POSITION, LIMITS, variables=DESIGNS[0], workers=1) as running:
            (found,) = running.run([Task(0, DESIGNS[0], 0)])
        time_T = np.arange(0.0, stop_time_s + step_s / 2, step_s)
        mean = np.trapezoid(position(time_T, **DESIGNS[0]), time_T) / stop_time_s
        np.testing.assert_allclose(found.outputs["position"], mean, rtol=1e-3)


def test_some_variables_and_whole_numbers_may_be_set(fmu: Path) -> None:
    designs = [{"copies": 3, "damping": 2.0}, {"copies": 1, "damping": 2.0}]
    expected = {"total": Expected("number"), "velocity": Expected("number")}
    found = outcomes(fmu, designs, expected=expected)
    last = position(TIME_S, **SETTABLE | {"damping": 2.0})[-1]
    totals = [o.outputs["total"] for o in found]
    np.testing.assert_allclose(totals, [3 * last, last], rtol=1e-7)
    assert found[0].outputs["velocity"] == found[1].outputs["velocity"]


def test_a_run_that_fails_inside_harms_no_later_one(fmu: Path) -> None:
    mass = [1.0, -1.0, 1.0, 1e7, 1.0]
    found = outcomes(fmu, [{"mass": m} for m in mass])
    assert [o.status for o in found] == ["ok", "failed", "ok", "failed", "ok"]
    assert "fmi2DoStep failed with status 3 (error)" in found[1].reason
    assert found[3].reason.startswith("It crashed (SIGSEGV)")
    assert found[0].outputs == found[2].outputs == found[4].outputs


def test_values_that_do_not_fit_are_told(fmu: Path) -> None:
    found = outcomes(fmu, [{"copies": 2.5}, {"copies": "two"}, {"copies": 2.0}])
    assert [o.status for o in found] == ["failed", "failed", "ok"]
    assert "'copies' takes whole numbers in the FMU (Integer), and it was 2.5." in found[0].reason
    assert "'copies' takes numbers in the FMU (Integer), and it was 'two'." in found[1].reason


def refusal(
    simulator: Fmu,
    *,
    variables: tuple[str, ...] = ("mass",),
    expected: dict[str, Expected] = POSITION,
) -> str:
    """Why nothing runs."""
    with (
        pytest.raises(TwinError) as raised,
        Pool(simulator, expected, LIMITS, variables=variables),
    ):
        pass
    return str(raised.value)


def test_what_does_not_fit_is_told_before_anything_runs(fmu: Path, tmp_path: Path) -> None:
    right = Fmu(str(fmu), 2.0, 0.005, "last")
    assert refusal(right, variables=("stifness",)) == (
        f"simulator: {fmu} has no variable 'stifness'. Did you mean 'stiffness'?"
    )
    assert refusal(right, expected={"q": Expected("number")}).endswith(
        "no variable 'q'. It has stiffness, damping, mass, start, position, velocity and 2 more."
    )
    assert "'position' cannot be set, it is output" in refusal(right, variables=("position",))
    assert refusal(right, expected={"mass": Expected("text")}).endswith(
        "an FMU tells numbers; 'mass' is Real there and text in the twin."
    )
    assert refusal(right._replace(step_s=0.3)).endswith(
        "stop_time_s 2 is no whole number of steps of step_s 0.3."
    )
    (tmp_path / "none.fmu").write_text("no archive")
    assert "cannot be read as an FMU (File is not a zip file)" in refusal(
        right._replace(file=str(tmp_path / "none.fmu"))
    )
    with zipfile.ZipFile(tmp_path / "empty.fmu", "w") as packed:
        packed.writestr("readme.txt", "nothing")
    assert "cannot be read as an FMU" in refusal(right._replace(file=str(tmp_path / "empty.fmu")))
    assert refusal(right._replace(file="/absent.fmu")) == "simulator: no file /absent.fmu."


def test_other_platforms_and_kinds_are_told(tmp_path: Path) -> None:
    elsewhere = build_fmu(tmp_path, platform="linux32")
    assert refusal(Fmu(str(elsewhere), 2.0, 0.005, "last")) == (
        f"simulator: {elsewhere} was built for linux32, and this machine is {fmpy.platform}; "
        f"export it again for {fmpy.platform}."
    )
    exchange = build_fmu(tmp_path, kind="ModelExchange")
    assert "is of FMI 2.0 without co-simulation" in refusal(Fmu(str(exchange), 2.0, 0.005, "last"))


STATED = {"stiffness": "N/m", "mass": "kg", "start": "zoll", "position": "m", "velocity": "lx"}


@pytest.mark.parametrize(
    ("name", "own", "told"),
    [
        ("stiffness", "N/m", None),
        ("stiffness", "kg/s2", None),
        ("stiffness", "N/mm", "'stiffness' is in N/m there and in N/mm in the twin"),
        ("start", "in", None),
        ("start", "mm", "'start' is in zoll there and in mm in the twin"),
        ("damping", "Stk", None),
        ("position", "1", "'position' is in m there and in 1 in the twin"),
        ("velocity", "lx", None),
        ("velocity", "m/s", "'velocity' is in lx there and in m/s in the twin"),
    ],
)
def test_a_value_has_the_unit_that_the_fmu_states(
    name: str, own: str, told: str | None, tmp_path: Path
) -> None:
    simulator = Fmu(str(build_fmu(tmp_path, stated=STATED)), 2.0, 0.005, "last", {name: own})
    if told is None:
        assert prepare_fmu(simulator, SETTABLE, POSITION, tmp_path).units == {name: own}
    else:
        with pytest.raises(TwinError, match=told):
            prepare_fmu(simulator, SETTABLE, POSITION, tmp_path)


def test_units_of_a_twin_are_compared_before_anything_runs(tmp_path: Path) -> None:
    build_fmu(tmp_path, stated=STATED)
    twin = {
        "name": "oscillator",
        "variables": {"stiffness": {"type": "continuous", "low": 1, "high": 2, "unit": "N/mm"}},
        "outputs": {"position": {"type": "number", "unit": "m"}},
        "simulator": {"type": "fmu", "file": str(tmp_path / "oscillator.fmu"), "stop_time_s": 2},
    }
    with pytest.raises(TwinError, match="say it in N/m in the twin"):
        ma.simulate(twin, out=tmp_path / "rows.parquet", runs=2, workers=1, quiet=True)
    twin["variables"]["stiffness"]["unit"] = "N/m"
    found = ma.simulate(twin, out=tmp_path / "rows.parquet", runs=2, workers=1, quiet=True)
    assert found.counts["ok"] == 2


def test_it_is_unpacked_once_and_removed(
    fmu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    limits = LIMITS._replace(runs_per_process=3)
    tasks = [Task(run, DESIGNS[0], run) for run in range(8)]
    simulator = Fmu(str(fmu), 2.0, 0.005, "last")
    with Pool(simulator, POSITION, limits, variables=DESIGNS[0], workers=2) as running:
        assert {o.status for o in running.run(tasks)} == {"ok"}
        assert len(list(tmp_path.glob("*"))) == 1
        assert len(list(tmp_path.rglob("modelDescription.xml"))) == 1
    assert not list(tmp_path.glob("*"))


def test_without_its_library_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fmpy", None)
    with pytest.raises(TwinError, match=r"pip install 'modalloy\[twin\]'"):
        import_fmpy()
