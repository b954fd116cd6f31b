"""Options of hardening change what is learned; validation rows choose weights and say when."""

from typing import Any, cast

import numpy as np
import pytest
import torch

from attacked import Small, small
from modalloy.attacks.budget import budgets_of
from modalloy.errors import JobError
from modalloy.hardening.judged import QUICK, drawn_rows, effort_of
from modalloy.hardening.learn_on import passes, through_frozen, training_job
from modalloy.hardening.lies import anything, corruptions, places
from modalloy.hardening.looks import Looks, between, choose_weights, worth
from modalloy.hardening.objective import cost_of, hardening, refuse_training
from modalloy.job import config
from modalloy.judge.validate import Score
from modalloy.objectives.reach import of_tasks
from modalloy.objectives.supervised import supervised

COLUMNS = ("load", "site", "vibration", "note")
VIBRATION = {"type": "series", "length": 32, "front": ["statistics"]}


@pytest.fixture(scope="module")
def found() -> Small:
    """A network over four kinds of column."""
    return small(COLUMNS, more={"vibration": VIBRATION})


def learned(found: Small, **options: Any) -> float:
    """What the loss is over five batches, each of its seed, hidden inputs and dropout alike."""
    model = found.model
    asked = config.Harden(**{"corrupted": 0.0, "lying": 0.0, **options})
    budgets = budgets_of(model.job, model.readers, asked.budgets)
    objective = hardening(model, asked, budgets)
    model.train()
    total = 0.0
    for step in range(5):
        torch.manual_seed(step)
        total += of_tasks(objective(model, found.batch)).item()
    model.eval()
    return total


def test_each_option_of_the_objective_changes_the_loss(found: Small) -> None:
    usual = learned(found)
    plain = learned(found, training="corruptions")
    assert usual > plain
    assert learned(found, training="pgd", steps=2) != usual
    assert learned(found, training="pgd", steps=2) != learned(found, training="pgd", steps=3)
    steps, beta = {"training": "trades", "steps": 1}, 12.0
    assert learned(found, **steps, beta=beta) > learned(found, **steps) > plain
    assert learned(found, training="freelb", steps=2) != usual
    assert learned(found, attacked=1.0) > usual
    assert learned(found, budgets=dict.fromkeys(COLUMNS, 0)) < usual
    assert learned(found, training="corruptions", corrupted=0.9) != plain
    assert learned(found, training="corruptions", lying=0.9) != plain


def test_passes_and_rate_are_those_asked_for_or_as_many_as_the_time_allows(found: Small) -> None:
    job = found.model.job

    def settings(**options: Any) -> config.Train:
        asked = job.model_copy(update={"harden": config.Harden(**options)})
        return training_job(asked, {"epochs": 20, "batch": 8}, 1000, 0).train

    usual = settings()
    assert (usual.lr, usual.batch, usual.precision) == (job.train.lr, 8, "float32")
    assert usual.epochs == 25  # at twice the cost, 2.5 times as long as 20 plain passes
    assert settings(training="pgd").epochs == 6
    assert settings(epochs=4, lr=3e-4).epochs == 4
    assert settings(epochs=4, lr=3e-4).lr == 3e-4
    fgsm = config.Harden()
    assert cost_of(fgsm) == 2
    assert passes(fgsm, 20, 1000, 300) < 25  # looks cost time too
    assert passes(fgsm, 1, 1000, 0) == 3


def test_rows_and_effort_say_how_much_is_attacked() -> None:
    which = np.arange(10, 400)
    rows = drawn_rows(which, config.Harden().rows)
    assert len(rows) == 200
    assert set(rows) <= set(which)
    assert list(rows) == sorted(rows)
    assert len(drawn_rows(which, 7)) == 7
    assert drawn_rows(which, 1000) is which
    assert effort_of(config.Harden()) == QUICK
    assert effort_of(config.Harden(effort="full")).steps == 100


class Fixed(Looks):
    """Looks whose scores hang on one weight alone."""

    def both(self) -> tuple[Score, Score]:
        at = cast("Any", self.model).weight[0, 0].item()
        return Score(1 - 0.04 * at, {}), Score(at - 0.3 * at**2, {})


def test_weights_hold_best_under_attack_where_clean_rows_lose_no_more_than_clean_loss() -> None:
    for points, wanted in ((2.0, 0.5), (1.0, 0.25), (0.5, 0.0), (9.0, 1.0)):
        net = torch.nn.Linear(1, 1)
        torch.nn.init.ones_(net.weight)
        old = {n: torch.zeros_like(t) for n, t in net.state_dict().items()}
        given: Any = (net, None, np.arange(3), ())
        least = 1 - config.Harden(clean_loss=points).clean_loss / 100
        chosen = choose_weights(Fixed(*given, least=least), old)
        assert chosen.share == wanted
        assert net.weight.item() == pytest.approx(wanted)
        assert [t[0] for t in chosen.tried] == [0.0, 0.25, 0.5, 0.75, 1.0]
    nobody: Any = (net, None, np.arange(0), ())
    assert choose_weights(Fixed(*nobody), old).share == 1.0
    assert worth(0.9, 0.5, 0.88) == pytest.approx(0.7)
    assert worth(0.87, 0.5, 0.88) == pytest.approx(0.685 - 0.1)
    counts = {"seen": torch.tensor(3), "weight": torch.tensor([1.0])}
    halfway = between({**counts, "weight": torch.tensor([0.0])}, counts, 0.5)
    assert (halfway["seen"], halfway["weight"]) == (3, 0.5)


def test_looks_attack_validation_rows_within_the_budgets(found: Small) -> None:
    rows = np.arange(20)
    budgets = budgets_of(found.model.job, found.model.readers, {"vibration": "3 sd"})
    looks = Looks(found.model, found.loader, rows, budgets)
    clean, attacked = looks.both()
    assert attacked.value < clean.value
    score = looks.score()
    assert score.value == pytest.approx(0.5 * (clean.value + attacked.value))
    assert {"accuracy", "accuracy attacked"} <= score.figures["fault"].keys()
    assert looks.attacked().value == attacked.value


def test_places_lies_and_corruptions_name_every_column(found: Small) -> None:
    where, batch = places(found.model), found.batch
    assert set(where) == set(COLUMNS)
    for name in ("load", "site"):
        assert batch.values["table"][where[name].tensor].ndim == 2
    assert set(anything(found.model)) == {"load", "vibration", "note"}
    worn = corruptions(found.model)
    assert {place.input for place, _ in worn} == {"table", "vibration", "note"}
    for place, corrupt in worn:
        torch.manual_seed(1)
        changed = corrupt(batch)
        other = [i for i in batch.values if i != place.input]
        assert all(changed.values[i] == batch.values[i] for i in other)


def test_gradients_reach_cells_through_an_encoder_that_stays_as_it_is() -> None:
    found = small(("load",), more={"vibration": VIBRATION})
    assert found.model.encoder("vibration").frozen
    with through_frozen(found.model):
        values = {i: dict(v) for i, v in found.batch.values.items()}
        x = values["vibration"]["x"] = values["vibration"]["x"].clone().requires_grad_()
        batch = type(found.batch)(values, found.batch.present, found.batch.targets)
        of_tasks(supervised(found.model, batch)).backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0
    assert not any(e.opened for e in found.model.encoders.values())


def test_trainings_that_a_network_cannot_take_get_a_sentence() -> None:
    model = small(("load",)).model
    with pytest.raises(JobError, match="freelb moves the embeddings of text, and this run reads"):
        refuse_training(model, config.Harden(training="freelb"))
    refuse_training(model, config.Harden(training="trades"))
