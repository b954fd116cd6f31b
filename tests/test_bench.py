"""Benchmarks print what a reader can repeat, and leave the words around their tables alone."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from bench import train_speed
from bench.scoreboard import __main__ as scoreboard
from bench.scoreboard.table import write_readme, write_table
from bench.train_speed import Timing

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
    write_table([RESULTS[0] | {"value": 0.5}], page)
    text = page.read_text()
    above, _, rest = text.partition("<!-- figures -->\n")
    table, _, below = rest.partition("<!-- /figures -->\n")
    assert (above, below) == ("mine above\n", "mine below\n")
    lines = table.strip().splitlines()
    assert [line[:7] for line in lines[:3]] == ["| set |", "|---|--", "| elpv "]
    assert "| 0.500 |" in lines[2]
    assert lines[3:] == ["", "0 of 1 sets reach their goal: ."]
    page.write_text("no marks")
    with pytest.raises(ValueError, match="substring not found"):
        write_table(RESULTS, page)
    assert page.read_text() == "no marks"


def test_the_command_of_a_figure_names_its_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_seed(name: str, seed: int, args: Any) -> tuple[dict[str, dict], int]:
        return {"label/accuracy": {"value": 0.9, "interval": [0.8, 1.0], "single": None}}, 100

    monkeypatch.setattr(scoreboard, "run_seed", run_seed)
    for asked, seeds in ((None, 3), (2, 2)):
        (line,) = scoreboard.run_set("esc10", argparse.Namespace(seeds=asked))
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
