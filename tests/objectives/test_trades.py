"""TRADES against its formula, and distances against torch's own divergences."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from test_supervised import model_and_batch
from torch import Tensor

from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.objectives.trades import NEAR, distance, of_labels, trades
from modalloy.readers.batch import TABLE

BETA, STEPS = 3.0, 2


class Loads:
    """Both number cells by half a deviation."""

    def __init__(self, model: Model, batch: Batch) -> None:
        self.given = batch

    def zero(self) -> Tensor:
        return torch.zeros(len(self.given), 1)

    def project(self, u_BM: Tensor) -> Tensor:
        return u_BM.clamp(-1, 1)

    def steepest(self, slope_BM: Tensor) -> Tensor:
        return slope_BM.sign()

    def start(self, draw: torch.Generator) -> Tensor:
        raise AssertionError("TRADES starts beside the row")

    def batch(self, u_BM: Tensor) -> Batch:
        own = self.given.values[TABLE]
        moved = {**own, "number": own["number"] + 0.5 * u_BM}
        return Batch({TABLE: moved}, self.given.present, self.given.targets, self.given.rows)


def test_losses_are_clean_ones_plus_beta_divergences(small_table: Path, job_dict: Any) -> None:
    settings = {"type": "concat", "width": 16, "layers": 1, "dropout": 0.0}
    model, batch = model_and_batch(small_table, job_dict, ("load",), rows=12, fuse=settings)
    model.eval()
    model.training = True  # its parts leave dropout out, so that nothing is drawn
    torch.manual_seed(3)
    found = trades(supervised, Loads, steps=STEPS, beta=BETA)(model, batch)
    grads = torch.autograd.grad(found["fault"], list(model.tasks.parameters()), allow_unused=True)
    torch.manual_seed(3)
    reach, clean = Loads(model, batch), model(batch).tasks
    target = batch.targets["fault"]
    known = target["known"]

    def apart(u_BM: Tensor, held: bool) -> dict[str, Tensor]:
        other = model(reach.batch(u_BM)).tasks
        p = clean["fault"]["logits"][known, 0]
        v = clean["life"]["value"][batch.targets["life"]["known"], 0]
        p, v = (p.detach(), v.detach()) if held else (p, v)
        q = other["fault"]["logits"][known, 0].log_softmax(1)
        w = other["life"]["value"][batch.targets["life"]["known"], 0]
        kl = (p.softmax(1) * (p.log_softmax(1) - q)).sum(1).mean()
        return {"fault": kl, "life": 0.5 * (v - w).square().mean()}

    u_BM = NEAR * torch.randn(12, 1)
    for _ in range(STEPS):
        u_BM = u_BM.detach().requires_grad_()
        (slope,) = torch.autograd.grad(sum(apart(u_BM, held=True).values()), u_BM)
        u_BM = (u_BM + 2.5 / STEPS * slope.sign()).clamp(-1, 1)
    own = supervised(model, batch)
    wanted = own["fault"] + BETA * apart(u_BM.detach(), held=False)["fault"]
    assert found["fault"].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert found["fault"] > own["fault"]
    same = torch.autograd.grad(wanted, list(model.tasks.parameters()), allow_unused=True)
    for a, b in zip(grads, same, strict=True):
        assert (a is None) == (b is None)
        assert a is None or torch.allclose(a, b, atol=1e-6)
    assert found.counts.keys() == own.counts.keys()
    model.training = False
    left = trades(supervised, Loads, steps=STEPS, beta=BETA)(model, batch)
    assert torch.equal(left["fault"], own["fault"])


def test_distances_are_those_of_torch(small_table: Path, job_dict: Any) -> None:
    model, batch = model_and_batch(small_table, job_dict, ("load",), rows=12)
    model.eval()
    said, other = model(batch).tasks, model(Loads(model, batch).batch(torch.ones(12, 1))).tasks
    target = batch.targets["fault"]
    p, q = (o["fault"]["logits"][:, 0] for o in (said, other))
    wanted = F.kl_div(q.log_softmax(1), p.softmax(1), reduction="batchmean")
    got = distance(model.task("fault"), said["fault"], other["fault"], target)
    assert got.item() == pytest.approx(wanted.item(), rel=1e-4)
    a, b = torch.randn(5, 3), torch.randn(5, 3)
    bernoulli = torch.distributions.Bernoulli
    kl = torch.distributions.kl_divergence(bernoulli(logits=a), bernoulli(logits=b))
    assert torch.allclose(of_labels(a, b), kl.sum(1), atol=1e-6)
    with pytest.raises(ValueError, match="have no distance"):
        distance(torch.nn.Identity(), {}, {}, target)  # pyrefly: ignore[bad-argument-type]
