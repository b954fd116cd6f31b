"""What every surrogate says of designs: a mean and a deviation of each output, and how likely a
value is.

Letters: N designs, D columns of a design in [0, 1], O outputs.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from scipy.special import ndtr

from modalloy.errors import DesignError

HALF_LOG_2PI = 0.9189385332046727


class Predicted(NamedTuple):
    """Outputs of designs, each as a normal distribution of its value or of its logarithm.

    mean_NO, deviation_NO: float64, of the natural logarithm where log_O is true, else in the
    output's unit. The deviation is that of a new run: what the model does not know, and what two
    runs of one design differ by.
    """

    mean_NO: np.ndarray
    deviation_NO: np.ndarray
    log_O: np.ndarray

    def quantile(self, z_NO: np.ndarray | float) -> np.ndarray:
        """The value that lies so many deviations above the mean, (N, O), in the outputs' units."""
        return unlinked(self.mean_NO + z_NO * self.deviation_NO, self.log_O)

    @property
    def median_NO(self) -> np.ndarray:
        """The value that is exceeded as often as not, (N, O), in the outputs' units."""
        return self.quantile(0.0)

    def normalised(self, y_NO: np.ndarray) -> np.ndarray:
        """How many deviations values lie above the mean, (N, O); NaN where a value is missing."""
        return (linked(y_NO, self.log_O) - self.mean_NO) / self.deviation_NO

    def log_density(self, y_NO: np.ndarray) -> np.ndarray:
        """The logarithm of the density of values in their units, (N, O); NaN where missing."""
        y_NO = np.asarray(y_NO, dtype=np.float64)
        z_NO = self.normalised(y_NO)
        with np.errstate(invalid="ignore", divide="ignore"):
            stretch_NO = np.where(self.log_O & (y_NO > 0), -np.log(np.abs(y_NO)), 0.0)
        return stretch_NO - np.log(self.deviation_NO) - HALF_LOG_2PI - 0.5 * z_NO**2

    def chance_below(self, y_NO: np.ndarray) -> np.ndarray:
        """The chance that each output is below a value, (N, O)."""
        return ndtr(self.normalised(y_NO))

    def rows(self, which: np.ndarray | slice) -> "Predicted":
        """Some of the designs."""
        return self._replace(mean_NO=self.mean_NO[which], deviation_NO=self.deviation_NO[which])


class Surrogate(Protocol):
    """A fitted model of outputs by designs."""

    @property
    def log_O(self) -> np.ndarray:
        """Which outputs are modelled by their logarithm, bool (O,)."""
        ...

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """What it says of designs in [0, 1]."""
        ...


@runtime_checkable
class SmoothSurrogate(Surrogate, Protocol):
    """A surrogate that can be followed downhill."""

    def posterior(self, u_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same mean and deviation, (N, O) float64, with gradients by the designs."""
        ...


def always_positive(y_NO: np.ndarray) -> np.ndarray:
    """Which outputs are above 0 wherever they are known, bool (O,): only these have logarithms."""
    return np.logical_not((y_NO <= 0).any(0))


def refuse_without_logarithm(y_NO: np.ndarray, log_O: np.ndarray) -> None:
    """DesignError where a value is 0 or less of an output that is modelled by its logarithm."""
    if count := int(((y_NO <= 0) & log_O).any(1).sum()):
        raise DesignError(
            f"{count} rows have an output of 0 or less that is to be modelled by its logarithm."
        )


def linked(y_NO: np.ndarray, log_O: np.ndarray) -> np.ndarray:
    """Values as they are modelled: the logarithm where log_O; minus infinity of 0 and less."""
    y_NO = np.asarray(y_NO, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(log_O, np.where(y_NO <= 0, -np.inf, np.log(y_NO)), y_NO)


def unlinked(t_NO: np.ndarray, log_O: np.ndarray) -> np.ndarray:
    """Modelled values in the outputs' units again."""
    with np.errstate(over="ignore"):
        return np.where(log_O, np.exp(np.where(log_O, t_NO, 0.0)), t_NO)
