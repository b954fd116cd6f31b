"""The page of a run that was adapted shows what changed, and which column needed capacity."""

from pathlib import Path

import pytest

import modalloy as ma
from adapting import KIND, WAVES, job_of, trained, write_waves
from modalloy.adaptation.page import PAGE
from modalloy.runs.run import Run

COLUMNS = {"heat": {"type": "number", "bins": 4}} | WAVES


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained once for all tests here."""
    folder = tmp_path_factory.mktemp("page")
    return trained(folder / "run", job_of(write_waves(folder / "w.parquet"), COLUMNS, KIND))


def test_ranks_are_drawn_by_layer_and_told_by_column(run: Run, tmp_path: Path) -> None:
    new = write_waves(tmp_path / "new.parquet", rows=150, seed=1)
    made = ma.adapt(run, new, out=tmp_path / "new", budget_kb=30.0, quiet=True)
    page = (made.path / PAGE).read_text()
    told = made.notes["adapted"]["ranks"]
    assert set(told["owners"].values()) <= set(told["columns"])
    for name, own in told["columns"].items():
        cells = f"<td>{name}</td>" if f"<td>{name}</td>" in page else f'<td class="">{name}</td>'
        assert cells in page
        assert f"{own['numbers']:,g}" in page
    assert "share of what was asked" in page
    assert "Rank of each layer" in page
    figure = made.notes["adapted"]["compared"]["tasks"]["kind"]["accuracy"][1]
    assert f"{100 * figure:.1f} %" in page


def test_without_labels_the_page_says_what_was_done(run: Run, tmp_path: Path) -> None:
    new = write_waves(tmp_path / "new.parquet", rows=60, seed=1)
    made = ma.adapt(run, new, out=tmp_path / "new", without_labels=True, quiet=True)
    page = (made.path / PAGE).read_text()
    assert "No labelled row has said whether answers got better" in page
    assert "needed capacity" not in page
