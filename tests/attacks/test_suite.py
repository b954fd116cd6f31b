"""The suite's figures are those of rows counted by hand, and masked gradients are found out."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attacked import Small, generator, small
from modalloy.attacks.apgd import APGD
from modalloy.attacks.attack import answering, by_loss, look, some
from modalloy.attacks.budget import Budget
from modalloy.attacks.fgsm import FGSM
from modalloy.attacks.masking import (
    check_black_box,
    check_growth,
    check_restarts,
    check_slopes,
    worst_of,
)
from modalloy.attacks.suite import Suite, run_suite
from modalloy.attacks.trial import Effort, Trial
from modalloy.errors import JobError
from modalloy.model.tokens import Batch

LITTLE = Effort(steps=3, restarts=2, aims=2, queries=4, columns_alone=False, corruptions=False)
LOAD = Budget("load", 0.3, "sd")


def learned(found: Small, steps: int = 60) -> Small:
    """The network after a few steps on the rows themselves."""
    from modalloy.objectives.supervised import supervised

    optimizer = torch.optim.AdamW(found.model.parameters(), lr=1e-2)
    found.model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        sum(supervised(found.model, found.batch).values()).backward()
        optimizer.step()
    found.model.eval()
    return found


@pytest.fixture(scope="module")
def taught() -> Small:
    torch.manual_seed(0)
    return learned(small(("load", "site", "note"), rows=12), 20)


@pytest.fixture(scope="module")
def suite(taught: Small) -> Suite:
    batches = [some(taught.batch, torch.arange(7)), some(taught.batch, torch.arange(7, 12))]
    budgets = [
        LOAD,
        Budget("site", 1.0, "name", "name"),
        Budget("note", 0.1, "embedding", "embedding"),
        Budget("note", 1.0, "words", "words"),
    ]
    effort = LITTLE._replace(columns_alone=True, corruptions=True)
    return run_suite(taught.model, batches, budgets, effort=effort, cells_of=taught.loader.cells)


def test_clean_figures_are_those_of_the_answers(taught: Small, suite: Suite) -> None:
    with torch.no_grad():
        output = taught.model(taught.batch).tasks
    fault, life = taught.batch.targets["fault"], taught.batch.targets["life"]
    right = (output["fault"]["logits"][:, 0].argmax(1) == fault["y"]).float().mean()
    assert suite.tasks["fault"].clean == pytest.approx(float(right), abs=1e-6)
    known = life["known"]
    wrong = (output["life"]["value"][:, 0] - life["y"])[known] ** 2
    scale = taught.model.targets["life"].scale
    assert suite.tasks["life"].clean == pytest.approx(float(wrong.mean()) ** 0.5 * scale, rel=1e-4)
    assert suite.tasks["life"].rows == int(known.sum()) < 12
    assert suite.tasks["life"].unit == "h"


def test_the_worst_of_all_is_taken_row_by_row(suite: Suite) -> None:
    for task, found in suite.tasks.items():
        costs = suite.costs[task]
        every = np.stack([c for n, c in costs.items() if n != "worst"])
        assert np.array_equal(costs["worst"], every.max(0))
        assert {
            "clean",
            "names and words",
            "FGSM",
            "PGD-3",
            "APGD-CE",
            "APGD-T",
            "Square",
        } <= costs.keys()
        figures = [found.clean, *found.attacks.values()]
        if found.figure == "rmse":
            assert found.worst >= max(figures) - 1e-6
        if found.figure == "accuracy":
            assert found.worst == pytest.approx(1 - costs["worst"].mean())
            assert found.worst < found.clean
        assert found.columns.keys() == found.lying.keys() == {"load", "site", "note"}
        for figure in found.columns.values():
            better = figure >= found.worst - 0.15 if found.figure == "accuracy" else True
            assert better
        assert all(len(curve) == 5 for curve in found.corruptions.values())
        assert {"noise", "dropout", "gain"} <= found.corruptions.keys()


def test_an_attack_in_the_suite_is_the_attack_by_itself(taught: Small) -> None:
    trial = Trial(taught.model, [taught.batch], "fault", 0)
    start = trial.rewritten({}, [LOAD])
    under = trial.under(FGSM(tasks=("fault",)), [LOAD], start=start)
    handed = FGSM(tasks=("fault",))(taught.model, taught.batch, [LOAD], draw=generator())
    with answering(taught.model):
        wrong = look(taught.model, handed, by_loss(["fault"])).wrong_B
    clean = trial.clean_N > 0
    assert torch.equal(under > 0, wrong | clean)
    assert torch.equal(under[clean], torch.ones(int(clean.sum())))


def test_what_is_found_does_not_depend_on_order_and_survives_json(suite: Suite) -> None:
    taught = small(("load", "site"))
    kept = json.loads(json.dumps(suite.as_dict()))
    back = Suite.from_dict(kept)
    assert json.loads(json.dumps(back.as_dict())) == kept
    assert back.budgets["note"] == "0.1 embedding, 1 word"
    both = [
        run_suite(taught.model, [taught.batch], [LOAD], effort=LITTLE, tasks=order).as_dict()[
            "tasks"
        ]
        for order in (["fault", "life"], ["life", "fault"])
    ]
    assert both[0] == both[1]
    other = run_suite(taught.model, [taught.batch], [LOAD], effort=LITTLE, seed=5)
    assert other.as_dict()["tasks"] != both[0]


def test_every_part_of_an_effort_is_felt() -> None:
    found = small(("load", "taken_at"))
    budgets = [LOAD, Budget("taken_at", 20.0, "d")]

    def costs(effort: Effort) -> dict[str, Any]:
        return dict(
            run_suite(found.model, [found.batch], budgets, effort=effort, tasks=["life"]).costs[
                "life"
            ]
        )

    plain = costs(LITTLE)
    changes = {"steps": ("APGD-CE", 6), "restarts": ("APGD-CE", 1), "queries": ("Square", 9)}
    for option, (attack, value) in changes.items():
        other = costs(LITTLE._replace(**{option: value}))
        assert not np.array_equal(plain[attack], other[attack]), option


class Steps(nn.Module):
    """Rounds what passes: the answers hardly change, their gradient is zero."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        return self.inside((x * 4).round() / 4)


def test_a_network_that_hides_its_gradients_is_not_called_robust() -> None:
    torch.manual_seed(0)
    found = learned(small(("load",), rows=24), 80)
    budgets = [Budget("load", 0.5, "sd")]
    effort = LITTLE._replace(queries=60)
    honest = run_suite(found.model, [found.batch], budgets, effort=effort, tasks=["fault"])
    assert all(
        c.passed for c in honest.tasks["fault"].checks if c.name in ("gradients", "black box")
    )
    encoder = found.model.encoders["table"]
    encoder.parts[0] = Steps(encoder.parts[0])
    masked = run_suite(found.model, [found.batch], budgets, effort=effort, tasks=["fault"])
    result = masked.tasks["fault"]
    failed = {c.name for c in result.checks if not c.passed}
    assert "gradients" in failed
    assert not result.robust
    assert any("the word robust is refused" in s for s in result.said)
    assert result.attacks["FGSM"] == result.clean
    assert result.attacks["Square"] < result.clean


def test_checks_say_what_they_found() -> None:
    good = check_growth("accuracy", [(1, 0.2), (64, 0.97)], 0.5)
    assert good.passed
    assert "64 times the budgets 3.0 % of answers are right" in good.said
    assert not check_growth("accuracy", [(1, 0.2), (64, 0.9)], 0.5).passed
    assert check_growth("rmse", [(1, 0.2), (64, 1.1)], 1.0).passed
    assert not check_growth("rmse", [(1, 0.2), (64, 0.9)], 1.0).passed
    assert check_growth("loss", [(1, 0.2), (64, 0.5)], None).passed
    white, black = torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    assert not check_black_box(white, black).passed
    assert check_black_box(white, white).passed
    assert check_restarts("accuracy", [0.40, 0.42]).passed
    assert not check_restarts("accuracy", [0.40, 0.44]).passed
    assert check_restarts("rmse", [4.0, 4.3]).passed
    assert not check_restarts("rmse", [4.0, 5.0]).passed
    assert check_slopes(torch.zeros(200, dtype=torch.bool)).passed
    assert not check_slopes(torch.ones(2, dtype=torch.bool)).passed
    assert worst_of([white, black]).tolist() == [1.0, 0.0, 1.0, 1.0]


def test_no_better_than_one_answer_is_not_robust() -> None:
    found = small(("load",), rows=24)
    result = run_suite(
        found.model, [found.batch], [Budget("load", 3.0, "sd")], effort=LITTLE, tasks=["fault"]
    ).tasks["fault"]
    assert result.blind is not None
    assert result.worst <= result.blind
    assert not result.robust
    assert any("no better than always giving one answer" in s for s in result.said)


def test_a_blind_answer_is_the_best_of_its_kind(taught: Small) -> None:
    trial = Trial(taught.model, [taught.batch], "fault", 0)
    y = taught.batch.targets["fault"]["y"].numpy()
    assert trial.blind == pytest.approx(1 - np.bincount(y).max() / len(y))
    trial = Trial(taught.model, [taught.batch], "life", 0)
    life = taught.batch.targets["life"]
    assert trial.blind == pytest.approx(float(life["y"][life["known"]].var(correction=0)), rel=1e-5)


def test_what_cannot_be_attacked_gets_a_sentence(taught: Small) -> None:
    with pytest.raises(JobError, match="budgets in words need the cells"):
        run_suite(taught.model, [taught.batch], [Budget("note", 1.0, "words", "words")])
    batch = some(taught.batch, torch.arange(4))
    known = {**batch.targets["fault"], "known": torch.zeros(4, dtype=torch.bool)}
    empty = Batch(batch.values, batch.present, {**batch.targets, "fault": known}, batch.rows)
    with pytest.raises(JobError, match="no row has an answer"):
        run_suite(taught.model, [empty], [LOAD], tasks=["fault"])


def test_attacks_leave_the_model_as_it_was(taught: Small) -> None:
    before = {k: v.clone() for k, v in taught.model.state_dict().items()}
    APGD(2)(taught.model, taught.batch, [LOAD], draw=generator())
    assert all(torch.equal(v, before[k]) for k, v in taught.model.state_dict().items())
