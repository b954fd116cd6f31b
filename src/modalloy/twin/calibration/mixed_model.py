"""The linear mixed model of plant rows: parameters that differ from part to part, and noise.

It is linear around an estimate (Laird and Ware, 1982): w = slope (d + b) + e, with d the shift of
the mean of the parameters, b ~ N(0, tau^2) of each part and e ~ N(0, sigma^2) of each output. d and
b are integrated out: the restricted likelihood (Patterson and Thompson, 1971), with a prior of d.

Letters: P parts, O outputs, K parameters, N rows.
"""

from typing import NamedTuple

import numpy as np

DOUBLE = float(np.log(2.0))  # a spread of twice the twin's own is a deviation off


class Gathered(NamedTuple):
    """Sums over the cells of each part and output: how many, w^2, slope w, slope slope'."""

    count_PO: np.ndarray
    square_PO: np.ndarray
    cross_POK: np.ndarray
    gram_POKK: np.ndarray
    size_O: np.ndarray  # of each output's values, for the least noise


class Scales(NamedTuple):
    """noise_O: in the outputs' units. spread_K: in widths of the parameters."""

    noise_O: np.ndarray
    spread_K: np.ndarray


class Solved(NamedTuple):
    """What is likely at some scales. cost: minus twice the log density of rows and scales.

    shift_K, precision_KK: of d, normal. slope_: of cost by the logarithm of each scale.
    """

    cost: float
    shift_K: np.ndarray
    precision_KK: np.ndarray
    slope_noise_O: np.ndarray
    slope_spread_K: np.ndarray


def gather(w_NO: np.ndarray, slope_NOK: np.ndarray, part_N: np.ndarray) -> Gathered:
    """Sums of rows; cells without a value or a slope count for nothing."""
    known_NO = np.isfinite(w_NO) & np.isfinite(slope_NOK).all(2)
    w_NO = np.where(known_NO, w_NO, 0.0)
    slope_NOK = np.where(known_NO[:, :, None], slope_NOK, 0.0)
    parts = int(part_N.max()) + 1

    def summed(x_N: np.ndarray) -> np.ndarray:
        out = np.zeros((parts, *x_N.shape[1:]))
        np.add.at(out, part_N, x_N)
        return out

    gram_NOKK = slope_NOK[:, :, :, None] * slope_NOK[:, :, None, :]
    count_O = np.maximum(known_NO.sum(0), 1)
    size_O = np.sqrt((w_NO**2).sum(0) / count_O + gram_NOKK.sum((0, 2, 3)) / count_O)
    return Gathered(
        summed(known_NO.astype(np.float64)),
        summed(w_NO**2),
        summed(slope_NOK * w_NO[:, :, None]),
        summed(gram_NOKK),
        # An output that the twin tells exactly, whatever is hidden, has none.
        np.where(size_O > 0, size_O, 1.0),
    )


def solve(
    sums: Gathered, scales: Scales, prior_mean_K: np.ndarray, prior_precision_K: np.ndarray
) -> Solved:
    """d and b at these scales. prior_mean_K: of d, which is how far its centre is from here."""
    weight_O, spread_K = scales.noise_O**-2.0, scales.spread_K
    size = len(spread_K)
    s_PKK = np.einsum("pokl,o->pkl", sums.gram_POKK, weight_O)
    c_PK = np.einsum("pok,o->pk", sums.cross_POK, weight_O)
    # Of part p, V^-1 = D - D J L G L J' D with L = diag(tau), G = (1 + L S L)^-1, S = J' D J.
    inner_PKK = np.eye(size) + spread_K[:, None] * s_PKK * spread_K
    g_PKK = np.linalg.inv(inner_PKK)
    lgl_PKK = spread_K[:, None] * g_PKK * spread_K
    m_PKK = s_PKK - s_PKK @ lgl_PKK @ s_PKK
    v_PK = c_PK - times(s_PKK @ lgl_PKK, c_PK)
    precision_KK = m_PKK.sum(0) + np.diag(prior_precision_K)
    precision_KK = (precision_KK + precision_KK.T) / 2.0
    right_K = v_PK.sum(0) + prior_precision_K * prior_mean_K
    inverse_KK = np.linalg.inv(precision_KK)
    shift_K = inverse_KK @ right_K

    square = (sums.square_PO @ weight_O).sum() - np.einsum("pk,pkl,pl->", c_PK, lgl_PKK, c_PK)
    cost = (
        2.0 * (sums.count_PO.sum(0) @ np.log(scales.noise_O))
        + np.linalg.slogdet(inner_PKK)[1].sum()
        + square
        + prior_precision_K @ prior_mean_K**2
        - right_K @ shift_K
        + np.linalg.slogdet(precision_KK)[1]
        + 2.0 * spread_K.sum()  # of spreads that fit equally, the smaller one
    )
    beyond_K = beyond(spread_K, prior_precision_K)
    slope_noise_O, slope_spread_K = score(
        sums, scales, Blocks(s_PKK, g_PKK, c_PK), shift_K, inverse_KK
    )
    slope_spread_K = slope_spread_K + 2.0 * beyond_K / DOUBLE
    return Solved(
        float(cost + beyond_K @ beyond_K), shift_K, precision_KK, slope_noise_O, slope_spread_K
    )


def beyond(spread_K: np.ndarray, prior_precision_K: np.ndarray) -> np.ndarray:
    """By how many doublings spreads exceed what the twin's file says of them, 0 where they do not.

    Where rows tell only the sum of what two parameters do, its spread is so shared out as the file
    has it, not put on either at will; spreads that rows tell stay within a hundredth.
    """
    with np.errstate(divide="ignore"):
        over_K = np.log(spread_K) + 0.5 * np.log(prior_precision_K)
    return np.maximum(over_K, 0.0) / DOUBLE


class Blocks(NamedTuple):
    """Of each part: S = J' D J, G = (1 + L S L)^-1 and c = J' D w."""

    s_PKK: np.ndarray
    g_PKK: np.ndarray
    c_PK: np.ndarray


def score(
    sums: Gathered, scales: Scales, blocks: Blocks, shift_K: np.ndarray, inverse_KK: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of cost by the logarithms of noise and spread.

    By Fisher's identity they are made of the moments that a step of EM needs.
    """
    s_PKK, g_PKK, c_PK = blocks
    spread_K = scales.spread_K
    off_PK = c_PK - s_PKK @ shift_K
    unit_PK = times(g_PKK, spread_K * off_PK)  # b in units of tau
    pull_PKK = g_PKK @ (spread_K[:, None] * s_PKK)
    unit_cov_PKK = g_PKK + pull_PKK @ inverse_KK @ np.swapaxes(pull_PKK, 1, 2)
    square_PK = unit_PK**2 + np.einsum("pkk->pk", unit_cov_PKK)

    keep_PKK = np.eye(len(spread_K)) - spread_K[:, None] * pull_PKK
    lgl_PKK = spread_K[:, None] * g_PKK * spread_K
    cov_PKK = lgl_PKK + keep_PKK @ inverse_KK @ np.swapaxes(keep_PKK, 1, 2)
    a_PK = shift_K + spread_K * unit_PK
    second_PKK = cov_PKK + a_PK[:, :, None] * a_PK[:, None, :]
    error_O = (
        sums.square_PO.sum(0)
        - 2.0 * np.einsum("pok,pk->o", sums.cross_POK, a_PK)
        + np.einsum("pokl,pkl->o", sums.gram_POKK, second_PKK)
    )
    return (
        2.0 * (sums.count_PO.sum(0) - error_O / scales.noise_O**2),
        2.0 * (1.0 - square_PK).sum(0) + 2.0 * spread_K,
    )


def part_shifts(sums: Gathered, scales: Scales, shift_K: np.ndarray) -> np.ndarray:
    """b_PK, should the mean be shifted so."""
    weight_O, spread_K = scales.noise_O**-2.0, scales.spread_K
    s_PKK = np.einsum("pokl,o->pkl", sums.gram_POKK, weight_O)
    c_PK = np.einsum("pok,o->pk", sums.cross_POK, weight_O)
    g_PKK = np.linalg.inv(np.eye(len(spread_K)) + spread_K[:, None] * s_PKK * spread_K)
    return spread_K * times(g_PKK, spread_K * (c_PK - s_PKK @ shift_K))


def times(m_PKK: np.ndarray, x_PK: np.ndarray) -> np.ndarray:
    """Each part's matrix times its vector."""
    return (m_PKK @ x_PK[:, :, None])[:, :, 0]
