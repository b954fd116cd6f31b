"""Without labels sensors are read as training read its own, and a canary undoes what harms."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from adapting import KIND, WAVES, job_of, trained, write_waves
from modalloy.judge.compared import Compared
from modalloy.runs.run import Run

COLUMNS = {"heat": {"type": "number", "bins": 4}} | WAVES


class Made(NamedTuple):
    """A run, and new rows as its sensors once were."""

    run: Run
    rows: pd.DataFrame
    canary: pd.DataFrame


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Trained once for all tests here."""
    folder = tmp_path_factory.mktemp("unlabelled")
    table = write_waves(folder / "waves.parquet")
    run = trained(folder / "run", job_of(table, COLUMNS, KIND, unlike={}))
    rows, canary = (
        pd.read_parquet(write_waves(folder / f"{seed}.parquet", rows=n, seed=seed))
        for seed, n in ((1, 120), (2, 40))
    )
    return Made(run, rows, canary)


def accuracy(run: Run, rows: pd.DataFrame) -> float:
    """Share of rows that are answered right."""
    said = ma.predict(run, rows, quiet=True)["kind"].to_numpy()
    return float((said == rows["kind"].to_numpy()).mean())


def drifted(rows: pd.DataFrame) -> pd.DataFrame:
    """Other gains and offsets of all sensors."""
    return rows.assign(
        up=[2.0 * x + 3.0 for x in rows["up"]],
        side=[0.5 * x - 2.0 for x in rows["side"]],
        heat=1.3 * rows["heat"] + 10.0,
    )


def told(run: Run) -> str:
    """All that is said of it."""
    return Compared.from_dict(run.notes["adapted"]["compared"]).text()


def test_gain_and_offset_are_undone(made: Made, tmp_path: Path) -> None:
    rows = drifted(made.rows)
    new = ma.adapt(made.run, rows.drop(columns="kind"), out=tmp_path / "new", without_labels=True)
    clean, lost, back = (
        accuracy(made.run, made.rows),
        accuracy(made.run, rows),
        accuracy(new, rows),
    )
    assert clean - lost > 0.2
    assert back - lost >= 0.6 * (clean - lost)
    assert "waves[up] was standardised anew: 2" in told(new)
    assert new.parent == made.run.as_parent("adapt")
    assert new.sealed["model.safetensors"] == made.run.sealed["model.safetensors"]
    before, after = (r.readers["waves"] for r in (made.run, new))
    fresh = type(before).fit("waves", made.run.job.columns["waves"], cells_of(rows, before))
    np.testing.assert_allclose(after.center, fresh.center)
    np.testing.assert_allclose(after.scale, fresh.scale)


def cells_of(rows: pd.DataFrame, reader):
    """Cells as a reader takes them."""
    from modalloy.table.open_table import open_table

    return open_table(rows).take(reader.columns, np.arange(len(rows)))


def test_nothing_changes_where_nothing_drifted(made: Made, tmp_path: Path) -> None:
    new = ma.adapt(made.run, made.rows, out=tmp_path / "new", without_labels=True)
    assert new.readers == made.run.readers
    assert accuracy(new, made.rows) == accuracy(made.run, made.rows)
    assert "no labelled row has said" in told(new)


def test_a_dead_channel_and_a_dead_number_are_hidden(made: Made, tmp_path: Path) -> None:
    rows = made.rows.assign(up=[0.0 * x - 8.0 for x in made.rows["up"]], heat=-5.0)
    new = ma.adapt(made.run, rows, out=tmp_path / "new", without_labels=True)
    assert new.readers["waves"].hidden == (0,)
    assert ma.load_run(new.path).hidden == {"heat"}
    clean, lost, back = (
        accuracy(made.run, made.rows),
        accuracy(made.run, rows),
        accuracy(new, rows),
    )
    assert clean - lost > 0.2
    assert back - lost >= 0.6 * (clean - lost)
    answers = ma.predict(new, rows, quiet=True)
    assert any("heat" in c and "is not read" in c for c in answers.attrs["caveats"])
    assert "waves[up] has one value in all rows" in told(new)


def test_noise_hides_the_channel_alone(made: Made, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = made.rows.assign(up=[x + draw.normal(0, 8, len(x)) for x in made.rows["up"]])
    new = ma.adapt(made.run, rows, out=tmp_path / "new", without_labels=True)
    assert new.readers["waves"].hidden == (0,)
    assert not new.hidden
    assert accuracy(new, rows) > accuracy(made.run, rows)


def test_a_canary_undoes_what_harms(made: Made, tmp_path: Path) -> None:
    rows = drifted(made.rows)
    new = ma.adapt(
        made.run, rows, out=tmp_path / "a", without_labels=True, tent=True, canary=made.canary
    )
    assert new.readers == made.run.readers
    assert accuracy(new, made.canary) == accuracy(made.run, made.canary)
    said = told(new)
    assert "standardising anew: undone, since 40 rows of the canary set are answered worse" in said
    good = ma.adapt(
        made.run, rows, out=tmp_path / "b", without_labels=True, tent=True,
        canary=drifted(made.canary),
    )  # fmt: skip
    pair = Compared.from_dict(good.notes["adapted"]["compared"]).tasks["kind"]["accuracy"]
    assert pair.after == accuracy(good, drifted(made.canary))
    assert pair.before == accuracy(made.run, drifted(made.canary))
    assert pair.after is not None
    assert pair.before is not None
    assert pair.after > pair.before
    assert "Tent took the entropy" in told(good)
    assert good.sealed["model.safetensors"] != made.run.sealed["model.safetensors"]


def test_bad_input_gets_a_sentence(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "new"
    canary = made.canary.drop(columns="kind")
    with pytest.raises(ma.TableError, match="no row of this canary set has a label in 'kind'"):
        ma.adapt(made.run, made.rows, out=out, without_labels=True, canary=canary)
    with pytest.raises(ma.TableError, match=r"8 rows say too little .* at least 20"):
        ma.adapt(made.run, made.rows.head(8), out=out, without_labels=True)
    assert not out.exists()
