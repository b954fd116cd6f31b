"""The probe takes what was clearly fastest, times whole steps, and leaves the model alone."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modalloy.job import load_job
from modalloy.learn import probe as module
from modalloy.learn.probe import Probe, probe, trial
from modalloy.learn.training import open_rows
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.table.split import split_job
from modalloy.table.table import open_table

EVEN = {(half, last): 1.0 for half in (False, True) for last in (False, True)}


def model_and_batch(table: Path, job_dict: Any, *columns: str) -> tuple[Model, Batch]:
    job = load_job(job_dict(table, columns=columns))
    opened = open_table(job.table)
    rows = open_rows(job, opened, split_job(opened, job))
    model = Model(job, rows.readers, rows.targets, pretrained=False)
    return model, rows.batch(np.arange(8))


@pytest.mark.parametrize(
    ("faster", "taken"),
    [
        ({}, (False, False)),
        ({(True, True): 0.92}, (False, False)),  # within the noise of a clock
        ({(False, True): 0.9}, (False, True)),
        ({(True, False): 0.8, (True, True): 0.7}, (True, True)),
        ({(True, False): 0.5, (False, True): 0.6, (True, True): 2.0}, (True, False)),
    ],
)
def test_only_what_is_a_tenth_faster_is_taken(
    small_table: Path,
    job_dict: Any,
    monkeypatch: pytest.MonkeyPatch,
    faster: dict[tuple[bool, bool], float],
    taken: tuple[bool, bool],
) -> None:
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    seconds = EVEN | faster
    monkeypatch.setattr(module, "trial", lambda *given: seconds[given[3:5]])
    choice = probe(model, supervised, batch, "auto")
    assert choice[:2] == taken
    assert choice.seconds == {
        "float32": seconds[False, False],
        "float32+channels_last": seconds[False, True],
        "bfloat16": seconds[True, False],
        "bfloat16+channels_last": seconds[True, True],
    }


@pytest.mark.parametrize(
    ("columns", "precision", "half"),
    [
        (("photo", "load"), "float32", False),
        (("photo", "load"), "bfloat16", True),
        (("load", "site"), "auto", False),
        (("load", "site"), "bfloat16", False),
    ],
)
def test_what_is_asked_for_and_plain_columns_are_not_timed(
    small_table: Path,
    job_dict: Any,
    monkeypatch: pytest.MonkeyPatch,
    columns: tuple[str, ...],
    precision: str,
    half: bool,
) -> None:
    model, batch = model_and_batch(small_table, job_dict, *columns)
    monkeypatch.setattr(module, "trial", None)
    assert probe(model, supervised, batch, precision) == Probe(half, False, {})


def test_a_trial_is_the_median_of_three_whole_steps_after_one_to_warm_up(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    before = {n: t.clone() for n, t in model.state_dict().items()}
    clock = iter([0.0, 90.0, 100.0, 105.0, 200.0, 202.0, 300.0, 303.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    assert trial(model, supervised, batch, False, True, math.inf) == 3.0
    monkeypatch.undo()
    assert set(probe(model, supervised, batch, "auto").seconds) > {"float32", "bfloat16"}
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("readings", "took"),
    [
        ([0.0, 5.1], 5.1),  # seconds that steps begin and end at; the best way so far takes 1
        ([0.0, 4.9, 10.0, 12.1], 2.1),
        ([0.0, 4.9, 10.0, 11.9, 20.0, 22.2], 2.2),
        ([0.0, 4.9, 10.0, 11.9, 20.0, 21.0, 30.0, 31.5], 1.5),
    ],
)
def test_a_hopeless_trial_ends_early(
    small_table: Path,
    job_dict: Any,
    monkeypatch: pytest.MonkeyPatch,
    readings: list[float],
    took: float,
) -> None:
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    clock = iter(readings)
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    assert trial(model, supervised, batch, True, False, 1.0) == pytest.approx(took)
    assert not list(clock)


def test_each_trial_knows_the_best_way_before_it(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    seconds, told = iter([3.0, 2.0, 9.0, 8.0]), []
    monkeypatch.setattr(module, "trial", lambda *given: told.append(given[5]) or next(seconds))
    assert probe(model, supervised, batch, "auto").seconds["bfloat16"] == 9.0
    assert told == [math.inf, 3.0, 2.0, 2.0]


def test_the_clock_is_read_when_the_accelerator_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: said.append("done"))
    monkeypatch.setattr(module.time, "perf_counter", lambda: said.append("read") or 7.0)
    assert module.now() == 7.0
    assert said == ["done", "read"]
