"""Private steps: clipped, summed and noised as the article says, from secret chance alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from modalloy.answer.loader import Loader
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.job.private import Private
from modalloy.learn.adapting import allocating
from modalloy.learn.change import schedule
from modalloy.learn.fit import Step
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.optimizer import trained
from modalloy.learn.state import State
from modalloy.model.adapters.adalora import Allocation
from modalloy.model.adapters.attach import attach
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.privacy.accountant import Plan
from modalloy.privacy.noisy import clipped_sum, private_settings, private_steps
from modalloy.privacy.per_sample import Gradients, PerSample, private_total
from modalloy.privacy.units import Units
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

ROWS = np.arange(40)


@pytest.fixture
def plates(small_table: Path, job_dict: Any) -> tuple[Model, Loader]:
    """An untrained model of plain columns, and their rows."""
    job = load_job(job_dict(small_table, columns=("load", "site")))
    table = open_table(job.table)
    loader = open_loader(job, table, split_job(table, job))
    return Model(job, loader.readers, loader.targets, pretrained=False), loader


def plan_of(*, steps: int = 2, rate: float = 0.5, multiplier: float = 1.0, units: int = 40) -> Plan:
    return Plan(multiplier, rate, steps, 8.0, 1e-5, units, "row", "rdp")


def learn(
    model: Model, loader: Loader, plan: Plan, *, until: int | None = None, **given: Any
) -> tuple[State[Model], list[Step]]:
    """So many private steps of a model, from its first weights."""
    settings = private_settings(model.job.train, Private(lr=0.1))
    state = State.begin(model, private_total(model.job), settings, plan.steps)
    chosen = {"clip": 1.0, "secret": 5, "units": Units.of_rows(ROWS)} | given
    units = chosen.pop("units")
    found = []
    for step in private_steps(state, supervised, loader, units, plan, settings=settings, **chosen):
        found.append(step)
        if step.step == until:
            break
    return state, found


def weights(model: Model) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in trained(model)}


def test_a_step_without_noise_is_that_of_clipped_rows(plates: tuple[Model, Loader]) -> None:
    model, loader = plates
    before, clip = weights(model), 0.5
    batch = Batch.of(loader.batch(ROWS))
    way = PerSample(model, supervised, private_total(model.job), "masks")
    rows = way.of(batch).by_name
    length_B = torch.stack([g.flatten(1).square().sum(1) for g in rows.values()]).sum(0).sqrt()
    assert (length_B > clip).any()
    _, steps = learn(model, loader, plan_of(rate=1.0, multiplier=0.0, steps=3), until=1, clip=clip)
    rate = 0.1 * schedule(0, 3, model.job.train.warmup)
    for name, p in trained(model):
        shortened = [
            g * min(1.0, clip / float(s)) for g, s in zip(rows[name], length_B, strict=True)
        ]
        wanted = before[name] - rate * torch.stack(shortened).sum(0) / len(ROWS)
        assert torch.allclose(p, wanted, atol=1e-6), name
    assert steps[0].rows == len(ROWS)
    assert steps[0].lr == pytest.approx(rate)


def test_units_of_several_rows_are_clipped_as_one() -> None:
    gradient = torch.tensor([[3.0, 4.0], [3.0, 0.0], [5.0, 0.0], [0.1, 0.0]])
    found = Gradients({"w": gradient}, {}, torch.zeros(4))
    total = clipped_sum(found, torch.tensor([0, 1, 1, 2]), 1.0)["w"]
    # (3, 4) / 5, the mean (4, 0) / 4, and (0.1, 0) as it is
    assert torch.allclose(total, torch.tensor([0.6 + 1.0 + 0.1, 0.8]))


def test_noise_is_as_long_as_the_plan_says_and_needs_no_row(plates: tuple[Model, Loader]) -> None:
    model, loader = plates
    before = weights(model)
    seen: list[Tensor] = []

    def keep(state: State[Model]) -> float:
        seen.append(torch.cat([p.grad.flatten() for _, p in trained(state.model)]))
        state.step += 1
        return 0.0

    plan = plan_of(rate=1e-9, multiplier=2.0, steps=4)
    _, steps = learn(model, loader, plan, clip=0.3, change=keep)
    assert [s.rows for s in steps] == [0, 0, 0, 0]
    drawn = torch.cat(seen)
    expected = 1e-9 * len(ROWS)
    assert drawn.std().item() == pytest.approx(2.0 * 0.3 / expected, rel=0.03)
    assert abs(drawn.mean().item()) < 0.03 * 2.0 * 0.3 / expected
    assert not torch.equal(seen[0], seen[1])
    assert all(torch.equal(p, before[n]) for n, p in trained(model)), "another way of changing"


def test_the_same_secret_gives_the_same_weights_and_another_does_not(
    plates: tuple[Model, Loader],
) -> None:
    model, loader = plates
    start = {n: t.clone() for n, t in model.state_dict().items()}
    found = []
    for secret in (5, 5, 6):
        model.load_state_dict(start)
        learn(model, loader, plan_of(), secret=secret)
        found.append(weights(model))
    assert all(torch.equal(found[0][n], found[1][n]) for n in found[0])
    assert not any(torch.equal(found[0][n], found[2][n]) for n in found[0])


def test_a_training_that_goes_on_ends_where_a_whole_one_does(plates: tuple[Model, Loader]) -> None:
    model, loader = plates
    start = {n: t.clone() for n, t in model.state_dict().items()}
    learn(model, loader, plan_of(steps=3))
    whole = weights(model)
    model.load_state_dict(start)
    state, _ = learn(model, loader, plan_of(steps=3), until=1)
    given = {
        "clip": 1.0,
        "secret": 5,
        "settings": private_settings(model.job.train, Private(lr=0.1)),
    }
    rest = private_steps(state, supervised, loader, Units.of_rows(ROWS), plan_of(steps=3), **given)
    assert [s.step for s in rest] == [2, 3]
    assert all(torch.equal(p, whole[n]) for n, p in trained(model))


def test_adaloras_scores_come_from_noised_gradients(plates: tuple[Model, Loader]) -> None:
    model, loader = plates
    attach(model, config.Adapter(method="adalora", rank=2))
    change = allocating(model, private_settings(model.job.train, Private()))
    allocation = model.allocation
    assert isinstance(allocation, Allocation)
    assert change is not None
    _, steps = learn(model, loader, plan_of(rate=1e-9, steps=2), until=1, change=change)
    assert steps[0].rows == 0
    assert allocation.importance_P.count_nonzero() > 0.3 * len(allocation.importance_P)


def test_a_plan_of_another_number_of_steps_is_refused(plates: tuple[Model, Loader]) -> None:
    model, loader = plates
    settings = private_settings(model.job.train, Private())
    state = State.begin(model, private_total(model.job), settings, 7)
    given = {"clip": 1.0, "secret": 5, "settings": settings}
    steps = private_steps(state, supervised, loader, Units.of_rows(ROWS), plan_of(), **given)
    with pytest.raises(JobError, match="reckoned for 2 steps, and 7 are planned"):
        next(steps)


def test_encoders_learn_at_a_rate_of_their_own() -> None:
    """A tenth of the others', unless it is said."""
    train = config.Train()
    assert private_settings(train, Private(lr=0.4)).encoder_lr == pytest.approx(0.04)
    said = private_settings(train, Private(lr=0.4, encoder_lr=0.3))
    assert (said.lr, said.encoder_lr) == (0.4, 0.3)
