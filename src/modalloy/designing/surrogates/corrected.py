"""A surrogate that is put right by a Gaussian process of what it got wrong.

As the discrepancy of Kennedy and O'Hagan (2001, *J. R. Stat. Soc. B* 63), with the surrogate as it
is, and errors counted in its own deviations.
"""

from dataclasses import dataclass

import numpy as np

from modalloy.designing.surrogates.gaussian_process import GaussianProcess, fit_gaussian_process
from modalloy.designing.surrogates.surrogate import Predicted, Surrogate


@dataclass(frozen=True)
class Corrected:
    """surrogate: whose errors are learned. errors: of it, in its deviations."""

    surrogate: Surrogate
    errors: GaussianProcess

    @property
    def log_O(self) -> np.ndarray:
        """Which outputs are modelled by their logarithm."""
        return self.surrogate.log_O

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """What the surrogate says of designs and how it errs there."""
        return put_right(self.surrogate.predict(u_ND), self.errors.predict(u_ND))


def correct(
    surrogate: Surrogate, said: Predicted, u_ND: np.ndarray, y_NO: np.ndarray, *, seed: int
) -> tuple[Corrected, Predicted]:
    """A surrogate that is put right by rows that it does not know, and what is then said of each
    of them without it. said: what it says of them."""
    off_NO = said.normalised(y_NO)
    process = fit_gaussian_process(u_ND, off_NO, seed=seed, logs=[False] * off_NO.shape[1])
    return Corrected(surrogate, process), put_right(said, process.leave_one_out())


def put_right(said: Predicted, errors: Predicted) -> Predicted:
    """Predictions moved by errors that are foretold of them, as unsure as these are."""
    return said._replace(
        mean_NO=said.mean_NO + said.deviation_NO * errors.mean_NO,
        deviation_NO=said.deviation_NO * errors.deviation_NO,
    )
