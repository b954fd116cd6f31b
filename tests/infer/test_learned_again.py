"""Validation rows are learned from in the end, where there are any and the minutes allow it."""

import numpy as np
import pandas as pd

import modalloy as ma
from modalloy.infer.draft import Draft
from modalloy.infer.guessed import Guess
from modalloy.infer.learned_again import with_refit
from modalloy.infer.task_inference import InferredTask
from modalloy.table.open_table import open_table
from modalloy.table.table import Table


def drafted(rows: int, split: dict[str, object]) -> tuple[Table, Draft]:
    frame = {"load": np.arange(rows) * 0.37 % 5, "fault": np.where(np.arange(rows) % 2, "a", "b")}
    tasks = {"fault": InferredTask("classify", {}, "two names")}
    columns = {"load": Guess("number", "numbers")}
    return open_table(pd.DataFrame(frame)), Draft(rows, columns, split, "", tasks)


def test_validation_rows_are_learned_from_where_there_is_time() -> None:
    table, draft = drafted(3000, {"random": "stratified"})
    refit, why = with_refit(table, draft, gflops=100.0).train["refit"]
    assert refit
    assert why.endswith("an estimate of a minute")
    assert not with_refit(table, draft, minutes=0.1, gflops=100.0).train


def test_there_is_nothing_to_learn_again_without_validation_rows_or_after_folds() -> None:
    table, draft = drafted(1000, {"random": "stratified", "validation": 0})
    assert not with_refit(table, draft, gflops=100.0).train
    table, draft = drafted(60, {"random": "stratified"})
    assert not with_refit(table, draft, gflops=100.0).train


def test_init_writes_it_and_leaves_it_out_beside_minutes() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"load": draw.normal(size=3000), "fault": draw.choice(["a", "b"], 3000)})
    printed = ma.init(frame, target="fault")
    assert "\n  refit: true  # once validation rows have said how long to learn" in printed
    assert ma.load_job(printed).train.refit
    assert not ma.load_job(ma.init(frame, target="fault", minutes=5)).train.refit
