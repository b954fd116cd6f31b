"""Folds: groups stay whole, every row is answered unseen, all rows teach for the chosen time."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.network import answer_rows
from modalloy.classical import fit
from modalloy.classical.linear import Linear
from modalloy.classical.method import FittedMethod
from modalloy.classical.training_rows import TrainingRows
from modalloy.job.job_file import load_job
from modalloy.judge.sections import Sections
from modalloy.learn import train
from modalloy.learn.blending import fit_blend
from modalloy.learn.fitted_rows import fit_rows, open_loader
from modalloy.learn.folds import assign
from modalloy.learn.frozen_vectors import Vectors, pooled_rows
from modalloy.learn.training import Learned, learn_job
from modalloy.model.trunks import minirocket
from modalloy.table.split import Parts, joined, split_job
from modalloy.table.table import open_table

TRAIN = {"epochs": 6, "batch": 16, "lr": 3e-3, "precision": "float32"}


def learn(job: dict[str, Any], out: Path) -> Learned:
    loaded = load_job(job)
    table = open_table(loaded.table)
    parts = split_job(table, loaded)
    return learn_job(loaded, table, parts, out=out, quiet=True)


def test_folds_choose_the_passes_and_all_rows_teach(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    frame = pd.read_parquet(small_table)
    frame["part"] = np.resize(["train", "train", "val", "test"], len(frame))
    frame["fault_code"] = frame["fault_code"].where(frame["part"] != "val", "rare")
    frame["site"] = frame["site"].where(frame["part"] != "val", "only there")
    frame.to_parquet(small_table)
    job = job_dict(small_table, columns=("load", "site"), blend={})
    job |= {"split": {"column": "part"}}
    found = learn(job | {"train": TRAIN | {"folds": 3}}, tmp_path / "folds")
    assert found.refit
    assert not found.interrupted
    held = found.held_out
    assert held is not None
    rows = joined(found.parts).train
    assert np.array_equal(held.rows, rows)
    names = found.loader.targets["fault"].names
    assert "rare" in names
    assert "only there" in found.loader.readers["site"].names
    assert held.answered.seen[EVERYTHING]["fault"]["probability"].shape == (len(rows), len(names))
    own = answer_rows(found.model, found.loader, rows).seen[EVERYTHING]
    assert not np.allclose(held.answered.seen[EVERYTHING]["life"]["value"], own["life"]["value"])
    scores = {c["epoch"]: c["score"] for c in found.progress.curves}
    assert list(scores) == [1, 2, 3, 4, 5, 6]
    assert scores[found.progress.best_epoch + 1] == max(scores.values())
    lines = (tmp_path / "folds" / "refit.jsonl").read_text().splitlines()
    assert len(lines) == found.progress.best_epoch + 1
    assert len((tmp_path / "folds" / "log.jsonl").read_text().splitlines()) == 6
    once = learn(job | {"train": TRAIN | {"folds": 0}}, tmp_path / "once")
    assert once.held_out is not None
    assert once.held_out.fold_R is None
    assert held.fold_R is not None
    assert len(once.held_out.rows) == len(once.parts.validation)
    assert once.progress.curves != found.progress.curves


def fit_linear(
    rows: TrainingRows, readers: Any, z_NF: np.ndarray, inputs: tuple[str, ...]
) -> list[FittedMethod]:
    """The linear model on frozen features alone, as `fit_frozen` fits it: boosting takes long."""
    rows = fit.with_embeddings(rows, z_NF, inputs)
    linear = Linear.fit(rows, words=False)
    return [FittedMethod(fit.linear_frozen_name(rows.task), {}, inputs, linear)]


@pytest.mark.parametrize("how", [{"folds": 3}, {"folds": 0, "refit": True}])
def test_methods_see_held_back_rows_by_fronts_that_were_fitted_without_them(
    how: dict[str, Any],
    small_table: Path,
    job_dict: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(minirocket, "PER_KERNEL", 32)
    monkeypatch.setattr(fit, "fit_plain", lambda *_: [])
    monkeypatch.setattr(fit, "fit_frozen", fit_linear)
    front = {"type": "series", "length": 32, "front": ["minirocket"]}
    job = job_dict(small_table, columns=(), blend={}, train=TRAIN | {"epochs": 2} | how)
    del job["tasks"]["life"]
    found = learn(job | {"columns": {"vibration": front}}, tmp_path / "run")
    held = found.held_out
    assert held is not None
    every = joined(found.parts).train
    own = pooled_rows(found.model, found.loader, ["vibration"], every)["vibration"]
    counts = np.unique(held.fold_R) if held.fold_R is not None else [0]
    assert len(held.fitted) == len(counts)
    for vectors in held.fitted:
        assert np.array_equal(vectors.rows, every)
        # Components of fewer rows are fewer.
        assert vectors.by_input["vibration"].shape[1] < own.shape[1]
    told = fit_blend(found.model, found.loader, found.parts, held, Sections(), refit=found.refit)
    members = told.made_of["fault"]["members"]
    assert "logistic regression on frozen features" in members
    # Asked with vectors of the finished model, which saw the held-back rows, methods say otherwise.
    seen = [Vectors(every, {"vibration": own})] * len(counts)
    swapped = held._replace(fitted=seen)
    again = fit_blend(
        found.model, found.loader, found.parts, swapped, Sections(), refit=found.refit
    )
    assert again.made_of["fault"]["members"] != members


def test_rows_that_belong_together_share_a_fold(small_table: Path, job_dict: Any) -> None:
    job = load_job(job_dict(small_table, columns=("load",)))
    table = open_table(job.table)
    every = np.arange(table.rows)
    loader = open_loader(job, table, Parts(every, every[:0], every[:0]))
    fold_N = assign(job, loader, every, 3)
    machine_N = loader.cells(["machine"], every)["machine"]
    assert len(set(zip(machine_N, fold_N, strict=True))) == len(set(machine_N))
    assert sorted(np.bincount(fold_N)) == [20, 30, 30]  # eight machines of ten rows
    assert set(assign(job, loader, every, 50)) == set(range(8))


def test_rows_that_stand_alone_are_dealt_out_by_their_answer(
    small_table: Path, job_dict: Any
) -> None:
    for task in ("fault", "life"):
        tasks = {task: job_dict(small_table)["tasks"][task]}
        page = job_dict(small_table, columns=("load",), tasks=tasks)
        job = load_job(page | {"split": {"random": "stratified"}})
        table = open_table(job.table)
        every = np.arange(table.rows)
        loader = open_loader(job, table, Parts(every, every[:0], every[:0]))
        fold_N = assign(job, loader, every, 4)
        assert sorted(np.bincount(fold_N)) == [20, 20, 20, 20]
        target = loader.targets[task]
        truth = pd.Series(target.truth(loader.cells(target.columns, every)))
        high_N = truth > truth.median() if task == "life" else truth == truth[0]
        counts = np.bincount(fold_N[high_N], minlength=4)
        assert counts.max() - counts.min() <= 2, (task, counts)
        other = assign(job.model_copy(update={"seed": 1}), loader, every, 4)
        assert not np.array_equal(fold_N, other)


def test_a_fold_need_not_show_every_column_and_class(small_table: Path, job_dict: Any) -> None:
    frame = pd.read_parquet(small_table)
    frame["fault_code"] = np.where(np.arange(len(frame)) == 0, "rare", "usual")
    frame["load"] = frame["load"].where(frame.index == 0)
    frame["site"] = frame["site"].where(frame.index == 0)
    frame.loc[0, ["load", "site"]] = 3.0, "a"
    frame.to_parquet(small_table)
    page = job_dict(small_table, columns=("load", "site"))
    page["columns"]["site"] = {"type": "category", "min_count": 1, "statistics": "means"}
    job = load_job(page)
    table, every = open_table(job.table), np.arange(len(frame))
    whole = open_loader(job, table, Parts(every, every[:0], every[:0]))
    assert whole.readers["site"].answers
    fold = Parts(every[1:], every[:1], every[:0])  # without the only row that shows them
    readers, targets, _ = fit_rows(job, table, fold, None, whole)
    assert targets["fault"]["names"] == ("rare", "usual")
    assert readers["load"]["center"] == 3.0
    assert readers["site"]["names"] == ("a",)
    assert not readers["site"]["answers"], "the held-out row's own answer"


def test_an_interrupted_fold_knows_the_rows_that_it_did_not_learn_from(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(train, "fit", pressed)
    job = job_dict(small_table, columns=("load",), train=TRAIN | {"folds": 3})
    found = learn(job, tmp_path / "run")
    loaded = load_job(job)
    parts = split_job(open_table(loaded.table), loaded)
    assert found.interrupted
    assert not found.refit
    assert len(parts.test) == len(found.parts.test) > 0
    learned_from = set(found.parts.train)
    assert learned_from < {*parts.train, *parts.validation}
    assert not learned_from & {*found.parts.validation, *found.parts.test}
