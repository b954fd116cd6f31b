"""Rows count half for each window that they are older; a window without rows is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import modalloy as ma
from modalloy.adaptation.ageing import counting_by_age, weigh_by_age
from modalloy.adaptation.asked import half_life
from modalloy.job.job_file import load_job
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.table.open_table import open_table

JOB = {
    "table": "x",
    "split": {"random": "stratified"},
    "columns": {"a": {"type": "number"}},
    "tasks": {"y": {"type": "regress", "target": "y"}},
}


@pytest.mark.parametrize(
    ("window", "seconds"), [("30d", 30 * 86_400), ("1.5h", 5400), ("2w", 1_209_600), ("7", 7)]
)
def test_a_window_is_a_stretch_of_time(window: str, seconds: float) -> None:
    assert half_life(window) == seconds


def test_weights_halve_with_age() -> None:
    days = pd.to_datetime(["2024-03-01", "2024-01-31", None, "2024-02-15"])
    table = open_table(pd.DataFrame({"a": 1.0, "y": 1.0, "day": days}))
    found = weigh_by_age(load_job(JOB), table, np.array([0, 1, 3]), "30d", "day")
    np.testing.assert_allclose(found.weight_N, [1.0, 0.5, np.nan, 2 ** (-15 / 30)])
    w = np.array([1.0, 0.5, 2**-0.5])
    assert found.counts == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert (found.inside, found.column) == (3, "day")


def test_a_window_without_rows_gets_a_sentence() -> None:
    table = open_table(pd.DataFrame({"a": 1.0, "y": 1.0, "t": [0.0, 1.0, 100.0]}))
    with pytest.raises(ma.TableError, match=r"lies within 5 of the newest.*lies 19\.8 times 5"):
        weigh_by_age(load_job(JOB), table, np.array([0, 1]), "5", "t")
    with pytest.raises(ma.TableError, match=r"a window needs a column of times.*are none"):
        weigh_by_age(load_job(JOB), table, np.array([0, 1]), "5")
    with pytest.raises(ma.TableError, match="no column 'w'"):
        weigh_by_age(load_job(JOB), table, np.array([0, 1]), "5", "w")


def test_gradients_are_those_of_weighed_rows() -> None:
    """The mean of many drawn steps, beside the loss with a weight a row."""
    x_B, y_B = torch.linspace(-1, 1, 8), torch.linspace(2, 0, 8)
    weight_N = np.array([1.0, 0.5, 0.25, 0.125, 1.0, 0.5, np.nan, 0.25])
    net: Any = nn.Linear(1, 1)
    batch = Batch({}, {}, {"y": {"known": torch.ones(8, dtype=torch.bool)}}, np.arange(8))

    def squared(model: Any, batch: Batch) -> Losses:
        known_B, found = batch.targets["y"]["known"], Losses()
        error_B = (model(x_B[:, None])[:, 0] - y_B) ** 2
        # A sum, so that the mean over draws is exactly the weighed one.
        found.add("y", (error_B * known_B).sum(), known_B.sum())
        return found

    aged = counting_by_age(squared, weight_N)
    draws = torch.stack([torch.autograd.grad(aged(net, batch)["y"], net.weight)[0][0, 0]
                         for _ in range(3000)])  # fmt: skip
    w_B = torch.tensor(np.nan_to_num(weight_N, nan=0.125)).float()
    slow = torch.autograd.grad((w_B * (net(x_B[:, None])[:, 0] - y_B) ** 2).sum(), net.weight)[0]
    assert draws.mean().item() == pytest.approx(slow.item(), abs=4 * draws.std().item() / 3000**0.5)
