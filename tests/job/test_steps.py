"""Few rows get more passes in smaller batches; a course counts the very steps that are taken."""

from typing import Any

import numpy as np
import pytest

from modalloy.job import config
from modalloy.job.steps import Course, course, folds, rows_a_step, steps_a_pass
from modalloy.learn.epoch_order import epoch_order

PLAIN = {"load": {"type": "number"}}


def make(columns: dict[str, Any] = PLAIN, **train: Any) -> config.Job:
    page: dict[str, Any] = {
        "table": "x",
        "split": {"random": "stratified"},
        "columns": columns,
        "tasks": {"t": {"type": "classify", "target": "fault"}},
        "train": train,
    }
    return config.Job.model_validate(page)


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 8, 9, 16, 17, 33, 100])
@pytest.mark.parametrize("batch", [1, 2, 8, 16])
def test_a_pass_has_as_many_steps_as_it_has_batches(rows: int, batch: int) -> None:
    order = epoch_order(np.arange(rows), batch, 0, 0, None)
    assert steps_a_pass(rows, batch) == len(order)


@pytest.mark.parametrize(
    ("rows", "batch"),
    [(0, 4), (12, 4), (50, 8), (100, 16), (250, 32), (5_000, 32), (10_000, 32), (20_000, 64),
     (50_000, 128), (1_000_000, 256)],
)  # fmt: skip
def test_batches_grow_with_the_rows_of_a_plain_table(rows: int, batch: int) -> None:
    assert rows_a_step(make(), rows) == batch
    picture = {"photo": {"type": "image"}, **PLAIN}
    assert rows_a_step(make(picture), rows) == min(32, batch)
    assert rows_a_step(make(batch=7), rows) == 7


def test_few_rows_are_gone_through_until_there_are_steps_enough() -> None:
    assert course(make(), 50) == Course(8, 7, 43, 3)
    assert course(make(), 50).steps >= 300
    assert course(make(least_steps=0), 50).epochs == 20
    assert course(make(least_steps=1000), 50).epochs == 143
    assert course(make(), 5_000) == Course(32, 157, 20, 1)
    assert course(make(), 0).steps == 0


def test_passes_that_are_written_are_taken_at_their_word() -> None:
    assert course(make(epochs=2, batch=16), 50) == Course(16, 4, 2, 1)
    assert course(make(epochs=200, batch=16), 50).look_every == 7  # 25 steps are 6.25 passes
    assert course(make(epochs=40, batch=16), 50).look_every == 2  # a twentieth of 160 steps


def test_folds_are_taken_where_validation_rows_are_few_and_trainings_short() -> None:
    assert folds(make(), 50, 6) == 5
    assert folds(make(), 1000, 149) == 5
    assert folds(make(), 1000, 150) == 0
    wave = make({"wave": {"type": "series", "length": 100}})
    assert (folds(wave, 400, 39), folds(wave, 400, 40)) == (5, 0)
    assert folds(make(), 50, 0) == 0
    assert folds(make(), 8, 1) == 0
    for train in ({"epochs": 20}, {"patience": 0}, {"minutes": 1.0}, {"folds": 0}):
        assert folds(make(**train), 50, 6) == 0, train
    assert folds(make(epochs=20, folds=3), 5000, 1000) == 3
    assert folds(make(folds=3), 5000, 0) == 0
    photo = {"type": "image", "encoder": "efficientnet_lite0"}
    assert folds(make({"photo": photo}), 50, 6) == 0
    assert folds(make({"photo": photo | {"tune": "frozen"}}), 50, 6) == 5
    assert folds(make({"wave": {"type": "series", "length": 100}}), 50, 6) == 5
    assert folds(make({"wave": {"type": "series", "length": 100_000}}), 50, 6) == 0


def test_encoders_that_go_on_from_frozen_ones_need_fewer_passes() -> None:
    assert (course(make(), 5000).epochs, course(make(), 5000, tuned=True).epochs) == (20, 6)
    few = course(make(), 320, tuned=True)
    assert few.steps >= 300 > few.steps - few.per_epoch
    assert course(make(epochs=3), 5000, tuned=True).epochs == 3
