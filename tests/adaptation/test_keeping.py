"""Between old and learned weights is chosen what gains most among what keeps the old."""

import torch
from torch import nn

from modalloy.adaptation.keeping import Tried, between, keep_old


def test_between_is_the_weighed_mean() -> None:
    old = {"w": torch.tensor([0.0, 4.0]), "count": torch.tensor(1)}
    new = {"w": torch.tensor([2.0, 0.0]), "count": torch.tensor(7)}
    found = between(old, new, 0.25)
    torch.testing.assert_close(found["w"], 0.75 * old["w"] + 0.25 * new["w"])
    assert found["count"] == 7


def test_the_most_is_gained_where_the_old_holds() -> None:
    net = nn.Linear(1, 1, bias=False)
    old = {"weight": torch.zeros(1, 1)}

    def judge() -> Tried:
        w = net.weight.item()  # gains grow with the way, so does what is lost
        return Tried(lost=w**2, gained=w)

    for most, share in ((4.0, 0.5), (100.0, 1.0), (0.1, 0.0)):
        with torch.no_grad():
            net.weight.fill_(4.0)
        kept = keep_old(net, old, judge, most=most)
        assert kept.share == share
        assert net.weight.item() == 4.0 * share
        assert kept.gained == 4.0 * share


def test_nothing_that_gains_nothing_is_kept() -> None:
    net = nn.Linear(1, 1, bias=False)
    kept = keep_old(net, {"weight": torch.zeros(1, 1)}, lambda: Tried(0.0, -1.0), most=1.0)
    assert kept.share == 0.0
    assert net.weight.item() == 0.0
