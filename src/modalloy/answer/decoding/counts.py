"""How likely each whole number is: its mean, whole quantiles, chance of zero, and what to have."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.readers.targets.regress import within

PERCENTILES = np.arange(1, 100) / 100.0


def decode(options: Any, target: Any, outputs: Mapping[str, np.ndarray]) -> Answer:
    """`value` (B,) the mean; `zero` (B,) the chance of zero; `percentiles` (B, 99) the first to the
    last; `quantiles` (B, Q) as asked; `level` (B,) what least cost is expected with, of an order.

    Members' means and log dispersions, or their chances, are averaged.
    """
    value_B = within(options, target.to_unit(outputs["value"].mean(1)))
    shape_BKP = np.asarray(outputs["shape"], dtype=np.float64)
    levels = [*PERCENTILES, *options.quantiles, *ordered_at(options)]
    if options.distribution == "empirical":
        chance_BC = np.exp(shape_BKP).mean(1)
        chance_BC /= chance_BC.sum(1, keepdims=True)
        found_BL = atoms_at(np.array(target.atoms), chance_BC, levels)
        zero_B = chance_BC[:, 0] if target.atoms[0] == 0 else np.zeros(len(value_B))
    else:
        shape_BP = shape_BKP.mean(1)
        other_B = np.zeros(len(value_B))
        if options.distribution == "zero_inflated":
            other_B = 1.0 / (1.0 + np.exp(-shape_BP[:, 1]))
        mean_B = np.maximum(target.to_unit(outputs["value"].mean(1)), 1e-6) / (1.0 - other_B)
        r_B = np.exp(shape_BP[:, 0])
        found_BL, zero_B = counts_at(mean_B, r_B, other_B, levels, most=4 * target.most + 10)
    found_BL = within(options, found_BL.astype(np.float64))
    said: Answer = {"value": value_B, "zero": zero_B, "percentiles": found_BL[:, :99]}
    if options.quantiles:
        said["quantiles"] = found_BL[:, 99 : 99 + len(options.quantiles)]
    if options.order is not None:
        said["level"] = found_BL[:, -1]
    return said


def ordered_at(options: Any) -> tuple[float, ...]:
    """The share of rows in which an order should suffice, shortage / (shortage + holding)."""
    order = options.order
    return () if order is None else (order.shortage / (order.shortage + order.holding),)


def atoms_at(atom_C: np.ndarray, chance_BC: np.ndarray, levels: Any) -> np.ndarray:
    """The lowest of C numbers that is not exceeded with each chance, (B, L)."""
    up_to_BC = chance_BC.cumsum(1)
    below_BL = np.stack([(up_to_BC < level).sum(1) for level in levels], 1)
    return atom_C[np.minimum(below_BL, len(atom_C) - 1)]


def counts_at(
    mean_B: np.ndarray, r_B: np.ndarray, other_B: np.ndarray, levels: Any, *, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest count that is not exceeded with each chance, (B, L), and the chance of zero, (B,).

    Of negative binomial distributions with these means and dispersions, of which a share `other_B`
    is put on zero besides. Counts end at `most`.
    """
    level_L = np.asarray(levels, dtype=np.float64)
    log_p_B = -r_B * np.log1p(mean_B / r_B)  # of zero
    step_B = np.log(mean_B) - np.log(mean_B + r_B)
    up_to_B = other_B + (1.0 - other_B) * np.exp(log_p_B)
    zero_B = up_to_B
    found_BL = np.zeros((len(mean_B), len(level_L)), dtype=np.int64)
    for count in range(most):
        more_BL = up_to_B[:, None] < level_L
        if not more_BL.any():
            break
        found_BL += more_BL
        log_p_B = log_p_B + step_B + np.log((count + r_B) / (count + 1.0))
        up_to_B = up_to_B + (1.0 - other_B) * np.exp(log_p_B)
    return found_BL, zero_B
