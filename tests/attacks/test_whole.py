"""Attacked rows written back as cells are read as what they were; the whole answer sees them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from attacked import Small, generator, small
from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.attacks.attack import some
from modalloy.attacks.budget import Budget, budgets_of, whole_columns
from modalloy.attacks.names import Names
from modalloy.attacks.pgd import PGD
from modalloy.attacks.suite import run_suite
from modalloy.attacks.transfer import WRITABLE, transfer
from modalloy.attacks.trial import Effort, Trial
from modalloy.attacks.whole import WholeAnswer
from modalloy.attacks.written import written_rows
from modalloy.cells.cells import Cells
from modalloy.errors import JobError
from modalloy.job.job_file import load_job
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE
from modalloy.readers.build import read_table
from modalloy.table.open_table import open_table
from untrained import untrained
from xor import write_xor, xor_job

COLUMNS = ("photo", "sound", "vibration", "note", "load", "site", "taken_at")


@pytest.fixture(scope="module")
def found() -> Small:
    return small(COLUMNS, rows=8)


def test_attacked_rows_are_read_as_they_were_written(found: Small) -> None:
    job, readers = found.model.job, found.model.readers
    budgets = [b for b in budgets_of(job, readers) if readers[b.column].kind in WRITABLE]
    batch = found.batch
    for attack in (Names(), PGD(1)):
        batch = attack(found.model, batch, budgets, draw=generator())
    cells = found.loader.cells(COLUMNS, batch.rows)
    rows = written_rows(batch, readers, cells)
    back = Cells({c: [row[c] for row in rows] for c in COLUMNS})
    for column, key in (("photo", "pixels"), ("sound", "wave"), ("vibration", "x")):
        read = readers[column].read(back)
        here = batch.present[column].numpy()
        assert (read.present == here).all()
        np.testing.assert_allclose(
            read.values[key][here], batch.values[column][key].numpy()[here], atol=1e-4
        )
    read = read_table(list(readers.values()), back)
    assert (read.present == batch.present[TABLE].numpy()).all()
    for kind in ("number", "category"):
        wanted = batch.values[TABLE][kind].numpy()
        np.testing.assert_allclose(read.values[kind], wanted, atol=1e-4)
    assert [row["note"] for row in rows] == list(cells["note"])


def test_a_series_of_earlier_rows_gets_a_sentence() -> None:
    history = {"by": ["machine"], "order": "taken_at", "rows": 4}
    loads = {"type": "series", "from": ["load"], "history": history, "length": 8}
    made = small((), more={"loads": loads}, rows=4)
    with pytest.raises(JobError, match="has no cell of its own"):
        written_rows(made.batch, made.model.readers, Cells({"load": [1.0] * 4}))


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Loader, Batch]:
    folder = tmp_path_factory.mktemp("xor")
    table = write_xor(folder, rows=120)
    run = untrained(folder / "run", table, job=load_job(xor_job(table)))
    predictor = Predictor(run)
    loader = Loader(open_table(table), run.job, run.readers, run.targets)
    return predictor, loader, Batch.of(loader.batch(np.arange(16)))


def test_the_whole_answer_costs_what_the_network_does_where_nothing_stands_beside_it(
    answer: tuple[Predictor, Loader, Batch],
) -> None:
    predictor, loader, batch = answer
    whole = WholeAnswer(predictor, loader)
    for task in ("same", "score"):
        trial = Trial(predictor.model, [batch], task, 0)
        torch.testing.assert_close(
            whole(trial.batches[0], task), trial.clean_N, atol=1e-4, rtol=1e-3
        )


def test_the_whole_answer_is_handed_what_breaks_the_network_and_searched(
    answer: tuple[Predictor, Loader, Batch],
) -> None:
    predictor, loader, batch = answer
    budgets = budgets_of(predictor.run.job, predictor.run.readers, {"left": "1 sd"})
    effort = Effort(2, 1, 1, 40, columns_alone=False, corruptions=False)
    own: Any = WholeAnswer(predictor, loader)
    asked: list[int] = []

    def counted(asked_of: Batch, task: str) -> torch.Tensor:
        asked.append(len(asked_of))
        return own(asked_of, task)

    trial = Trial(predictor.model, [batch], "score", 0)
    figures = transfer(trial, counted, budgets, effort)
    assert len(asked) == 1 + 1 + effort.queries // 10 + 1
    assert figures["clean"] == pytest.approx(trial.figure_of(trial.clean_N), rel=1e-3)
    assert figures["transferred"] > figures["clean"]
    assert figures["worst"] >= max(figures["Square"], figures["transferred"]) - 1e-6
    few = some(batch, torch.arange(4))
    suite = run_suite(
        predictor.model,
        [few],
        [Budget("left", 0.5, "sd")],
        effort=effort,
        tasks=["same"],
        whole=own,
    )
    assert suite.tasks["same"].whole.keys() == {"clean", "transferred", "Square", "worst"}
    assert "of the whole answer" in suite.tasks["same"].said[-1]


def test_whole_numbers_are_known_by_their_cells(tmp_path: Path) -> None:
    made = small(("load",))
    rows = np.arange(12)
    assert whole_columns(made.model.readers, made.loader.cells, rows) == []

    def cells_of(columns: Any, which: np.ndarray) -> Cells:
        return Cells({"load": ["3", 4.0, None, "5"]})

    assert whole_columns(made.model.readers, cells_of, rows) == ["load"]
