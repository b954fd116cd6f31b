"""Minutes: a training ends in time, its schedule follows the clock, its best weights are kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from modalloy.job.job_file import load_job
from modalloy.judge.validate import Score
from modalloy.learn.clock import Clock
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.plan import Plan, supervised_plan
from modalloy.learn.progress import Progress
from modalloy.learn.state import State
from modalloy.learn.train import train_model
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

STEP_S, LOOK_S = 0.5, 3.0


class Machine:
    """A training whose steps and looks take seconds of a clock that nobody waits for."""

    def __init__(self, table: Path, job_dict: Any, minutes: float) -> None:
        train = {"minutes": minutes, "batch": 16, "precision": "float32", "patience": 1}
        self.job = load_job(job_dict(table, columns=("load",), train=train))
        read = open_table(self.job.table)
        self.parts = split_job(read, self.job)
        self.loader = open_loader(self.job, read, self.parts)
        torch.manual_seed(0)
        self.model = Model(self.job, self.loader.readers, self.loader.targets, pretrained=False)
        self.time_s, self.steps, self.shown, self.stop = 0.0, 0, [], 0

    def plan(self) -> Plan[Model]:
        plan = supervised_plan(self.model, self.loader, self.parts.validation)

        def objective(model: Model, batch: Batch) -> Losses:
            self.time_s, self.steps = self.time_s + STEP_S, self.steps + 1
            if self.steps == self.stop:
                raise KeyboardInterrupt
            return plan.objective(model, batch)

        def score() -> Score:
            self.time_s += LOOK_S
            self.shown.append({n: p.detach().clone() for n, p in self.model.named_parameters()})
            return Score(-float(len(self.shown)), {})  # the first look is the best

        return replace(plan, objective=objective, score=score)

    def train(self, out: Path, *, resume: bool = False, quiet: bool = True) -> Progress:
        return train_model(
            self.model, self.loader, self.parts, self.job, out,
            plan=self.plan(), resume=resume, quiet=quiet, now=lambda: self.time_s,
        )  # fmt: skip


def test_minutes_end_a_training_and_keep_its_best_weights(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    steps = []
    for minutes in (0.5, 1.0):
        machine = Machine(small_table, job_dict, minutes)
        notes = machine.train(tmp_path / str(minutes))
        assert machine.time_s == pytest.approx(60 * minutes, rel=0.1)
        assert notes.over
        assert len(machine.shown) > 1  # patience 1 would have ended it
        kept = dict(machine.model.named_parameters())
        assert all(torch.equal(p, kept[n]) for n, p in machine.shown[0].items())
        steps.append(machine.steps)
    assert steps[1] > 1.5 * steps[0]


def test_the_bar_counts_the_steps_that_the_minutes_allow(
    small_table: Path, job_dict: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(small_table, job_dict, 0.5)
    machine.train(tmp_path, quiet=False)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("training: 100 %")
    assert ", ended - epoch " in said


def test_an_interrupted_training_has_the_minutes_that_were_left(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    broken = Machine(small_table, job_dict, 1.0)
    broken.stop = 60
    assert broken.train(tmp_path).interrupted
    looked_s = broken.time_s - (59 % 25) * STEP_S  # about when the last checkpoint was written
    again = Machine(small_table, job_dict, 1.0)
    notes = again.train(tmp_path, resume=True)
    assert notes.over
    assert again.time_s < 60 - looked_s / 2
    assert notes.seconds == pytest.approx(60, rel=0.1)
    done = Machine(small_table, job_dict, 1.0)
    assert done.train(tmp_path, resume=True).over
    assert done.steps == 0


def test_steps_are_planned_by_those_that_were_timed() -> None:
    state = State(torch.nn.Linear(1, 1), sum, torch.optim.SGD([torch.ones(1)]), {}, 300, step=10)
    now = iter([5.0, 5.0, 59.0])
    clock, notes = Clock(1.0, 0.0, lambda: next(now)), Progress(32, 20)
    clock.replan(state, notes, batches=12)  # a look takes 12 batches of a third of half a second
    assert state.steps == 10 * 58 / 5
    notes.look_s = 10.0
    clock.replan(state, notes, batches=12)
    assert (state.steps, notes.over) == (10 * 50 / 5, False)
    clock.replan(state, notes, batches=12)
    assert (state.steps, notes.over) == (10, True)
