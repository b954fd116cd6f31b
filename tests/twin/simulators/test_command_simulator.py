"""Any program is a simulator; what it prints besides its JSON is told, not guessed at."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from modalloy.errors import TwinError
from modalloy.twin.pool import Pool
from modalloy.twin.runs import Expected, Outcome, RunLimits, Task
from modalloy.twin.simulators.command import Command, check_command
from unruly import pids_in, soon_gone

LIMITS = RunLimits(seconds=60, memory_mb=1000, runs_per_process=100, retries=0)
BY_PIPES = """
import json, sys

asked = json.load(sys.stdin)
x = asked["values"]["x"]
print("solving", file=sys.stderr)
print(json.dumps({"y": 2 * x, "seed": asked["seed"]}))
"""
BY_FILES = """
import json, sys
from pathlib import Path

folder = Path(sys.argv[-1])
assert sys.argv[1] == "--fast"
asked = json.loads((folder / "input.json").read_text())
assert [p.name for p in folder.iterdir()] == ["input.json"]
(folder / "drawing.png").write_text(f"x is {asked['values']['x']}")
print("whatever it likes to say")
found = {"y": 2 * asked["values"]["x"], "seed": asked["seed"], "drawing": "drawing.png"}
(folder / "output.json").write_text(json.dumps(found))
"""
EXPECTED = {"y": Expected("number"), "seed": Expected("number")}


def outcomes(
    command: Command,
    values: list[dict[str, Any]],
    *,
    expected: dict[str, Expected] = EXPECTED,
    limits: RunLimits = LIMITS,
    media: Path | None = None,
) -> list[Outcome]:
    """What came of some runs, in their order."""
    tasks = [Task(run, given, 7 + run) for run, given in enumerate(values)]
    names = list(values[0])
    with Pool(command, expected, limits, variables=names, workers=1, media=media) as running:
        return sorted(running.run(tasks))


def script(folder: Path, code: str) -> Command:
    """A program of Python, run in its folder."""
    (folder / "sim.py").write_text(code)
    return Command((sys.executable, "sim.py"), "json", str(folder))


def test_values_go_in_and_outputs_come_out_by_pipes(tmp_path: Path) -> None:
    found = outcomes(script(tmp_path, BY_PIPES), [{"x": 1.5}, {"x": 0.1}])
    assert [o.status for o in found] == ["ok", "ok"]
    assert [o.outputs for o in found] == [{"y": 3.0, "seed": 7}, {"y": 0.2, "seed": 8}]


def test_values_go_in_and_outputs_come_out_by_files(tmp_path: Path) -> None:
    (tmp_path / "sim.py").write_text(BY_FILES)
    command = Command((sys.executable, "sim.py", "--fast"), "files", str(tmp_path))
    found = outcomes(command, [{"x": 1.5}, {"x": 0.5}])
    assert [(o.reason, o.outputs) for o in found] == [
        ("", {"y": 3.0, "seed": 7}),
        ("", {"y": 1.0, "seed": 8}),
    ]
    expected = EXPECTED | {"drawing": Expected("image")}
    media = tmp_path / "media"
    found = outcomes(command, [{"x": 1.5}, {"x": 0.5}], expected=expected, media=media)
    assert [o.outputs["drawing"] for o in found] == ["0/drawing.png", "1/drawing.png"]
    assert (media / "1/drawing.png").read_text() == "x is 0.5"
    assert sorted(p.name for p in media.glob("*/*")) == ["drawing.png"] * 2


DOES = """
import json, os, signal, sys

does = json.load(sys.stdin)["values"]["does"]
if does == "fail":
    print("no licence\\n", file=sys.stderr)
    sys.exit(3)
if does == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
sys.stdout.buffer.write(does.encode("latin-1"))
"""


@pytest.mark.parametrize(
    ("does", "status", "words"),
    [
        ('{"y": 1, "seed": 1}', "ok", ""),
        ("fail", "failed", "It ended itself with status 3 after saying: no licence"),
        ("crash", "failed", "It crashed (SIGSEGV)."),
        (
            'Loading model\n{"y": 1}',
            "nonsense",
            "It printed 'Loading model' first, where one JSON object was expected; what is meant "
            "for people goes to standard error.",
        ),
        ('{"y": 1, "seed": 2}\nbye', "nonsense", "It printed 'bye' after its JSON."),
        (
            '{"y": 1,',
            "nonsense",
            "It printed broken JSON (Expecting property name enclosed in double quotes: line 1 "
            "column 9 (char 8)).",
        ),
        ("", "nonsense", "It printed nothing, where its outputs by name were expected as JSON."),
        ("\xff\xfe", "nonsense", "It printed bytes that are no UTF-8 text: b'\\xff\\xfe'."),
        ("[1, 2]", "nonsense", "It returned [1, 2] (list) instead of its outputs by name."),
        ('{"y": NaN, "seed": 1}', "nonsense", "'y' is nan, not a finite number."),
        ('{"y": 1}', "nonsense", "It did not return 'seed'; it returned y."),
    ],
)
def test_what_a_program_does_is_told(tmp_path: Path, does: str, status: str, words: str) -> None:
    (found,) = outcomes(script(tmp_path, DOES), [{"does": does}])
    assert (found.status, found.reason) == (status, words)


def test_a_program_that_writes_no_file_is_told(tmp_path: Path) -> None:
    command = script(tmp_path, "print('{}')")._replace(exchange="files")
    (found,) = outcomes(command, [{"x": 1}])
    assert found.status == "nonsense"
    assert found.reason == "It wrote no output.json into the folder it was given."
    wrong = "import sys; open(sys.argv[-1] + '/output.json', 'w').write('y = 3')"
    (found,) = outcomes(script(tmp_path, wrong)._replace(exchange="files"), [{"x": 1}])
    assert found.reason.startswith("It wrote into output.json 'y = 3' first, where one JSON")


HANGS = """
import os, subprocess, sys

child = subprocess.Popen(["sleep", "600"])
open("pids.part", "w").write(f"{os.getpid()} {child.pid}")
os.rename("pids.part", "pids")
child.wait()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc")
def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    limits = LIMITS._replace(seconds=2.0)
    (found,) = outcomes(script(tmp_path, HANGS), [{"x": 1}], limits=limits)
    assert (found.status, found.reason) == ("timed out", "It took longer than 2 s.")
    assert soon_gone(pids_in(tmp_path / "pids"))


def test_what_is_missing_is_told_before_anything_runs(tmp_path: Path) -> None:
    here = str(tmp_path)
    (tmp_path / "sim.sh").write_text("#!/bin/sh\n")
    for run, folder, words in [
        (
            ("no-such-solver", "-q"),
            here,
            r"no program 'no-such-solver' on the search path \(PATH\)",
        ),
        (
            ("./sim.sh",),
            here,
            r"no program './sim\.sh' at .*; give its whole path, and see that it",
        ),
        ((sys.executable, "absent.py"), here, r"no file .*/absent\.py, which .* is to run"),
        ((sys.executable,), f"{here}/absent", r"no folder .*/absent to start"),
    ]:
        command = Command(run, "json", folder)
        with pytest.raises(TwinError, match=words):
            check_command(command)
        with pytest.raises(TwinError, match=words), Pool(command, {}, LIMITS, variables=[]):
            pass
    os.chmod(tmp_path / "sim.sh", 0o755)
    check_command(Command(("./sim.sh",), "json", here))
