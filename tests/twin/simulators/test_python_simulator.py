"""A Python function is a simulator where it can be imported and called as one."""

import sys
from pathlib import Path

import pytest

import unruly
from modalloy.errors import TwinError
from modalloy.twin.pool import Pool
from modalloy.twin.runs import Expected, RunLimits, Task
from modalloy.twin.simulators.python_function import PythonFunction, open_function

Y = {"y": Expected("number")}
LIMITS = RunLimits(seconds=30, retries=0)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("absent.py:simulate", r"simulator: no file .*absent\.py\."),
        ("absent_module:simulate", "absent_module cannot be imported: ModuleNotFoundError"),
        ("unruly.py:simulat", r"unruly\.py has no function 'simulat'; it has simulate, end, take"),
        ("unruly.py:HERE", r"unruly\.py:HERE cannot be called as HERE\(values, seed=..., folder"),
        ("unruly.py:not_for_this", r"cannot be called as not_for_this\(values, seed"),
        ("broken.py:simulate", r"broken\.py cannot be imported: KeyError: 'x' \(broken\.py, line"),
        ("leaving.py:simulate", r"it could not be opened. It ended itself with status 5 after s"),
    ],
)
def test_one_that_cannot_be_opened_is_told_before_anything_runs(
    tmp_path: Path, use: str, words: str
) -> None:
    (tmp_path / "broken.py").write_text("import os\n\n{}['x']\n")
    (tmp_path / "leaving.py").write_text("import os\nprint('bye')\nos._exit(5)\n")
    (tmp_path / "unruly.py").write_text(Path(unruly.__file__).read_text())
    simulator = PythonFunction(use, str(tmp_path))
    with pytest.raises(TwinError, match=words), Pool(simulator, Y, LIMITS, variables=["x"]):
        pass


def test_what_lies_beside_a_file_can_be_imported_whatever_the_file_is_called(
    tmp_path: Path,
) -> None:
    (tmp_path / "steel.py").write_text("DENSITY = 7.85\n")
    code = "import json\nfrom steel import DENSITY\n\ndef simulate(values, *, seed, folder):\n"
    code += "    return json.loads(json.dumps({'y': DENSITY * values['x']}))\n"
    (tmp_path / "queue.py").write_text(code)  # a name that the worker's own library has
    simulator = PythonFunction("queue.py:simulate", str(tmp_path))
    with Pool(simulator, Y, LIMITS, variables=["x"], workers=1) as running:
        (found,) = running.run([Task(0, {"x": 2.0}, 1)])
    assert found.outputs == {"y": 15.7}


def test_one_of_a_module_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_function(PythonFunction("unruly:simulate", "")) is unruly.simulate
    (tmp_path / "installed_somewhere.py").write_text(
        "class Press:\n    def __call__(self, values, seed, folder):\n"
        "        return {'y': seed}\n\npress = Press()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    simulator = PythonFunction("installed_somewhere:press", "")
    with Pool(simulator, Y, LIMITS, variables=[], workers=1) as running:
        (found,) = running.run([Task(0, {}, 12)])
    assert found.outputs == {"y": 12}
    assert "installed_somewhere" not in sys.modules


def test_what_is_no_function_of_the_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TwinError, match=r"json has no function 'simulate'; it has dump, dumps"):
        open_function(PythonFunction("json:simulate", str(tmp_path)))
