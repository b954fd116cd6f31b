"""Heads of counts: their likelihood against scipy's, their starts, and what their answers say."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.build import decode
from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.counts import Counts
from modalloy.model.tokens import Batch, Fused, arrays
from modalloy.readers.targets.counts import CountTarget

D = 8
COUNTS = [0, 0, 0, 0, 1, 1, 2, 5]
KINDS = ("negative_binomial", "zero_inflated", "empirical")


def made(kind: str, *, members: int = 1, **options: Any) -> tuple[Counts, CountTarget, Any]:
    torch.manual_seed(0)
    asked = config.Regress(target="y", distribution=kind, **options)
    target = CountTarget.fit("sold", asked, Cells({"y": COUNTS}))
    task = build_task("sold", asked, target, D, members, 0.0)
    assert isinstance(task, Counts)
    return task, target, asked


def answer_of(kind: str, *, members: int = 1, rows: int = 40, **options: Any) -> Answer:
    task, target, asked = made(kind, members=members, **options)
    fused = Fused(3 * torch.randn(rows, members, D))
    return decode(asked, target, arrays(task(fused, {}, Batch({}, {}))))


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_negative_log_likelihood(kind: str, members: int) -> None:
    task, target, _ = made(kind, members=members)
    outputs = task(Fused(torch.randn(len(COUNTS), members, D)), {}, Batch({}, {}))
    read = target.read(Cells({"y": COUNTS}))
    found = task.loss(outputs, {k: torch.from_numpy(v) for k, v in read.items()}).item()
    mean_BK, shape_BKP = (outputs[k].detach().double().numpy() for k in ("value", "shape"))
    mean_BK = mean_BK * target.scale + target.center
    lost = []
    for b, count in enumerate(COUNTS):
        for k in range(members):
            if kind == "empirical":
                lost.append(-shape_BKP[b, k, target.atoms.index(count)])
                continue
            other = 1 / (1 + np.exp(-shape_BKP[b, k, 1])) if kind == "zero_inflated" else 0.0
            r, mean = np.exp(shape_BKP[b, k, 0]), mean_BK[b, k] / (1 - other)
            chance = other * (count == 0) + (1 - other) * stats.nbinom.pmf(count, r, r / (r + mean))
            lost.append(-np.log(chance))
    assert found == pytest.approx(np.mean(lost), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_starts_at_the_distribution_of_the_training_rows(kind: str) -> None:
    task, target, asked = made(kind)
    nothing = Fused(torch.zeros(1, 1, D))
    said = decode(asked, target, arrays(task(nothing, {}, Batch({}, {}))))
    share = 1 - 1 / (1 + np.exp(2.0)) if kind == "zero_inflated" else 1.0
    assert said["value"][0] == pytest.approx(np.mean(COUNTS) * share, rel=1e-4)
    if kind == "empirical":
        assert said["zero"][0] == pytest.approx(0.5, abs=1e-5)
        assert said["percentiles"][0, [49, 50, 74, 98]].tolist() == [0, 1, 1, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_whole_rising_quantiles_and_agree_with_scipy(kind: str) -> None:
    order = config.Order(shortage=9, holding=1)
    said = answer_of(kind, quantiles=(0.25, 0.9), order=order)
    assert (np.diff(said["percentiles"], axis=1) >= 0).all()
    assert (said["percentiles"] == np.floor(said["percentiles"])).all()
    assert (said["quantiles"][:, 1] == said["percentiles"][:, 89]).all()
    assert (said["level"] == said["quantiles"][:, 1]).all()  # 9 / (9 + 1)
    assert len({tuple(row) for row in said["percentiles"]}) > 10
    zero_B = (said["percentiles"] == 0).mean(1)
    assert np.abs(zero_B - said["zero"]).max() < 0.02
    cheap = config.Order(shortage=9, holding=9)
    assert (answer_of(kind, order=cheap)["level"] == said["percentiles"][:, 49]).all()


def test_quantiles_of_a_negative_binomial_are_those_of_scipy() -> None:
    task, target, asked = made("negative_binomial", quantiles=(0.05, 0.5, 0.99))
    outputs = arrays(task(Fused(3 * torch.randn(60, 1, D)), {}, Batch({}, {})))
    said = decode(asked, target, outputs)
    r_B, mean_B = np.exp(outputs["shape"][:, 0, 0].astype(float)), said["value"]
    for q, level in enumerate(asked.quantiles):
        expected = stats.nbinom.ppf(level, r_B, r_B / (r_B + mean_B))
        assert (said["quantiles"][:, q] == np.minimum(expected, 4 * target.most + 10)).all()
    assert np.allclose(said["zero"], stats.nbinom.pmf(0, r_B, r_B / (r_B + mean_B)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_answered_alone_as_in_a_batch(kind: str) -> None:
    task, target, asked = made(kind, members=2, order=config.Order(shortage=4))
    outputs = arrays(task(Fused(3 * torch.randn(30, 2, D)), {}, Batch({}, {})))
    whole = decode(asked, target, outputs)
    for row in (0, 17):
        alone = decode(asked, target, {k: x[row : row + 1] for k, x in outputs.items()})
        assert all((alone[k][0] == whole[k][row]).all() for k in whole)


def test_a_bound_holds_for_means_and_quantiles() -> None:
    said = answer_of("negative_binomial", highest=5.0)
    assert said["value"].max() <= 5.0
    assert said["percentiles"].max() == 5.0
