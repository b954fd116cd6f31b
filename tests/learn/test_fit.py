"""One loop for any objective, total, change of weights, view and score - beside the supervised."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.validate import Score
from modalloy.learn.change import Scheduled
from modalloy.learn.checkpoint import load_state, read_state, save_state
from modalloy.learn.fit import Step, fit
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.optimizer import clip
from modalloy.learn.plan import Plan, supervised_plan
from modalloy.learn.state import State
from modalloy.learn.train import train_model
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import hiding
from modalloy.objectives.losses import Losses
from modalloy.readers.batch import TABLE
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job

SETTINGS = config.Train(lr=0.05, ema=0.0, clip=1e6, weight_decay=0.0, warmup=0.0)


class Rebuilder(nn.Module):
    """Guesses what the plain cells were from those that are left: no job, no tasks."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.guess = nn.Linear(2 * cells, cells)

    def forward(self, batch: Batch) -> Tensor:
        seen_BN = batch.present[TABLE].float()
        return self.guess(torch.cat([batch.values[TABLE]["number"] * seen_BN, seen_BN], 1))


def rebuild(model: Rebuilder, batch: Batch) -> Losses:
    """Mean squared error of hidden cells, and how far the guesses are from zero."""
    x_BN, hidden_BN = batch.values[TABLE]["number"], ~batch.present[TABLE]
    guess_BN = model(batch)
    losses, count = Losses(), hidden_BN.sum()
    wrong = ((guess_BN - x_BN) ** 2 * hidden_BN).sum() / count.clamp_min(1)
    losses.add("rebuild/table", wrong, count)
    losses.add("size", (guess_BN**2).mean(), torch.tensor(guess_BN.numel()))
    return losses


def weighed(losses: Mapping[str, Tensor]) -> Tensor:
    """A total that is a plain function."""
    return losses["rebuild/table"] + 0.01 * losses["size"]


def batches(count: int, *, rows: int = 32) -> Iterator[Batch]:
    """Three cells of a row are the same number, so that one tells the others."""
    for _ in range(count):
        x_BN = torch.randn(rows, 1).expand(rows, 3)
        present = {TABLE: torch.ones(rows, 3, dtype=torch.bool)}
        yield Batch({TABLE: {"number": x_BN}}, present, {}, np.arange(rows))


def steps_of(state: State[Rebuilder], count: int = 200, **options: Any) -> list[Step]:
    objective = hiding(rebuild, chance=0.9, keep=())
    given = {"settings": SETTINGS, "seed": 0} | options
    return list(fit(state, objective, batches(count), **given))


def test_any_objective_is_learned_by_any_total() -> None:
    state = State.begin(Rebuilder(3), weighed, SETTINGS, 200)
    steps = steps_of(state)
    assert [s.step for s in steps] == list(range(1, 201))
    assert steps[0].losses.keys() == {"rebuild/table", "size"}
    for s in steps[:3]:
        assert s.total == pytest.approx(s.losses["rebuild/table"] + 0.01 * s.losses["size"])
    first, last = (np.mean([s.losses["rebuild/table"] for s in steps[i]]) for i in PARTS)
    assert last < 0.7 * first


PARTS = (slice(None, 20), slice(-20, None))


class Learned(nn.Module):
    """A total with a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Both losses, the first by the learned scale."""
        return self.scale.square() * losses["rebuild/table"] + losses["size"]


def test_a_total_that_learns_is_trained_and_kept(tmp_path: Path) -> None:
    state = State.begin(Rebuilder(3), Learned(), SETTINGS, 20)
    steps_of(state, 5)
    assert isinstance(state.total, Learned)
    assert state.total.scale.item() != 1.0
    save_state(tmp_path / "x.safetensors", state, {}, {})
    again = State.begin(Rebuilder(3), Learned(), SETTINGS, 20)
    load_state(*read_state(tmp_path / "x.safetensors"), again)
    assert isinstance(again.total, Learned)
    assert torch.equal(again.total.scale, state.total.scale)
    plain = State.begin(Rebuilder(3), weighed, SETTINGS, 20)  # has nothing of its own to keep
    save_state(tmp_path / "y.safetensors", plain, {}, {})
    load_state(*read_state(tmp_path / "y.safetensors"), plain)


def test_weights_change_as_the_verb_says() -> None:
    """Noise after clipping, as private training does it; the loop around stays the same."""
    torch.manual_seed(5)
    state = State.begin(Rebuilder(3), weighed, SETTINGS, 10)
    before = [p.detach().clone() for p in state.model.parameters()]
    lengths = []

    def noisy(state: State[Rebuilder]) -> float:
        parameters = list(state.model.parameters())
        clip(parameters, 0.5)
        lengths.append(nn.utils.get_total_norm([p.grad for p in parameters]).item())
        with torch.no_grad():
            for p in parameters:
                p -= 0.1 * (p.grad + torch.randn_like(p) * 0.01)
                p.grad = None
        state.step += 1
        return 0.1

    steps = steps_of(state, 10, change=noisy)
    assert [s.lr for s in steps] == [0.1] * 10
    assert max(lengths) <= 0.5 + 1e-4
    assert any(not torch.equal(a, b) for a, b in zip(before, state.model.parameters(), strict=True))
    assert not state.optimizer.state, "the optimiser was never asked"


def test_without_a_change_of_its_own_a_training_is_scheduled() -> None:
    states = []
    for change in (None, Scheduled(SETTINGS)):
        torch.manual_seed(0)
        states.append(State.begin(Rebuilder(3), weighed, SETTINGS, 10))
        steps_of(states[-1], 10, change=change)
    a, b = (list(s.model.parameters()) for s in states)
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def test_views_are_taken_of_every_batch_with_the_chance_of_its_step() -> None:
    seen: list[float] = []

    def shifted(batch: Batch) -> Batch:
        seen.append(torch.rand(()).item())
        return replace(batch, values={TABLE: {"number": batch.values[TABLE]["number"] + 100}})

    far = steps_of(State.begin(Rebuilder(3), weighed, SETTINGS, 10), 4, views=shifted)
    assert far[0].losses["rebuild/table"] > 1000
    first = list(seen)
    assert len(set(first)) == 4
    steps_of(State.begin(Rebuilder(3), weighed, SETTINGS, 10), 4, views=shifted)
    assert seen[4:] == first  # from (seed, step, rank) alone
    steps_of(State.begin(Rebuilder(3), weighed, SETTINGS, 10), 4, views=shifted, seed=1)
    steps_of(State.begin(Rebuilder(3), weighed, SETTINGS, 10), 4, views=shifted, rank=1)
    assert len({*first, *seen[8:]}) == 12


def test_a_loss_that_is_no_number_is_refused() -> None:
    def broken(losses: Mapping[str, Tensor]) -> Tensor:
        return losses["size"] * torch.nan

    state = State.begin(Rebuilder(3), broken, SETTINGS, 10)
    with pytest.raises(JobError, match="the loss is nan at step 1"):
        steps_of(state, 1)


def opened(table: Path, job_dict: Any, **train: Any) -> tuple[Model, Any, Parts]:
    """A model of the small table, its rows and their parts."""
    settings = {"batch": 16, "precision": "float32", "ema": 0.9} | train
    job = load_job(job_dict(table, columns=("note", "load"), train=settings))
    read = open_table(job.table)
    parts = split_job(read, job)
    loader = open_loader(job, read, parts)
    torch.manual_seed(0)
    return Model(job, loader.readers, loader.targets, pretrained=False), loader, parts


def test_a_verb_stops_by_whatever_it_asks(small_table: Path, job_dict: Any, tmp_path: Path) -> None:
    """A score that is best after the second epoch of its own; answers are never looked at."""
    model, loader, parts = opened(small_table, job_dict, epochs=9, patience=2)
    values, shown = iter([0.1, 0.7, 0.3, 0.2, 0.9]), []

    def score() -> Score:
        shown.append({n: p.detach().clone() for n, p in model.named_parameters()})
        return Score(next(values), {"mine": {"size": float(len(shown))}})

    plan = replace(supervised_plan(model, loader, parts.validation), score=score)
    notes = train_model(model, loader, parts, model.job, tmp_path, plan=plan, quiet=True)
    assert (notes.epoch, notes.best_epoch) == (4, 1)
    assert [c["score"] for c in notes.curves] == [0.1, 0.7, 0.3, 0.2]
    assert notes.curves[2]["validation"] == {"mine": {"size": 3.0}}
    assert all(torch.equal(p, shown[1][n]) for n, p in model.named_parameters())


def test_a_plan_of_its_own_trains_a_whole_model_and_goes_on(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    """Summaries of the note are to tell those of the table; no task learns anything."""

    def agree(model: Model, batch: Batch) -> Losses:
        tokens = model.encode(batch)
        apart = (tokens["note"].summary_BD - tokens[TABLE].summary_BD) ** 2
        losses = Losses()
        losses.add("agree/note~table", apart.mean(), torch.tensor(len(batch)))
        return losses

    def only(losses: Mapping[str, Tensor]) -> Tensor:
        return losses["agree/note~table"]

    weights = []
    for stop in (False, True):
        out = tmp_path / str(stop)
        model, loader, parts = opened(small_table, job_dict, epochs=3)
        heads = {n: p.detach().clone() for n, p in model.tasks.named_parameters()}
        if stop:  # after an epoch, by whoever pulls the plug
            plan = Plan[Model](pulled(agree, after=6), only)
            assert train_model(
                model, loader, parts, model.job, out, plan=plan, quiet=True
            ).interrupted
            model, loader, parts = opened(small_table, job_dict, epochs=3)
        plan = Plan[Model](agree, only)
        notes = train_model(
            model, loader, parts, model.job, out, plan=plan, resume=stop, quiet=True
        )
        assert notes.epoch == 3
        assert notes.best is None
        assert notes.curves[-1]["loss"] < notes.curves[0]["loss"]
        assert all(torch.equal(p, heads[n]) for n, p in model.tasks.named_parameters())
        weights.append(model.state_dict())
    assert all(torch.equal(t, weights[1][n]) for n, t in weights[0].items())


def pulled(objective: Any, after: int) -> Any:
    """The objective, until Ctrl-C comes."""
    calls: list[int] = []

    def some(model: Model, batch: Batch) -> Losses:
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return objective(model, batch)

    return some
