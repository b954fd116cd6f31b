"""Tent beside a slow version, and without a look at anything but norms."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modalloy.adaptation.tent import tent
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.model.tokens import Batch

CLASSES = config.Classify(target="y")


class Net(nn.Module):
    """A norm between two linear maps; two members answer."""

    def __init__(self, options: Any) -> None:
        super().__init__()
        self.job = SimpleNamespace(tasks={"y": options})
        self.inward, self.norm, self.out = nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 6)

    def forward(self, batch: Batch, tasks: Any = None) -> Any:
        assert tasks in (None, ["y"])
        x_BF = batch.values["x"]["x"]
        logits_BKC = self.out(torch.tanh(self.norm(self.inward(x_BF)))).view(-1, 2, 3)
        return SimpleNamespace(tasks={"y": {"logits": logits_BKC}})


def batches() -> list[Batch]:
    """Two batches of five rows."""
    draw = torch.Generator().manual_seed(1)
    return [Batch({"x": {"x": torch.randn(5, 3, generator=draw)}}, {}, {}, np.arange(5))
            for _ in range(2)]  # fmt: skip


def test_it_is_the_slow_version() -> None:
    torch.manual_seed(0)
    net: Any = Net(CLASSES)
    state = {n: p.detach().clone() for n, p in net.named_parameters()}
    found = tent(net, batches(), lr=0.01)
    w, b = (state[f"norm.{n}"].clone().requires_grad_() for n in ("weight", "bias"))
    adam, slow = torch.optim.Adam([w, b], lr=0.01), []
    for batch in batches():
        x = batch.values["x"]["x"] @ state["inward.weight"].T + state["inward.bias"]
        z = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        logits = torch.tanh(z * w + b) @ state["out.weight"].T + state["out.bias"]
        p = logits.view(-1, 2, 3).softmax(-1).mean(1)
        loss = -(p * p.log()).sum() / 5
        adam.zero_grad()
        loss.backward()
        adam.step()
        slow.append(loss.item())
    assert found == pytest.approx(slow, rel=1e-5)
    torch.testing.assert_close(net.norm.weight, w)
    torch.testing.assert_close(net.norm.bias, b)
    for name in ("inward.weight", "out.weight", "out.bias"):
        assert torch.equal(state[name], net.get_parameter(name))
    assert all(p.requires_grad for p in net.parameters())


def test_labels_are_made_sure_of_one_by_one() -> None:
    torch.manual_seed(0)
    net: Any = Net(config.Classify(target="y", labels="multi"))
    with torch.no_grad():
        p = torch.sigmoid(net(batches()[0]).tasks["y"]["logits"]).mean(1)
        slow = torch.distributions.Bernoulli(p).entropy().mean().item()
    first, *_ = tent(net, batches()[:1])
    assert first == pytest.approx(slow, rel=1e-5)


def test_without_classes_it_is_refused() -> None:
    net: Any = Net(config.Regress(target="y"))
    with pytest.raises(RunError, match="'y' answers none; leave --tent out"):
        tent(net, batches())
