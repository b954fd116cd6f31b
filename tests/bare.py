"""One encoder, or one fusion, in the place of a whole model: for tests of what stands beside it."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from modalloy.job import config
from modalloy.model.adapted import Adapted
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.fusion import build_fusion
from modalloy.model.layers.named import Named
from modalloy.model.trunks.efficientnet import EfficientNetLite


class Bare(nn.Module):
    """Enough of a model to be adapted: an encoder called `x`, a fusion and a head."""

    def __init__(self, encoder: Encoder, fuse: config.Fuse | None = None) -> None:
        super().__init__()
        self.encoders = Named({"x": encoder})
        self.fusion = build_fusion(fuse or config.Concat(width=16, layers=1), ["x"], 16)
        self.tasks = Named({"y": nn.Linear(16, 3)})
        self.inputs, self.readers, self.shared = ["x"], {"x": None}, {}
        self.adapted: Adapted | None = None
        self.allocation: nn.Module | None = None
        self.compressed: list[dict[str, Any]] = []

    def train(self, mode: bool = True) -> "Bare":
        """As `Body` does it."""
        super().train(mode)
        for module in self.adapted.still if self.adapted is not None else ():
            module.eval()
        return self

    def forward(self, values: Mapping[str, Tensor]) -> Tensor:
        """(B, 3)."""
        encoder = self.encoders["x"]
        rows = len(next(iter(values.values())))
        if isinstance(encoder, TableEncoder):
            present = torch.ones(rows, len(encoder.columns), dtype=torch.bool)
        else:
            present = torch.ones(rows, dtype=torch.bool)
        tokens = encoder(values, present)
        x = (
            tokens.x_BTD.mean(1)
            + tokens.summary_BD
            + sum(m.mean((1, 2, 3))[:, None] for m in tokens.maps)
        )
        fused = self.fusion({"x": tokens._replace(summary_BD=x)})
        return self.tasks["y"](fused.summary_BKD.mean(1))


def bare(case: Callable[[Any], Any], folder: Any, rows: int = 4) -> tuple[Any, dict[str, Tensor]]:
    """The model of a case of an encoder, and values for it."""
    torch.manual_seed(0)
    encoder, values = case(folder)
    model, some = Bare(encoder), values(rows)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    norms = [] if isinstance(encoder.trunk, EfficientNetLite) else norms
    for norm in norms:  # figures of what is seen here, without which random weights give nothing
        norm.momentum = 1.0
        norm.train()
    if norms and isinstance(encoder, ImageEncoder):
        with torch.no_grad():
            encoder.features(values(16))
    return model.eval(), some


def learn(model: Any, values: Mapping[str, Tensor], steps: int = 2) -> None:
    """A few steps of everything that learns, as a training takes them."""
    torch.manual_seed(1)
    wanted = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(wanted, lr=0.05)
    model.train()
    for _ in range(steps):
        nn.functional.cross_entropy(
            model(values), torch.arange(len(next(iter(values.values())))) % 3
        ).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
