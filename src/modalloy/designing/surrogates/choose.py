"""Which surrogate foretells rows best that it has not learned from."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from modalloy.designing.problem import Rows
from modalloy.designing.surrogates.gaussian_process import fit_gaussian_process
from modalloy.designing.surrogates.surrogate import Predicted, Surrogate

Kind = Literal["gaussian_process", "deep_ensemble"]


class Chosen(NamedTuple):
    """surrogate: given all rows. left_out: what it says of each row without that row. compared:
    mean log density of left-out rows, by kind."""

    surrogate: Surrogate
    kind: Kind
    left_out: Predicted
    compared: Mapping[str, float]


def choose(rows: Rows, *, kind: Literal["auto"] | Kind, fitted: int, seed: int) -> Chosen:
    first = Rows(rows.u_ND[:fitted], rows.y_NO[:fitted])
    process = fit_gaussian_process(*first, seed=seed)
    if fitted < len(rows.u_ND):
        process = process.given(*rows)
    return Chosen(process, "gaussian_process", process.leave_one_out(), {})
