"""A pool gives one outcome a task, whatever a simulator does, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unruly
from modalloy.errors import TwinError
from modalloy.twin import dispatch
from modalloy.twin.pool import Pool
from modalloy.twin.runs import Expected, Outcome, RunLimits, Task, seed_of
from modalloy.twin.simulators.python_function import PythonFunction
from unruly import pids_in, soon_gone

LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc")
Y = {"y": Expected("number")}
ONCE = RunLimits(seconds=30, memory_mb=1000, runs_per_process=100, retries=0)


def pool(
    function: str = "simulate",
    limits: RunLimits = ONCE,
    *,
    expected: dict[str, Expected] | None = None,
    workers: int = 2,
    media: Path | None = None,
) -> Pool:
    """A pool for one of the unruly functions."""
    simulator = PythonFunction(f"unruly.py:{function}", str(unruly.HERE))
    wanted = expected or Y
    return Pool(simulator, wanted, limits, variables=["x"], workers=workers, media=media)


def tasks(do: Sequence[str]) -> list[Task]:
    """A task for each word."""
    return [Task(run, {"x": run, "do": word}, 7 + run) for run, word in enumerate(do)]


def by_run(outcomes: Iterator[Outcome]) -> dict[int, Outcome]:
    """Outcomes by their number, one for each."""
    found = list(outcomes)
    runs = {outcome.run: outcome for outcome in found}
    assert len(runs) == len(found)
    return dict(sorted(runs.items()))


def of_one(do: str, limits: RunLimits = ONCE) -> Outcome:
    """What came of one run, and that one after it is well."""
    with pool(limits=limits, workers=1) as running:
        found = by_run(running.run(tasks([do, ""])))
    assert (found[1].status, found[1].outputs) == ("ok", {"y": 2})
    return found[0]


@pytest.mark.parametrize("workers", [1, 3])
def test_each_task_has_its_outcome(workers: int) -> None:
    limits = ONCE._replace(runs_per_process=150)
    with pool(limits=limits, workers=workers) as running:
        found = by_run(running.run(tasks([""] * 500)))
        again = by_run(running.run(iter(tasks([""] * 20))))
        assert list(running.run([])) == []
    assert [o.outputs for o in found.values()] == [{"y": 2.0 * run} for run in range(500)]
    assert {(o.status, o.reason, o.attempts) for o in found.values()} == {("ok", "", 1)}
    assert [o.seed for o in found.values()] == list(range(7, 507))
    assert all(0 < o.seconds < 30 for o in found.values())
    assert list(again) == list(range(20))


WITH_NUMPY = """
import numpy as np

def simulate(values, *, seed, folder):
    return {"y": np.float32(values["x"] * np.random.random())}
"""


def test_numbers_of_numpy_are_taken_and_its_draws_are_sown(tmp_path: Path) -> None:
    (tmp_path / "drawing.py").write_text(WITH_NUMPY)
    simulator = PythonFunction("drawing.py:simulate", str(tmp_path))
    given = [Task(run, {"x": np.float64(1.5)}, seed) for run, seed in enumerate([3, 3, 4])]
    with Pool(simulator, Y, ONCE, variables=["x"], workers=1) as running:
        found = by_run(running.run(given))
    first, again, other = (found[run].outputs["y"] for run in range(3))
    assert first == again == np.float32(1.5 * np.random.RandomState(3).random_sample())
    assert other != first


FAILING = {
    "segfault": ("failed", r"It crashed \(SIGSEGV\) after saying: about to read"),
    "kill": ("failed", r"It was killed \(SIGKILL\), as systems do that run out of memory\."),
    "leave": ("failed", r"It ended itself with status 3\."),
    "exit": ("failed", r"SystemExit: enough \(unruly\.py, line \d+\)\."),
    "raise": ("failed", r"ValueError: not here \(unruly\.py, line \d+\)\."),
    "allocate": ("out of memory", r"MemoryError: no reason given \(unruly\.py, line \d+\)\."),
}


def test_a_run_that_fails_is_told_with_its_reason() -> None:
    with pool() as running:
        found = by_run(running.run(tasks([*FAILING, "", ""])))
    for run, (status, words) in enumerate(FAILING.values()):
        assert found[run].status == status
        assert re.fullmatch(words, found[run].reason)
        assert (found[run].outputs, found[run].seed, found[run].attempts) == ({}, 7 + run, 1)
    assert [found[run].status for run in (6, 7)] == ["ok"] * 2


@LINUX
def test_a_run_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    found = of_one(f"hang {tmp_path}/pids", ONCE._replace(seconds=2.0))
    assert (found.status, found.reason) == ("timed out", "It took longer than 2 s.")
    assert 2 <= found.seconds < 10
    assert soon_gone(pids_in(tmp_path / "pids"))


@LINUX
@pytest.mark.parametrize("do", ["fill 400", "fill elsewhere 400"])
def test_a_run_that_fills_memory_is_ended(do: str) -> None:
    found = of_one(do, ONCE._replace(memory_mb=200))
    assert (found.status, found.reason) == ("out of memory", "It needed more than 200 MB.")
    assert found.seconds < 25


@LINUX
def test_memory_below_the_limit_is_allowed() -> None:
    assert of_one("leak 100", ONCE._replace(memory_mb=300)).status == "ok"


@LINUX
def test_what_earlier_runs_leaked_harms_no_later_one() -> None:
    limits = ONCE._replace(memory_mb=250)
    with pool(limits=limits, workers=1) as running:
        found = by_run(running.run(tasks(["leak 100"] * 6)))
    assert {o.status for o in found.values()} == {"ok"}
    with pool(workers=1) as running:
        found = by_run(running.run(tasks(["leak 1", "suffer", "suffer", ""])))
    assert {o.status for o in found.values()} == {"ok"}
    assert {o.attempts for o in found.values()} == {1}


def test_a_run_that_prints_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MOST_SAID", 100_000)
    assert of_one("print 1000").status == "ok"
    found = of_one("print 200000")
    assert (found.status, found.reason) == ("failed", "It printed more than 0.1 MB.")


def test_hangs_among_many_quick_runs_are_told_apart() -> None:
    do = [""] * 120
    do[30], do[31], do[75], do[119] = "hang", "hang", "segfault", "hang"
    with pool(limits=ONCE._replace(seconds=1.5)) as running:
        found = by_run(running.run(tasks(do)))
    wrong = {run: o.status for run, o in found.items() if o.status != "ok"}
    assert wrong == {30: "timed out", 31: "timed out", 75: "failed", 119: "timed out"}
    assert len(found) == 120


def test_what_fails_is_tried_again_with_another_seed() -> None:
    limits = ONCE._replace(retries=2)
    with pool("at_first", limits) as running:
        (found,) = running.run([Task(3, {"x": 0}, 5)])
    assert (found.status, found.attempts, found.seed) == ("ok", 2, seed_of(5, 1))
    assert found.outputs == {"y": seed_of(5, 1)}
    with pool(limits=limits) as running:
        (found,) = running.run(tasks(["raise"]))
    assert (found.status, found.attempts, found.seed) == ("failed", 3, seed_of(7, 2))


def test_processes_are_recycled_and_have_a_thread_and_an_empty_folder() -> None:
    expected = dict.fromkeys(["process", "threads", "files", "drawn"], Expected("number"))
    with pool("around", ONCE._replace(runs_per_process=10), expected=expected) as running:
        found = by_run(running.run(tasks([""] * 45)))
    processes = [o.outputs["process"] for o in found.values()]
    assert max(processes.count(process) for process in processes) == 10
    assert {o.outputs["threads"] for o in found.values()} == {1}
    assert {o.outputs["files"] for o in found.values()} == {0}
    drawn = {o.seed: o.outputs["drawn"] for o in found.values()}
    assert len(set(drawn.values())) == 45
    with pool("around", expected=expected, workers=1) as running:
        again = by_run(running.run(reversed(tasks([""] * 45))))
    assert {o.seed: o.outputs["drawn"] for o in again.values()} == drawn


def test_files_of_a_run_have_a_folder_of_their_own(tmp_path: Path) -> None:
    media = tmp_path / "media"
    drawn: list[dict[str, Any]] = [
        {"holds": "a", "named": "drawing.png"},
        {"holds": "b", "named": "drawing.png"},
        {"holds": "", "named": "drawing.png"},
        {"holds": "c", "named": "drawing.png", "fails": True},
        {"holds": "nothing at all", "named": "drawing.png"},
    ]
    expected = {"drawing": Expected("image")}
    limits = ONCE._replace(retries=1)
    for _ in range(2):  # the second finds what the first has left
        with pool("draw", limits, expected=expected, media=media) as running:
            given = [Task(run, values, run) for run, values in enumerate(drawn)]
            found = by_run(running.run(given))
        assert [o.status for o in found.values()] == ["ok"] * 2 + ["nonsense", "failed", "nonsense"]
        assert [found[run].outputs["drawing"] for run in (0, 1)] == [
            "0/drawing.png",
            "1/drawing.png",
        ]
        assert (media / "0/drawing.png").read_text() == "a"
        assert (media / "1/drawing.png").read_text() == "b"
        assert sorted(p.name for p in media.iterdir()) == ["0", "1"]


@LINUX
def test_limits_are_kept_however_slowly_outcomes_are_taken(tmp_path: Path) -> None:
    do = ["", f"hang {tmp_path}/pids"]
    with pool(limits=ONCE._replace(seconds=1.0)) as running:
        outcomes = running.run(tasks(do))
        assert next(outcomes).status == "ok"
        assert soon_gone(pids_in(tmp_path / "pids"))  # nobody asks for outcomes meanwhile
        assert next(outcomes).status == "timed out"


@LINUX
def test_leaving_early_ends_what_runs_and_the_pool_goes_on(tmp_path: Path) -> None:
    with pool() as running:
        outcomes = running.run(tasks(["", f"hang {tmp_path}/pids", *[""] * 50]))
        assert next(outcomes).status == "ok"
        pids = pids_in(tmp_path / "pids")
        outcomes.close()
        assert soon_gone(pids)
        assert len(by_run(running.run(tasks([""] * 5)))) == 5


@LINUX
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_however_it_ends(tmp_path: Path, how: signal.Signals) -> None:
    program = (
        "from test_pool import pool, tasks\n"
        f"with pool() as running: list(running.run(tasks(['hang {tmp_path}/pids'])))"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    asker = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        pids = pids_in(tmp_path / "pids")
        asker.send_signal(how)
        asker.wait(30)
    finally:
        asker.kill()
        asker.wait()
    assert soon_gone(pids)
    if how is signal.SIGINT:
        assert not list(tmp_path.glob("modalloy-*"))


def test_what_was_made_for_a_pool_is_removed() -> None:
    with pool() as running:
        folder = running._folder
        assert folder is not None
        assert folder.is_dir()
    assert not folder.exists()


def test_a_simulator_that_never_opens_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "START_S", 1.0)
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(600)\n")
    begin = time.monotonic()
    simulator = PythonFunction("slow.py:simulate", str(tmp_path))
    running = Pool(simulator, Y, ONCE, variables=["x"])
    with pytest.raises(TwinError, match=r"could not be opened\. It took longer than 1 s"), running:
        pass
    assert time.monotonic() - begin < 20


def test_a_worker_that_cannot_start_later_is_told(tmp_path: Path) -> None:
    code = "import pathlib\nhere = pathlib.Path(__file__)\n"
    file = tmp_path / "vanishing.py"
    file.write_text(
        f"{code}here.unlink()\ndef simulate(values, *, seed, folder): return {{'y': 1}}"
    )
    simulator = PythonFunction("vanishing.py:simulate", str(tmp_path))
    limits = ONCE._replace(runs_per_process=5)
    with Pool(simulator, Y, limits, variables=["x"], workers=1) as running:
        found = running.run(tasks([""] * 6))
        assert [next(found).status for _ in range(5)] == ["ok"] * 5
        with pytest.raises(TwinError, match="simulator: no file"):
            next(found)
        with pytest.raises(TwinError, match="simulator: no file"):  # and again
            list(running.run(tasks([""])))
