"""No training row is shown its own answer, from the table to the batch; other rows see all."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import answered_here, open_loader
from modalloy.readers.batch import TABLE
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.target_means import FOLDS, LearnedAnswers, fold_of
from modalloy.runs.start import alike
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job

ROWS, NAMES = 160, 25


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = rng.integers(0, NAMES, ROWS)
    return pd.DataFrame(
        {
            "site": [f"s{n}" for n in names],
            "machine": [f"m{n}" for n in rng.integers(0, 30, ROWS)],
            "load": rng.normal(size=ROWS),
            "hours": names + rng.normal(size=ROWS),
        }
    )


def job_of(data: pd.DataFrame, split: dict[str, str], **site: Any) -> config.Job:
    """A job over these rows, with options of the column `site`."""
    return load_job(
        {
            "split": split,
            "columns": {"site": {"type": "category", **site}, "load": {"type": "number"}},
            "tasks": {"life": {"type": "regress", "target": "hours"}},
        },
        table=data,
    )


def loader_of(
    data: pd.DataFrame, split: dict[str, str], parts: Parts | None = None, **site: Any
) -> tuple[Loader, Parts]:
    """The loader of a training on these rows, and the parts that they are split into."""
    job, table = job_of(data, split, **site), open_table(data)
    parts = parts or split_job(table, job)
    return open_loader(job, table, parts), parts


def means_of(loader: Loader) -> np.ndarray:
    reader = loader.readers["site"]
    assert isinstance(reader, CategoryReader)
    return reader.means


@pytest.mark.parametrize("split", [{"random": "stratified"}, {"by": "machine"}])
def test_a_training_row_does_not_see_its_own_answer(split: dict[str, str]) -> None:
    data = frame()
    loader, parts = loader_of(data, split)
    train = parts.train
    batch = loader.batch(train)
    fold_B, name_B = batch.values[TABLE]["fold"], batch.values[TABLE]["category"][:, 0]
    # Two answers of one fold change places: mean and spread of all answers stay as they were.
    a, b = next(
        (0, i) for i in range(1, len(train)) if fold_B[i] == fold_B[0] and name_B[i] != name_B[0]
    )
    other = data.copy()
    other.loc[train[[a, b]], "hours"] = data.loc[train[[b, a]], "hours"].to_numpy()
    before, after = means_of(loader), means_of(loader_of(other, split, parts)[0])
    assert np.allclose(before[fold_B[a]], after[fold_B[a]], atol=1e-4)
    assert not np.allclose(before[FOLDS, name_B[a]], after[FOLDS, name_B[a]], atol=1e-2)


def test_rows_that_the_split_keeps_together_are_in_one_fold() -> None:
    data = frame()
    loader, _ = loader_of(data, {"by": "machine"})
    fold_B = loader.batch(np.arange(ROWS)).values[TABLE]["fold"]
    assert (data.assign(fold=fold_B).groupby("machine").fold.nunique() == 1).all()
    assert len(set(fold_B.tolist())) == FOLDS
    apart, _ = loader_of(data, {"random": "stratified"})
    assert np.array_equal(
        apart.batch(np.arange(ROWS)).values[TABLE]["fold"], fold_of(np.arange(ROWS))
    )


def test_only_training_asks_for_folds_and_only_where_they_are_used() -> None:
    data = frame()
    loader, _ = loader_of(data, {"random": "stratified"})
    served = Loader(loader.table, loader.job, loader.readers, {})
    plain, _ = loader_of(data, {"random": "stratified"}, statistics="none")
    some = np.arange(3)
    assert "fold" in loader.batch(some).values[TABLE]
    assert "fold" not in served.batch(some).values[TABLE]
    assert "fold" not in plain.batch(some).values[TABLE]


def test_readers_of_an_earlier_run_show_the_answers_of_this_training() -> None:
    cells = Cells({"site": ["a", "a", "b", "b"], "load": [1.0, 2.0, 3.0, 4.0]})
    then, now = (
        LearnedAnswers(np.array(y)[:, None], fold_of(np.arange(4)))
        for y in ([0.0, 1.0, 2.0, 3.0], [3.0, 3.0, -3.0, -3.0])
    )
    plain = CategoryReader("site", ("a", "b"))
    site, load = plain.with_answers(cells, then), NumberReader("load", 0.0, 1.0, (0.0, 1.0))
    means, none = (
        job_of(frame(), {"random": "stratified"}, statistics=s) for s in ("means", "none")
    )
    found = answered_here(means, {"site": site, "load": load}, lambda columns: cells, now)
    assert found == {"site": plain.with_answers(cells, now), "load": load}
    assert found["site"] != site
    assert alike(found["site"], site)
    assert alike(load, load)
    assert not alike(CategoryReader("site", ("a",)), site)
    shown = {"site": plain.with_answers(cells, now)}  # pretraining has left it without answers
    assert answered_here(means, {"site": plain}, lambda columns: cells, now) == shown
    assert answered_here(none, {"site": plain}, lambda columns: cells, now) == {"site": plain}
    assert answered_here(means, {"site": site}, lambda columns: cells, None) == {"site": site}


def test_rows_that_belong_together_are_in_one_fold() -> None:
    data = frame()
    columns = {"site": {"type": "category"}, "machine": {"type": "group"}}
    tasks = {"life": {"type": "regress", "target": "hours"}}
    page = {"split": {"column": "part"}, "columns": columns, "tasks": tasks}
    data["part"] = np.where(np.arange(ROWS) % 4, "train", "test")
    job = load_job(page, table=data)
    table = open_table(data)
    loader = open_loader(job, table, split_job(table, job))
    fold_R = loader.folds(np.arange(ROWS))
    assert len(set(zip(data["machine"], fold_R, strict=True))) == data["machine"].nunique()
    assert len(set(fold_R)) == FOLDS
    other = Loader(open_table(data.drop(columns="machine")), job, loader.readers, loader.targets)
    assert "fold" in other.batch(np.arange(5)).values[TABLE]
