"""A surrogate beside which some outputs are known exactly, because they follow from the design."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from modalloy.designing.surrogates.joined import Joined
from modalloy.designing.surrogates.surrogate import Predicted, SmoothSurrogate, Surrogate

STEP = 1e-5  # of a column, by which slopes are measured
SURE = 1e-9  # deviation of what is known, in deviations of the output over random designs

Values = Callable[[np.ndarray], np.ndarray]  # designs in, known outputs (N, V) out


@dataclass(frozen=True)
class KnownToo:
    """The outputs of a surrogate, and V known ones behind them, such as variables themselves.

    values: known outputs of designs. sure_V: deviation of each, so small that nothing depends on
    it.
    """

    surrogate: SmoothSurrogate
    values: Values
    sure_V: np.ndarray

    @property
    def log_O(self) -> np.ndarray:
        """Which outputs are modelled by their logarithm; none that is known."""
        return np.r_[self.surrogate.log_O, np.zeros(len(self.sure_V), dtype=bool)]

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """What both say of designs."""
        said, known_NV = self.surrogate.predict(u_ND), self.values(u_ND)
        sure_NV = np.broadcast_to(self.sure_V, known_NV.shape)
        return Predicted(
            np.concatenate([said.mean_NO, known_NV], axis=1),
            np.concatenate([said.deviation_NO, sure_NV], axis=1),
            self.log_O,
        )

    def posterior(self, u_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same as tensors; the slopes of known outputs are differences over small steps."""
        mean_NO, deviation_NO = self.surrogate.posterior(u_ND)
        known_NV = Followed.apply(u_ND, self.values)
        sure_NV = torch.from_numpy(self.sure_V).expand(known_NV.shape)
        return torch.cat([mean_NO, known_NV], 1), torch.cat([deviation_NO, sure_NV], 1)


@dataclass(frozen=True)
class KnownAlone:
    """V known outputs by themselves, as of `KnownToo`."""

    values: Values
    sure_V: np.ndarray

    @property
    def log_O(self) -> np.ndarray:
        """None is modelled by its logarithm."""
        return np.zeros(len(self.sure_V), dtype=bool)

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """What is known of designs."""
        known_NV = self.values(u_ND)
        return Predicted(known_NV, np.broadcast_to(self.sure_V, known_NV.shape), self.log_O)


def with_known(surrogate: Surrogate, values: Values, columns: int) -> KnownToo | Joined:
    """A surrogate with known outputs behind its own; columns: of a design."""
    sure_V = sure_of(values, columns)
    if isinstance(surrogate, SmoothSurrogate):
        return KnownToo(surrogate, values, sure_V)
    return Joined((surrogate, KnownAlone(values, sure_V)))


def sure_of(values: Values, columns: int) -> np.ndarray:
    """The deviation of each known output: next to nothing of how much it differs over the space."""
    scale_V = values(np.random.default_rng(0).random((256, columns))).std(0)
    return SURE * np.where(scale_V > 0, scale_V, 1.0)


class Followed(torch.autograd.Function):
    """A function of numpy arrays whose slopes are measured."""

    @staticmethod
    def forward(ctx: Any, u_ND: torch.Tensor, values: Values) -> torch.Tensor:
        """Values of designs, (N, V)."""
        ctx.save_for_backward(u_ND)
        ctx.values = values
        return torch.from_numpy(np.asarray(values(u_ND.detach().numpy()), dtype=np.float64))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[torch.Tensor, None]:
        """The slope by each column, from a step up and one down inside [0, 1]."""
        u_ND = ctx.saved_tensors[0].numpy()
        slope_ND = np.zeros(u_ND.shape)
        for d in range(u_ND.shape[1]):
            up_ND, down_ND = u_ND.copy(), u_ND.copy()
            up_ND[:, d] = np.minimum(up_ND[:, d] + STEP, 1.0)
            down_ND[:, d] = np.maximum(down_ND[:, d] - STEP, 0.0)
            rise_NV = ctx.values(up_ND) - ctx.values(down_ND)
            run_N1 = (up_ND[:, d] - down_ND[:, d])[:, None]
            slope_ND[:, d] = (grads[0].numpy() * rise_NV / run_N1).sum(1)
        return torch.from_numpy(slope_ND), None
