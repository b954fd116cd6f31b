"""The probe takes what was clearly fastest, times whole steps, and leaves the model alone."""

import json
import math
import time
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch

from modalloy.job.job_file import load_job
from modalloy.learn import probe as module
from modalloy.learn import probe_memory
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.probe import SHARE, Probe, probe, trial
from modalloy.machine import remembered
from modalloy.machine.files import locked
from modalloy.machine.limits import number_types_file
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

pytestmark = pytest.mark.usefixtures("no_lines")

LONG = {"steps": 100_000, "kept": None}  # a training that has time for all, and no memory
EVEN = {(half, last): 1.0 for half in (False, True) for last in (False, True)}


def model_and_batch(table: Path, job_dict: Any, *columns: str) -> tuple[Model, Batch]:
    job = load_job(job_dict(table, columns=columns))
    opened = open_table(job.table)
    rows = open_loader(job, opened, split_job(opened, job))
    model = Model(job, rows.readers, rows.targets, pretrained=False)
    return model, Batch.of(rows.batch(np.arange(8)))


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
    choice = probe(model, supervised, batch, "auto", **LONG)
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
    assert probe(model, supervised, batch, precision, **LONG) == Probe(half, False, {})


def test_a_trial_is_the_median_of_three_whole_steps_after_one_to_warm_up(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    before = {n: t.clone() for n, t in model.state_dict().items()}
    clock = iter([0.0, 90.0, 100.0, 105.0, 200.0, 202.0, 300.0, 303.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    assert trial(model, supervised, batch, False, True, math.inf, math.inf) == 3.0
    monkeypatch.undo()
    assert set(probe(model, supervised, batch, "auto", **LONG).seconds) > {"float32", "bfloat16"}
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
    assert trial(model, supervised, batch, True, False, 1.0, math.inf) == pytest.approx(took)
    assert not list(clock)


def test_each_trial_knows_the_best_way_before_it(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    seconds, told = iter([3.0, 2.0, 9.0, 8.0]), []
    monkeypatch.setattr(module, "trial", lambda *given: told.append(given[5]) or next(seconds))
    assert probe(model, supervised, batch, "auto", **LONG).seconds["bfloat16"] == 9.0
    assert told == [math.inf, 3.0, 2.0, 2.0]


def test_the_clock_is_read_when_the_accelerator_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: said.append("done"))
    monkeypatch.setattr(module.time, "perf_counter", lambda: said.append("read") or 7.0)
    assert module.now() == 7.0
    assert said == ["done", "read"]


class Clock:
    """Seconds that only pass while a step is taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[tuple[bool, bool], float]):
        self.seconds, self.time, self.way, self.steps = seconds, 0.0, (False, False), 0
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.time)
        real = module.apply

        def apply(model: Model, choice: Probe) -> None:
            self.way = choice[:2]
            real(model, choice)

        monkeypatch.setattr(module, "apply", apply)

    def step(self, model: Model, batch: Batch) -> dict[str, torch.Tensor]:
        self.time += self.seconds[self.way]
        self.steps += 1
        return {"loss": next(model.parameters()).sum()}


@pytest.mark.parametrize("steps", [1, 100, 449, 450, 800, 1200, 5000])
@pytest.mark.parametrize(
    "slower", [{}, {(True, False): 4.0, (True, True): 9.0}, {(False, True): 0.5, (True, True): 0.4}]
)
def test_trials_take_a_fiftieth_of_the_training_and_no_more(
    small_table: Path,
    job_dict: Any,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    slower: dict[tuple[bool, bool], float],
) -> None:
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    clock = Clock(monkeypatch, EVEN | slower)
    choice = probe(model, clock.step, batch, "auto", steps=steps, kept=None)
    assert clock.time <= SHARE * steps + max(slower.values(), default=0)
    assert bool(choice.seconds) == (steps >= 450)
    if not choice.seconds:
        assert clock.steps == 0
        assert choice == Probe(False, False, {})
    if steps == 5000:
        assert len(choice.seconds) == 4
        assert choice[:2] == ((True, True) if (False, True) in slower else (False, False))


def test_untried_pretrained_pictures_lie_channels_last(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_dict(small_table, columns=("load",))
    lite = {"type": "image", "encoder": "efficientnet_lite0", "pixels": 32, "augment": "none"}
    job["columns"]["photo"] = lite
    model, batch = model_and_batch(small_table, lambda *given, **other: job, "photo", "load")
    monkeypatch.setattr(module, "trial", None)
    choice = probe(model, supervised, batch, "auto", steps=10, kept=None)
    assert choice == Probe(False, True, {})


def test_what_was_found_is_remembered_by_machine_model_and_shape(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept = number_types_file()
    assert kept == tmp_path / "cache" / "modalloy" / "number_types.json"
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    clock = Clock(monkeypatch, EVEN | {(False, True): 0.5})

    def found(model: Model, batch: Batch, steps: int = 5000) -> tuple[Probe, int]:
        before = clock.steps
        choice = probe(model, clock.step, batch, "auto", steps=steps, kept=kept)
        return choice, clock.steps - before

    assert found(model, batch, 500)[0] != Probe(False, False, {})
    assert not kept.exists()  # not all ways were tried
    first, taken = found(model, batch)
    assert first[:2] == (False, True)
    assert taken > 0
    assert found(model, batch) == (first, 0)
    assert found(model, batch, 1) == (first, 0)  # a short training has it for nothing
    smaller = Batch(
        {k: {n: t[:4] for n, t in v.items()} for k, v in batch.values.items()},
        {k: t[:4] for k, t in batch.present.items()},
    )
    assert found(model, smaller)[1] > 0
    other, rows = model_and_batch(small_table, job_dict, "photo", "site")
    assert found(other, rows)[1] > 0
    model.encoders["photo"].requires_grad_(False)
    assert found(model, batch)[1] > 0
    model.encoders["photo"].requires_grad_(True)
    assert found(model, batch) == (first, 0)
    with monkeypatch.context() as patch:
        patch.setattr(probe_memory, "processor", lambda: "another one")
        assert found(model, batch)[1] > 0
    with monkeypatch.context() as patch:
        patch.setattr(probe_memory, "__version__", "0.0.1")
        assert found(model, batch)[1] > 0
    assert len(remembered.read(kept)) == 6
    for damage in ("", "[1]", "{", json.dumps({probe_memory.key_of(model, batch): 3})):
        kept.write_text(damage)
        assert found(model, batch)[1] > 0
        assert found(model, batch) == (first, 0)
    kept.unlink()
    assert found(model, batch)[1] > 0


def test_trainings_that_end_their_trials_at_once_lose_no_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept, real = tmp_path / "number_types.json", remembered.read

    def slowly(path: Path | None) -> dict[str, Any]:
        found = real(path)
        time.sleep(0.02)  # lets another one read the same
        return found

    monkeypatch.setattr(remembered, "read", slowly)
    names = [str(i) for i in range(8)]
    threads = [Thread(target=remembered.keep, args=(kept, n, {"way": n})) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert real(kept) == {n: {"way": n} for n in names}
    assert [p.name for p in tmp_path.iterdir()] == [kept.name]
    monkeypatch.setattr(remembered, "PATIENCE_S", 0.05)
    with locked(kept.with_suffix(".lock"), "held"):  # by one that does not go on
        remembered.keep(kept, "late", {})
    assert set(real(kept)) == set(names)


def test_a_cache_that_cannot_be_written_is_no_fault_of_the_training(
    small_table: Path, job_dict: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, batch = model_and_batch(small_table, job_dict, "photo", "load")
    clock = Clock(monkeypatch, EVEN)
    (tmp_path / "file").write_text("no folder")
    kept = tmp_path / "file" / "modalloy" / "number_types.json"
    choice = probe(model, clock.step, batch, "auto", steps=5000, kept=kept)
    assert len(choice.seconds) == 4
    kept = tmp_path / "taken"
    kept.mkdir()
    assert probe(model, clock.step, batch, "auto", steps=5000, kept=kept) == choice


def test_the_tried_number_type_stays_when_an_interrupted_training_goes_on(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import modalloy as ma
    from modalloy.learn import precision, train

    job = job_dict(small_table, columns=("photo",), train={"epochs": 2, "batch": 32})
    real, calls = train.fit, []

    def pressed(*given: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        yield from real(*given, **options)

    found = iter([Probe(False, True, {"float32": 2.0, "float32+channels_last": 1.0})])
    monkeypatch.setattr(precision, "probe", lambda *given, **options: next(found))
    monkeypatch.setattr(train, "fit", pressed)
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    assert run.notes["interrupted"]
    run = ma.train(job, out=run.path, resume=True, quiet=True)
    assert run.notes["channels_last"] is True
    assert run.notes["probe_s"] == {"float32": 2.0, "float32+channels_last": 1.0}
