"""Benchmarks print what a reader can repeat, and leave the words around their tables alone."""

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bench import start
from bench.calibration import splits
from bench.economize import fusing
from bench.line import table
from bench.scoreboard import __main__ as scoreboard
from bench.scoreboard.seed import Seed
from bench.scoreboard.table import said_table, write_readme, write_table
from bench.train_speed import __main__ as train_speed
from bench.train_speed.__main__ import Timing

from modalloy.answer.promise import Known
from modalloy.answer.row_groups import RowGroup
from modalloy.job.config import Calibrate, Classify

REPO = Path(__file__).resolve().parent.parent
RESULTS = json.loads((REPO / "bench" / "results" / "scoreboard.json").read_text())


def test_pages_hold_the_figures_of_the_results(tmp_path: Path) -> None:
    for write, name in ((write_table, "docs/scoreboard.md"), (write_readme, "README.md")):
        page = tmp_path / Path(name).name
        shutil.copyfile(REPO / name, page)
        write(RESULTS, page)
        assert page.read_text() == (REPO / name).read_text(), f"{name}: run with --table"


def test_a_rerun_says_nothing_but_its_own_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("mine above\n<!-- figures -->\nold\n<!-- /figures -->\nmine below\n")
    write_table([RESULTS[0] | {"value": 0.5, "reached": False}], page)
    text = page.read_text()
    above, _, rest = text.partition("<!-- figures -->\n")
    table, _, below = rest.partition("<!-- /figures -->\n")
    assert (above, below) == ("mine above\n", "mine below\n")
    lines = table.strip().splitlines()
    assert [line[:7] for line in lines[:3]] == ["| set |", "|---|--", "| elpv "]
    assert "| 0.500 |" in lines[2]
    assert lines[3:5] == ["", "0 of 1 sets reach their goal: ."]
    page.write_text("no marks")
    with pytest.raises(ValueError, match="substring not found"):
        write_table(RESULTS, page)
    assert page.read_text() == "no marks"


def make_seed(seed: int) -> Seed:
    figure = {"value": 0.9 + seed / 100, "interval": [0.8, 1.0], "single": None}
    return Seed(
        {"label/accuracy": figure},
        rows=100 + seed,
        seconds=10.0 * (1 + seed),
        peak_gb=1.0 + seed,
        said_seconds=15.0,
        said_gb=2.0,
    )


def test_a_line_holds_the_mean_of_the_seeds_and_what_check_said() -> None:
    (goal,) = scoreboard.GOALS["esc10"]
    line = scoreboard.line("esc10", goal, [make_seed(k) for k in range(3)])
    assert (line["value"], line["values"]) == (0.91, [0.9, 0.91, 0.92])
    assert (line["seconds"], line["said_seconds"]) == (20.0, 15.0)
    assert (line["peak_gb"], line["said_gb"]) == (3.0, 2.0)
    assert line["rows_per_s"] == round(101 / 20, 1)


def test_estimates_stand_beside_what_was_measured() -> None:
    of = {"said_seconds": 100.0, "seconds": 250.0, "said_gb": 1.0, "peak_gb": 1.5}
    other = {"set": "b", "said_seconds": 100.0, "seconds": 50.0, "said_gb": 1.0, "peak_gb": 2.5}
    lines = said_table([{"set": "a", **of}, {"set": "a", **of, "seconds": 9.0}, other]).splitlines()
    assert "| a | 100 | 250 | 2.50 | 1.0 | 1.5 | 1.50 |" in lines
    assert "| b | 100 | 50 | 0.50 | 1.0 | 2.5 | 2.50 |" in lines
    assert lines[-1] == "Within a factor of two: 1 of 2 for seconds and 1 of 2 for memory."


def test_estimates_are_made_anew_without_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"set": "esc10", "value": 0.9, "seconds": 20.0, "said_seconds": 15.0, "said_gb": 2.0}
    results = tmp_path / "scoreboard.json"
    results.write_text(json.dumps([{"set": "elpv"}, old]))
    monkeypatch.setattr(scoreboard, "RESULTS", results)
    monkeypatch.setattr(scoreboard, "said_before", lambda name, data: (31.234, 1.005))
    assert scoreboard.said_anew("esc10", tmp_path) == [old | {"said_seconds": 31.2, "said_gb": 1.0}]


def test_the_command_of_a_figure_names_its_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoreboard, "run_apart", lambda name, seed, data, runs: make_seed(seed))
    for asked, seeds in ((None, 3), (2, 2)):
        (line,) = scoreboard.run_set("esc10", argparse.Namespace(seeds=asked, data=None, runs=None))
        assert line["command"] == f"python -m bench.scoreboard esc10 --seeds {seeds}"
    for line in RESULTS:
        wanted = f"python -m bench.scoreboard {line['set']} --seeds {line['seeds']}"
        assert line["command"] == wanted


def test_speed_is_said_without_the_probe_and_with_it() -> None:
    plain = Timing(100, 50.0)
    pairs = [(Timing(100, 10.0, 40.0), plain), (Timing(100, 20.0, 80.0), plain)] * 2
    pairs += [(Timing(100, 12.5, 12.5), plain)]
    line = train_speed.line("text", 2.5, pairs)
    assert line["ours_rows_per_s"] == 8.0  # of 10, 10, 8, 5, 5
    assert line["plain_rows_per_s"] == 2.0
    assert line["ratio"] == 4.0
    assert line["probe_s"] == 40.0  # of 12.5, 40, 40, 80, 80
    assert line["ratio_with_probe"] == 1.0  # rates 4, 2, 2, 1, 1
    assert line["command"] == "python -m bench.train_speed --rounds 5"


def test_the_probe_is_timed_apart_from_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([10.0, 17.0])
    monkeypatch.setattr(train_speed.time, "perf_counter", lambda: next(clock))
    timing = train_speed.measure(lambda table: iter([(0, 0.0), (12, 3.0)]), tmp_path)
    assert timing == Timing(rows=12, steps_s=4.0, probe_s=3.0)
    assert (timing.rate, timing.whole_rate) == (3.0, 12 / 7)


def test_the_start_is_timed_in_processes_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = iter([0.1, 0.2, 3.0, 0.5, 0.4, 5.0, 0.3, 0.3, 4.0])
    monkeypatch.setattr(start, "seconds_of", lambda command, folder: next(waits))
    monkeypatch.setattr(start, "RESULTS", tmp_path / "start.json")
    monkeypatch.setattr("sys.argv", ["start", "--rounds", "3", "--pictures", "2"])
    start.main()
    lines = json.loads((tmp_path / "start.json").read_text())
    assert [told["seconds"] for told in lines] == [0.3, 0.3, 4.0]
    assert lines == [json.loads(said) for said in capsys.readouterr().out.splitlines()]
    assert lines[0]["command"] == "python -m bench.start --rounds 3 --pictures 2"


def test_the_table_of_pictures_can_be_checked(tmp_path: Path) -> None:
    start.write_job(tmp_path, 6)
    assert start.seconds_of(["-m", "modalloy", "check", "job.yaml"], tmp_path) > 0
    (tmp_path / "0.jpg").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        start.seconds_of(["-m", "modalloy", "check", "job.yaml"], tmp_path)


def test_a_split_calibrates_one_half_and_judges_the_other() -> None:
    draw = np.random.default_rng(0)
    p = draw.dirichlet([0.3, 0.3], 600)
    chance = p[:, 0] ** 0.4 / (p**0.4).sum(1)  # less sure than it says
    truth = np.where(draw.random(600) < chance, "a", "b").tolist()
    job = SimpleNamespace(tasks={"y": Classify(target="y")}, calibrate=Calibrate())
    target = SimpleNamespace(names=("a", "b"))
    learned: Any = SimpleNamespace(
        model=SimpleNamespace(job=job), loader=SimpleNamespace(targets={"y": target})
    )
    known = Known({"probability": p}, truth, [RowGroup()] * 600)
    found = [splits.split_once(learned, "y", known, k, 5) for k in range(5)]
    lines = {x.metric: x for x in splits.lines_of_task("some, y", found, 3.0, "python -m some")}
    assert (lines["splits in the band"].value, lines["splits in the band"].reached) == (5, True)
    assert lines["coverage of 90 %"].value == pytest.approx(0.9, abs=0.03)
    for metric, share in (("calibration error", 0.5), ("error, 10% abstaining", 2 / 3)):
        line = lines[metric]
        before = float(line.anchor.partition(" before")[0])
        assert line.value is not None
        assert line.value < before
        assert line.reached == (line.value <= share * before)
    told = table(list(lines.values())).splitlines()
    assert told[3].startswith("| some, y | splits in the band | **5** |  |  | 5 of 5 | yes | 3 |")
    assert len({row.count("|") for row in told[1:-2]}) == 1


def test_both_searches_among_ways_to_fuse_train_equally_often() -> None:
    asked: list[tuple[int, ...]] = []

    def score(way: tuple[int, ...]) -> float:
        asked.append(way)
        return float(way[0] == 2) + 0.5 * float(way[1] == 1)

    bandit = fusing.search(score, [4, 3], 30, 0, bandit=True)
    evenly = fusing.search(score, [4, 3], 30, 0, bandit=False)
    assert len(asked) == 60
    assert bandit.best == 1.5
    assert bandit.mean > evenly.mean + 0.3
    job: Any = SimpleNamespace(
        columns={
            "photo": SimpleNamespace(type="image"),
            "load": SimpleNamespace(type="number"),
            "site": SimpleNamespace(type="category"),
        }
    )
    assert fusing.subsets(job) == [(), ("photo",), ("load", "site")]
