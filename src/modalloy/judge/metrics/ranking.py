"""How well scores rank rows: AUROC, average precision."""

import numpy as np

from modalloy.judge.metrics.tally import group_sums, ratio


def rank_figures(
    score_N: np.ndarray, yes_N: np.ndarray, weight_NR: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Area under the ROC curve and average precision under R weightings, both (R,).

    Ties count half in AUROC, and share one threshold in the precision-recall curve, as in
    scikit-learn; average precision is the step-wise sum, not interpolated. NaN where all weight is
    on one side. Only thresholds at a positive row matter, so weights are summed over the stretches
    between those.
    """
    edges = np.unique(-score_N[yes_N])  # descending scores, negated
    if not len(edges):
        nan = np.full(weight_NR.shape[1], np.nan)
        return nan, nan
    # Stretch 2g + 1 holds the rows tied with the g-th best positive score, stretch 2g those above
    # it.
    first = np.searchsorted(edges, -score_N, side="left")
    tied = edges[np.minimum(first, len(edges) - 1)] == -score_N
    stretch = 2 * first + tied
    all_GR = np.cumsum(group_sums(stretch, 2 * len(edges) + 1) @ weight_NR, axis=0)
    gain_GR = group_sums(first[yes_N], len(edges)) @ weight_NR[yes_N]
    yes_GR = np.cumsum(gain_GR, axis=0)
    yes_R, total_R = yes_GR[-1], all_GR[-1]
    no_R = total_R - yes_R

    up_to = all_GR[1::2]
    no_above = all_GR[0:-1:2] - (yes_GR - gain_GR)
    no_tied = up_to - all_GR[0:-1:2] - gain_GR
    wrong_R = (gain_GR * (no_above + no_tied / 2)).sum(0)
    auroc_R = 1.0 - ratio(wrong_R, yes_R * no_R)
    precision_R = ratio((gain_GR * ratio(yes_GR, up_to, 0.0)).sum(0), yes_R)
    return auroc_R, np.where(no_R == 0, np.nan, precision_R)


def rank_classes(
    score_NC: np.ndarray, yes_NC: np.ndarray, weight_NR: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both figures of each class against the rest, averaged over the classes present, (R,)."""
    classes = np.flatnonzero(yes_NC.any(0) & ~yes_NC.all(0))
    pairs = [rank_figures(score_NC[:, c], yes_NC[:, c], weight_NR) for c in classes]
    if not pairs:
        nan = np.full(weight_NR.shape[1], np.nan)
        return nan, nan
    auroc_CR, precision_CR = (np.stack(part) for part in zip(*pairs, strict=True))
    return mean_defined(auroc_CR), mean_defined(precision_CR)


def mean_defined(value_CR: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN, (R,); NaN where nothing is."""
    defined = np.isfinite(value_CR)
    return ratio(np.where(defined, value_CR, 0.0).sum(0), defined.sum(0))
