"""Which distances from training rows are ordinary: by rows that were not learned from and, where
these are few, by training rows that are each left out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import View
from modalloy.unlike.likeness import Judged, Likeness, pattern_of
from modalloy.unlike.space import Space, Tail

LEAST = 20  # references of a space, or of a pattern of missing cells
ENOUGH = 100  # held-back rows that say alone what is rare
MOST_PATTERNS = 8
HELD, LEFT_OUT = "held-back rows", "training rows, each left out"
BOTH = f"{HELD} and {LEFT_OUT}"


class Measured(NamedTuple):
    """A space with the distances in it of the held-back rows, then of the references, each left
    out; NaN where a row is not in it or was not asked.
    """

    judged: Judged
    distance_J: np.ndarray


def fit_likeness(
    references: View,
    held: View | None,
    *,
    share: float,
    groups: Sequence[str] | None = None,
    pooled: Sequence[str] = (),
) -> Likeness | None:
    """What to compare rows with; None where there are too few rows.

    references: training rows. held: rows that were not learned from. Where these are fewer than a
    hundred, the references say what is rare as well: each left out, together with all rows of its
    group (`groups`, one label for each reference). pooled: see `Likeness`.

    Each space has an even part of the share, so that a heavy tail in one of them does not raise the
    limit of the others.
    """
    columns = {
        name: measured
        for name, x_RF in references.columns.items()
        if (measured := measure(x_RF, held.columns[name] if held else None, groups)) is not None
    }
    patterns_PN, fused = fit_patterns(references, held, groups)
    count = len(held) if held else 0
    judges = count if count >= ENOUGH else count + len(references)
    every = [*columns.values(), *fused]
    part = share / (len(columns) + 1)
    own = [m.judged._replace(unit=max(m.judged.tail.distance(part), 1e-6)) for m in every]
    score_JS = np.full((judges, len(columns) + 1), np.nan)
    for at, (m, judged) in enumerate(zip(every, own, strict=True)):
        said_J = judged.score_of(m.distance_J[:judges], "distance")
        s = min(at, len(columns))  # a row is in one pattern at most
        score_JS[:, s] = np.where(np.isfinite(said_J), said_J, score_JS[:, s])
    farthest_J = np.fmax.reduce(score_JS, axis=1)
    farthest_J = farthest_J[np.isfinite(farthest_J)]
    if len(farthest_J) < LEAST:
        return None
    by = HELD if count >= ENOUGH else BOTH if count else LEFT_OUT
    return Likeness(
        dict(zip(columns, own, strict=False)),
        references.names,
        patterns_PN,
        own[len(columns) :],
        share,
        limit_of(farthest_J, share),
        {"by": by, "rows": judges, "references": len(references)},
        tuple(pooled),
    )


def limit_of(score_N: np.ndarray, share: float) -> float:
    """The score beyond which no more than this share of new rows lies, by split conformal ranks;
    where the rows are too few for that, by their tail.
    """
    rank = int(np.ceil((len(score_N) + 1) * (1.0 - share)))
    if rank <= len(score_N):
        return max(float(np.sort(score_N)[rank - 1]), 1e-6)
    return max(Tail.fit(score_N).distance(share), 1e-6)


def measure(
    x_RF: np.ndarray, held_BF: np.ndarray | None, groups: Sequence[str] | None
) -> Measured | None:
    """One space, and how rare distances in it are; None for too few references."""
    there_R = np.isfinite(x_RF).all(1)
    if there_R.sum() < LEAST:
        return None
    space = Space.fit(x_RF[there_R])
    held_B = np.zeros(0) if held_BF is None else space.distances(held_BF)
    apart_R = np.full(len(x_RF), np.nan)
    if np.isfinite(held_B).sum() < ENOUGH:
        own = None if groups is None else [groups[i] for i in np.flatnonzero(there_R).tolist()]
        apart_R[there_R] = space.apart(own)
    distance_J = np.concatenate([held_B, apart_R])
    known_N = distance_J[np.isfinite(distance_J)]
    if len(known_N) < LEAST:
        return None
    return Measured(Judged(space, Tail.fit(known_N)), distance_J)


def fit_patterns(
    references: View, held: View | None, groups: Sequence[str] | None
) -> tuple[np.ndarray, list[Measured]]:
    """Patterns of missing cells with rows enough, (P, N), and the fused space of each."""
    every_PN, count_P = np.unique(references.present_BN, axis=0, return_counts=True)
    kept, found = [], []
    for p in np.argsort(-count_P, kind="stable")[:MOST_PATTERNS]:
        fused_RD = within(every_PN[p], references)
        measured = measure(fused_RD, within(every_PN[p], held) if held else None, groups)
        if measured is not None:
            kept.append(every_PN[p])
            found.append(measured)
    return np.array(kept, dtype=bool).reshape(len(kept), len(references.names)), found


def within(pattern_N: np.ndarray, view: View) -> np.ndarray:
    """What the network makes of rows of one pattern of missing cells, NaN for all others."""
    own_B = pattern_of(pattern_N[None], view.present_BN) == 0
    return np.where(own_B[:, None], view.fused_BD, np.nan)
