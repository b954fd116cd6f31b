"""Classical models from cells to answers: kept without pickle, a row alone as in a batch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from safetensors.numpy import load, save

from modalloy.cells.cells import Cells
from modalloy.classical.fit import BOOSTED, FROZEN, fit_methods
from modalloy.classical.method import FittedMethod, answer_all, method_from_state
from modalloy.classical.rows import MOST_ROWS
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.readers.build import fit_readers, fit_targets
from modalloy.table.open_table import open_table

ROWS = 120
TRAIN = np.arange(80)


def column_values() -> dict[str, list[Any]]:
    """A number, a category, a vector and a text that each say part of the answer."""
    rng = np.random.default_rng(0)
    load = rng.normal(0, 1, ROWS)
    site = rng.choice(["north", "south"], ROWS)
    bad = (load + (site == "north")) > 0.5
    note = ["crack seen" if b and rng.random() < 0.8 else "nothing to see" for b in bad]
    columns: dict[str, list[Any]] = {
        "load": load.tolist(),
        "site": site.tolist(),
        "note": note,
        "spectrum": rng.normal(bad[:, None], 1, (ROWS, 4)).tolist(),
        "fault": ["bad" if b else "ok" for b in bad],
        "kinds": [
            ["bad"] * b + ["late"] * (v > 0)
            for b, v in zip(bad.tolist(), load.tolist(), strict=True)
        ],
        "life": (10 * load + 5 * bad).tolist(),
        "cost": np.exp(load + bad).tolist(),
    }
    for name in ("load", "site", "note", "spectrum", "life"):
        for row in rng.choice(ROWS, 8, replace=False):
            columns[name][row] = None
    return columns


TASKS: dict[str, Any] = {
    "fault": {"type": "classify", "target": "fault"},
    "kinds": {"type": "classify", "target": "kinds", "labels": "multi"},
    "life": {"type": "regress", "target": "life", "quantiles": [0.1, 0.9], "loss": "absolute"},
    "cost": {"type": "regress", "target": "cost", "scale": "log"},
}
COLUMNS = column_values()


def cells_of(names: Sequence[str], rows: np.ndarray) -> Cells:
    """Some of the table."""
    return Cells({n: [COLUMNS[n][i] for i in rows] for n in names})


class Embeddings(NamedTuple):
    """Frozen features of the spectrum, of every other training row."""

    train: np.ndarray = TRAIN[::2]
    test: np.ndarray = TRAIN[:0]
    inputs: tuple[str, ...] = ("spectrum",)

    def of(self, rows: np.ndarray, /) -> np.ndarray:
        """Signs of the answer, NaN where there is no spectrum."""
        sign = np.array([1.0 if COLUMNS["fault"][i] == "bad" else -1.0 for i in rows])
        z = sign[:, None] + np.array([np.random.default_rng(i).normal(0, 1, 70) for i in rows])
        z[[COLUMNS["spectrum"][i] is None for i in rows]] = np.nan
        return z


@pytest.fixture(scope="module")
def job() -> config.Job:
    kinds = {"load": "number", "site": "category", "note": "text", "spectrum": "vector"}
    columns = {name: {"type": kind} for name, kind in kinds.items()}
    columns["note"] |= {"max_tokens": "8", "vocabulary": "64"}
    given = {"table": "t.csv", "split": {"time": "load"}, "columns": columns, "tasks": TASKS}
    return config.Job.model_validate(given)


@pytest.fixture(scope="module")
def readers(job: config.Job) -> Any:
    return fit_readers(job, lambda names: cells_of(names, TRAIN))


@pytest.fixture(scope="module")
def methods(job: config.Job, readers: Any) -> dict[str, list[FittedMethod]]:
    targets = fit_targets(job, lambda names: cells_of(names, TRAIN))
    shared: dict[str, Any] = {"together": None, "seed": 0, "frozen": Embeddings()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modalloy.classical.boosting.ROUNDS", (4, 12))
        patch.setattr("modalloy.classical.linear.STRENGTHS", (1.0, 25.0))
        return {
            task: fit_methods(options, targets[task], readers, cells_of, TRAIN, **shared)
            for task, options in job.tasks.items()
        }


INPUTS = ("load", "site", "note", "spectrum")
ASKED = np.arange(80, ROWS)


def test_every_task_has_four_methods_with_the_form_of_its_answers(
    methods: dict[str, list[FittedMethod]],
) -> None:
    for task, found in methods.items():
        linear = "ridge regression" if task in ("life", "cost") else "logistic regression"
        names = [BOOSTED, f"{linear} on words", FROZEN, f"{linear} on frozen features"]
        assert [m.name for m in found] == names
        assert [m.frozen for m in found] == [(), (), ("spectrum",), ("spectrum",)]
        assert found[0].inputs == frozenset(INPUTS)
        assert found[2].inputs == frozenset(INPUTS) - {"spectrum"}
        answers = answer_all(found, cells_of(INPUTS, ASKED), Embeddings().of(ASKED))
        for method, answer in zip(found, answers, strict=True):
            z = Embeddings().of(ASKED) if method.frozen else None
            alone = method.answer(cells_of(sorted(method.inputs), ASKED), z)
            assert {k: v.tolist() for k, v in alone.items()} == {
                k: v.tolist() for k, v in answer.items()
            }
            assert agreement(task, answer) > 0.6, (task, method.name)


def agreement(task: str, answer: dict[str, np.ndarray]) -> float:
    """Correlation of answered and true numbers, or the share of right labels."""
    truth = [COLUMNS[task][i] for i in ASKED]
    if task not in ("life", "cost"):
        names = ("bad", "late") if task == "kinds" else ("bad", "ok")
        labels = np.array([[n in ([t] if isinstance(t, str) else t) for n in names] for t in truth])
        return float(((answer["probability"] >= 0.5) == labels).mean())
    known = [i for i, t in enumerate(truth) if t is not None]
    wanted = np.array([truth[i] for i in known], dtype=float)
    wanted = np.log1p(wanted) if task == "cost" else wanted
    assert abs(answer["value"].mean() - wanted.mean()) < wanted.std()  # on the same scale
    return float(np.corrcoef(answer["value"][known], wanted)[0, 1])


def test_kept_without_pickle_and_a_row_alone_as_in_a_batch(
    methods: dict[str, list[FittedMethod]], readers: Any
) -> None:
    cells, z = cells_of(INPUTS, ASKED), Embeddings().of(ASKED)
    for found in methods.values():
        for method, answer in zip(found, answer_all(found, cells, z), strict=True):
            meta, arrays = method.state()
            kept = load(save({k: np.ascontiguousarray(a) for k, a in arrays.items()}))
            again = method_from_state(json.loads(json.dumps(meta)), kept, readers)
            for rows in (ASKED, ASKED[:1], ASKED[7:8]):
                one = again.answer(cells_of(INPUTS, rows), Embeddings().of(rows))
                for key, values in one.items():
                    assert np.array_equal(values, answer[key][rows - 80]), (method.name, key)


def test_missing_cells_are_answered(methods: dict[str, list[FittedMethod]]) -> None:
    nothing = Cells({name: [None, None] for name in INPUTS})
    for found in methods.values():
        for answer in answer_all(found, nothing, np.full((2, 70), np.nan)):
            assert all(np.isfinite(v).all() and len(v) == 2 for v in answer.values())


def test_all_inputs_may_be_embedded(
    job: config.Job, readers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modalloy.classical.boosting.ROUNDS", (4, 20))
    targets = fit_targets(job, lambda names: cells_of(names, TRAIN))
    given = (job.tasks["fault"], targets["fault"], {"spectrum": readers["spectrum"]}, cells_of)
    found = fit_methods(*given, TRAIN, together=None, seed=0, frozen=Embeddings())
    for method in found[2:]:
        assert method.inputs == frozenset()
        assert agreement("fault", method.answer(Cells({}), Embeddings().of(ASKED))) > 0.8


def test_nothing_to_learn_has_no_method(job: config.Job, readers: Any) -> None:
    targets = fit_targets(job, lambda names: cells_of(names, TRAIN))
    same = np.array([i for i in TRAIN if COLUMNS["fault"][i] == "ok"])
    given = (job.tasks["fault"], targets["fault"])
    assert fit_methods(*given, readers, cells_of, same, together=None, seed=0) == []
    assert fit_methods(*given, {}, cells_of, TRAIN, together=None, seed=0) == []


def test_of_many_rows_some_are_drawn(
    job: config.Job, readers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = fit_targets(job, lambda names: cells_of(names, TRAIN))
    monkeypatch.setattr("modalloy.classical.boosting.ROUNDS", (4, 20))
    monkeypatch.setitem(MOST_ROWS, "text", 30)
    seen: list[int] = []

    def watched(names: Sequence[str], rows: np.ndarray) -> Cells:
        seen.append(len(rows))
        return cells_of(names, rows)

    given = (job.tasks["fault"], targets["fault"])
    assert fit_methods(*given, readers, watched, TRAIN, together=None, seed=0)
    assert seen == [80, 30]  # answers of all, inputs of some


def test_a_kind_that_is_not_known_is_said(
    methods: dict[str, list[FittedMethod]], readers: Any
) -> None:
    meta, arrays = methods["fault"][0].state()
    with pytest.raises(RunError, match="kind 'forest', which this version does not know"):
        method_from_state({**meta, "kind": "forest"}, arrays, readers)


def test_files_of_every_kind(small_table: Path, job_dict: Any) -> None:
    table = open_table(small_table)
    job = config.Job.model_validate(job_dict(small_table))
    rows = np.arange(60)
    readers = fit_readers(job, lambda names: table.take(list(names), rows))
    targets = fit_targets(job, lambda names: table.take(list(names), rows))
    given = (job.tasks["fault"], targets["fault"], readers)
    found = fit_methods(
        *given, lambda names, at: table.take(list(names), at), rows, together=None, seed=0
    )
    columns = dict.fromkeys(c for reader in readers.values() for c in reader.columns)
    batch, alone = (table.take(list(columns), at) for at in (np.arange(60, 80), np.array([61])))
    for method, many, one in zip(
        found, answer_all(found, batch, None), answer_all(found, alone, None), strict=True
    ):
        assert np.array_equal(many["probability"][1:2], one["probability"]), method.name
