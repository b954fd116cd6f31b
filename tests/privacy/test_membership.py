"""The attack finds members of a model that learned by heart, and not of one that kept them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from modalloy.job import config
from modalloy.job.private import Private
from modalloy.learn.state import State
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.privacy.accountant import plan
from modalloy.privacy.membership import area, by_likelihood, by_loss, by_reference, confidence
from modalloy.privacy.noisy import private_settings, private_steps
from modalloy.privacy.per_sample import PerSample
from modalloy.privacy.units import Units
from modalloy.readers.batch import ArrayBatch

ROWS, INPUTS = 1200, 30


def rows(which: np.ndarray) -> ArrayBatch:
    """Rows whose class is a weak direction, and mostly chance."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, INPUTS)).astype(np.float32)
    y = (x[:, 0] + draw.normal(0, 2, ROWS) > 0).astype(np.int64)
    seen = np.ones(len(which), dtype=bool)
    targets = {"fault": {"y": y[which], "known": seen}}
    return ArrayBatch({"v": {"x": x[which]}}, {"v": seen}, targets, which)


LOADER: Any = SimpleNamespace(batch=rows, lengths=lambda which: None)


class Wide(nn.Module):
    """Wide enough to know every row by heart."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(INPUTS, 64), nn.Tanh(), nn.Linear(64, 2))


def objective(net: Wide, batch: Batch) -> Losses:
    losses, target = Losses(), batch.targets["fault"]
    loss = nn.functional.cross_entropy(net.layers(batch.values["v"]["x"]), target["y"])
    losses.add("fault", loss, target["known"].sum())
    return losses


def total(losses: Any) -> torch.Tensor:
    return losses["fault"]


def losses_of(net: Wide, which: np.ndarray) -> np.ndarray:
    return PerSample(net, objective, total).totals(Batch.of(rows(which))).numpy()


def by_heart(which: np.ndarray, seed: int = 0) -> Wide:
    torch.manual_seed(seed)
    net = Wide()
    change = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(200):
        change.zero_grad()
        total(objective(net, Batch.of(rows(which)))).backward()
        change.step()
    return net


def test_members_of_an_overfitted_model_are_found_and_of_a_private_one_not() -> None:
    members, others = np.arange(ROWS // 2), np.arange(ROWS // 2, ROWS)
    net = by_heart(members)
    found = by_loss(losses_of(net, members), losses_of(net, others))
    assert found.auc > 0.6
    assert found.interval[0] > 0.6
    assert (found.members, found.others) == (600, 600)
    options = Private(epsilon=1.0, share=0.5)
    settings = private_settings(config.Train(ema=0.0), options)
    made = plan(options, len(members), 20)
    torch.manual_seed(0)
    net = Wide()
    state = State.begin(net, total, settings, made.steps)
    units = Units.of_rows(members)
    given = {"clip": options.clip, "settings": settings, "secret": 3}
    assert len(list(private_steps(state, objective, LOADER, units, made, **given))) == 20
    kept = by_loss(losses_of(net, members), losses_of(net, others))
    assert kept.auc < 0.57
    assert kept.interval[0] < 0.5 < kept.interval[1]


def test_shadows_and_a_reference_find_members_too() -> None:
    draw, every = np.random.default_rng(1), np.arange(ROWS)
    member_N = draw.permutation(ROWS) < ROWS // 2
    net = by_heart(every[member_N])
    loss_N = losses_of(net, every)
    halves = [draw.permutation(ROWS) < ROWS // 2 for _ in range(2)]
    seen_SN = np.array([h for half in halves for h in (half, ~half)])
    shadow_SN = np.stack(
        [losses_of(by_heart(every[seen], s + 1), every) for s, seen in enumerate(seen_SN)]
    )
    found = by_likelihood(loss_N, member_N, shadow_SN, seen_SN)
    plain = by_loss(loss_N[member_N], loss_N[~member_N])
    assert found.auc > 0.6
    assert found.auc > plain.auc - 0.05
    torch.manual_seed(9)
    easy_N = losses_of(Wide(), every)
    given = (loss_N[member_N], loss_N[~member_N], easy_N[member_N], easy_N[~member_N])
    assert by_reference(*given).auc > 0.6


def test_area_is_scikit_learns_and_its_interval_holds_the_truth() -> None:
    draw = np.random.default_rng(0)
    inside, hits = [], 0
    for _ in range(200):
        a, b = draw.normal(0.5, 1, 60).round(1), draw.normal(0, 1, 80).round(1)
        found = area(a, b)
        truth = roc_auc_score(np.r_[np.ones(60), np.zeros(80)], np.r_[a, b])
        inside.append(found.auc - truth)
        hits += found.interval[0] <= 0.6382 <= found.interval[1]  # of N(0.5, 1) against N(0, 1)
    assert np.abs(inside).max() < 1e-12
    assert 0.9 <= hits / 200 <= 0.99
    assert area(np.ones(3), np.zeros(2)) == (1.0, (1.0, 1.0), 3, 2)


def test_confidence_is_the_logit_of_what_a_loss_says() -> None:
    p = np.array([0.01, 0.3, 0.9, 0.9999])
    np.testing.assert_allclose(confidence(-np.log(p)), np.log(p / (1 - p)), rtol=1e-6)
    assert np.isfinite(confidence(np.array([0.0, 50.0]))).all()
    assert confidence(np.array([2.0]))[0] == pytest.approx(np.log(np.exp(-2) / (1 - np.exp(-2))))
