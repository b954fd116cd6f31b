"""What is left of some minutes for learning, and what is said where it is too little."""

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.errors import JobError, TableError
from modalloy.infer.draft import Draft
from modalloy.infer.guessed import Guess
from modalloy.infer.task_inference import InferredTask
from modalloy.infer.within_minutes import within_minutes
from modalloy.table.open_table import open_table
from modalloy.table.table import Table


def drafted(rows: int = 200) -> tuple[Table, Draft]:
    frame = {"load": np.arange(rows) * 0.37 % 5, "fault": np.where(np.arange(rows) % 2, "a", "b")}
    tasks = {"fault": InferredTask("classify", {}, "two names")}
    columns = {"load": Guess("number", "numbers")}
    table = open_table(pd.DataFrame(frame))
    return table, Draft(rows, columns, {"random": "stratified"}, "", tasks)


def test_learning_gets_what_all_else_leaves() -> None:
    table, draft = drafted()
    left, why = within_minutes(table, draft, 10.0, gflops=100.0).train["minutes"]
    assert 9.0 < left < 10.0
    assert why.startswith("10 in all, less 0.")
    taken = float(why.removeprefix("10 in all, less ").split()[0])
    assert left + taken == pytest.approx(10.0, abs=1e-6)  # the sentence adds up
    more, _ = within_minutes(table, draft, 20.0, gflops=100.0).train["minutes"]
    assert more == pytest.approx(left + 10.0, abs=0.02)


def test_too_few_minutes_are_refused_with_how_many_are_needed() -> None:
    table, draft = drafted()
    with pytest.raises(
        TableError, match=r"the report alone take 0\.\d minutes here; give at least"
    ):
        within_minutes(table, draft, 0.01, gflops=100.0)


def test_init_writes_them_into_the_job() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"load": draw.normal(size=90), "fault": draw.choice(["a", "b"], 90)})
    job = ma.load_job(ma.init(frame, target="fault", minutes=5))
    assert job.train.minutes is not None
    assert 3.0 < job.train.minutes < 5.0
    assert ma.load_job(ma.init(frame, target="fault")).train.minutes is None
    with pytest.raises(JobError, match="minutes: 0 is no time to train in"):
        ma.init(frame, target="fault", minutes=0)
