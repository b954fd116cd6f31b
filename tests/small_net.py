"""A network of two columns that is small enough to work out by hand: for tests of objectives."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses

ROWS = 6


class Net(nn.Module):
    """Two columns of three numbers, joined without a line being straight."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.inward = nn.ModuleDict({n: nn.Linear(3, 4) for n in ("left", "right")})
        self.outward = nn.Linear(4, 2)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, 2)."""
        parts = [self.inward[n](batch.values[n]["x"]) for n in self.inward]
        return self.outward(torch.tanh(torch.stack(parts).prod(0)))


def rows() -> Batch:
    """Rows of both columns, and their class."""
    draw = torch.Generator().manual_seed(2)
    values = {n: {"x": torch.randn(ROWS, 3, generator=draw)} for n in ("left", "right")}
    present = {n: torch.ones(ROWS).bool() for n in values}
    y = torch.arange(ROWS) % 2
    return Batch(values, present, {"fault": {"y": y, "known": torch.ones(ROWS).bool()}})


def objective(net: Net, batch: Batch) -> Losses:
    """Cross entropy, and a method's loss that no attacker looks at."""
    losses = Losses()
    loss = F.cross_entropy(net(batch), batch.targets["fault"]["y"])
    losses.add("fault", loss, torch.tensor(ROWS))
    losses.add("fault/left", -7 * net(batch).sum(), torch.tensor(ROWS))
    return losses


class Box:
    """Both columns by at most `size` a number, or all numbers of a row by at most that together."""

    def __init__(self, batch: Batch, size: float = 0.3, *, ball: bool = False) -> None:
        self.given, self.size, self.is_ball = batch, size, ball

    def zero(self) -> Tensor:
        """No move."""
        return torch.zeros(len(self.given), 6)

    def start(self, draw: torch.Generator) -> Tensor:
        """Anywhere."""
        return self.project(2 * torch.rand((len(self.given), 6), generator=draw) - 1)

    def project(self, u_BM: Tensor) -> Tensor:
        """Back inside."""
        if self.is_ball:
            return u_BM / u_BM.norm(dim=1, keepdim=True).clamp_min(1.0)
        return u_BM.clamp(-1.0, 1.0)

    def steepest(self, slope_BM: Tensor) -> Tensor:
        """Signs, or the slope itself."""
        if self.is_ball:
            return slope_BM / slope_BM.norm(dim=1, keepdim=True)
        return slope_BM.sign()

    def batch(self, u_BM: Tensor) -> Batch:
        """Moved rows."""
        return moved(self.given, u_BM * self.size)


def moved(batch: Batch, add_BM: Tensor) -> Batch:
    """Rows with numbers added to both columns."""
    parts = zip(("left", "right"), add_BM.split(3, 1), strict=True)
    values = {n: {"x": batch.values[n]["x"] + add} for n, add in parts}
    return Batch(values, batch.present, batch.targets)


def box(net: Net, batch: Batch) -> Box:
    """What an attacker may do to a batch."""
    return Box(batch)


def gradients(net: Net, loss: Tensor) -> list[Tensor]:
    """What a step would change the weights by."""
    net.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in net.parameters() if p.grad is not None]
