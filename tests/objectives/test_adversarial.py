"""Moved rows and the gradients that they teach by, against slow loops over single rows."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.model.tokens import Batch
from modalloy.objectives.adversarial import fgsm_rs, pgd
from modalloy.objectives.freelb import RATE, freelb
from modalloy.objectives.losses import Losses
from modalloy.objectives.reach import climb, of_tasks
from small_net import ROWS, Box, Net, box, gradients, moved, objective, rows

SEED = 5


def slopes(net: Net, u_BM: Tensor, size: float) -> Tensor:
    """The gradient of each row's own loss, one row at a time."""
    found = torch.zeros_like(u_BM)
    for i in range(ROWS):
        leaf = u_BM.clone().requires_grad_()
        logits = net(moved(rows(), leaf * size))[i : i + 1]
        F.cross_entropy(logits, rows().targets["fault"]["y"][i : i + 1]).backward()
        found[i] = leaf.grad[i]
    return found


@pytest.mark.parametrize(("steps", "rate"), [(1, 1.25), (3, 2.5 / 3)])
def test_the_gradient_is_that_of_rows_moved_one_by_one(steps: int, rate: float) -> None:
    net = Net()
    torch.manual_seed(SEED)
    torch.rand(ROWS)  # which rows are moved: all of them
    u_BM = 2 * torch.rand(ROWS, 6) - 1
    for _ in range(steps):
        u_BM = (u_BM + rate * slopes(net, u_BM, 0.3).sign()).clamp(-1, 1)
    wanted = gradients(net, objective(net, moved(rows(), u_BM * 0.3))["fault"])
    wrapped = fgsm_rs(objective, box) if steps == 1 else pgd(objective, box, steps=steps)
    torch.manual_seed(SEED)
    found = gradients(net, wrapped(net, rows())["fault"])
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    clean = gradients(net, objective(net, rows())["fault"])
    assert not torch.allclose(found[0], clean[0], atol=1e-3)


def test_freelb_teaches_the_mean_of_all_points_on_its_way() -> None:
    net, size, steps = Net(), 0.8, 3

    def ball(net: Net, batch: Batch) -> Box:
        return Box(batch, size, ball=True)

    torch.manual_seed(SEED)
    u_BM = ball(net, rows()).start(torch.default_generator)
    points = []
    for _ in range(steps):
        points.append(gradients(net, objective(net, moved(rows(), u_BM * size))["fault"]))
        slope_BM = slopes(net, u_BM, size)
        for i in range(ROWS):
            row = u_BM[i] + RATE * slope_BM[i] / slope_BM[i].norm()
            u_BM[i] = row / max(1.0, row.norm().item())
    torch.manual_seed(SEED)
    losses = freelb(objective, ball, steps=steps)(net, rows())
    for a, *own in zip(gradients(net, losses["fault"]), *points, strict=True):
        assert torch.allclose(a, torch.stack(own).mean(0), atol=1e-6)
    assert set(losses.counts) == {"fault", "fault/left"}


def test_a_climb_raises_the_tasks_loss_and_leaves_no_gradient() -> None:
    net = Net()

    def loss_of(batch: Batch) -> Tensor:
        return of_tasks(objective(net, batch))

    only_B = torch.arange(ROWS) < 3
    start = Box(rows()).zero()
    u_BM = climb(loss_of, Box(rows()), start, steps=10, rate=0.2, only_B=only_B)
    found = loss_of(moved(rows(), u_BM * 0.3))
    for _ in range(50):  # no random move of these rows does as much harm
        other = Box(rows()).start(torch.default_generator) * only_B[:, None]
        assert found > loss_of(moved(rows(), other * 0.3))
    assert (u_BM[:3].abs().amax(1) == 1).all()
    assert (u_BM[3:] == 0).all()
    assert all(p.grad is None for p in net.parameters())
    # Own heads of single inputs are no answer: what they lose is not looked at.
    assert loss_of(rows()).item() == pytest.approx(objective(net, rows())["fault"].item())


def test_a_share_of_rows_stays_as_it_is_and_answers_are_not_moved() -> None:
    net, seen = Net(), []

    def watched(own: Net, batch: Batch) -> Losses:
        seen.append(batch.values["left"]["x"].detach().clone())
        return objective(own, batch)

    for _ in range(60):
        fgsm_rs(watched, box, share=0.25)(net, rows())
    x = rows().values["left"]["x"]
    share = torch.stack([(s != x).any(1) for s in seen[1::2]]).float().mean().item()
    assert share == pytest.approx(0.25, abs=0.06)
    net.eval()
    seen.clear()
    for wrapper in (fgsm_rs(watched, box), freelb(watched, box, steps=2)):
        wrapper(net, rows())
    assert len(seen) == 2
    assert all(torch.equal(s, x) for s in seen)
