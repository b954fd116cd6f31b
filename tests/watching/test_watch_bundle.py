"""A trained run keeps what others are compared with, and a bundle of it watches as the run does."""

from pathlib import Path

import pandas as pd
import pytest

import modalloy as ma
from conftest import write_table
from exported import buying, whole
from modalloy.observing.kept import PART, reference_of
from modalloy.observing.seen import TOGETHER


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows like those of training, but loads are written in newtons."""
    table = write_table(tmp_path_factory.mktemp("new"), rows=100, seed=5)
    frame = pd.read_parquet(table)
    frame.assign(load=frame["load"] * 1000).to_parquet(table, index=False)
    return table


def test_training_keeps_sums_that_are_small() -> None:
    run = whole().run
    assert len(run.part(PART)) < 1_000_000
    kept = reference_of(run)
    assert kept is not None
    assert set(kept.present) == {"photo", "note", "load", "site"}
    assert {f.of for f in kept.numbers if f.column == "photo"} >= {"brightness", "sharpness"}
    assert set(kept.said) == {"fault", "life"}
    assert TOGETHER not in kept.vectors or TOGETHER in kept.learned
    assert b"crack near the weld" not in run.part(PART)  # no cell


def test_a_bundle_watches_as_its_run(rows: Path, tmp_path: Path) -> None:
    bundle = whole().bundle("watched.zip")
    table = whole().table
    moved = table.rename(table.with_name("gone.parquet"))
    try:
        found = ma.watch(bundle, rows)
    finally:
        moved.rename(table)
    assert found.page == bundle.with_name("watched-watched.html")
    assert found.page.is_file()
    by_run = ma.watch(whole().run, rows, out=tmp_path / "page.html")
    assert found.tests == by_run.tests
    said = {d.where: d.said for d in found.drifts}
    assert "1000 times as large" in said["load"]
    assert said["load"] == {d.where: d.said for d in by_run.drifts}["load"]
    assert any("when it was trained" in note for note in found.notes)


def test_a_run_that_buys_is_watched_by_all_of_its_columns(rows: Path, tmp_path: Path) -> None:
    found = ma.watch(buying(), rows, out=tmp_path / "page.html")
    assert "load" in {d.where for d in found.drifts}
    assert {e.task for e in found.estimates} == {"fault", "life"}
