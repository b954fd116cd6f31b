"""Which distances from training rows are ordinary: by rows that were not learned from, or else by
training rows that are each left out.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import View
from modalloy.unlike.likeness import Judged, Likeness, pattern_of
from modalloy.unlike.space import Space, Tail

LEAST = 20  # rows of a space, or of a pattern of missing cells, and as many to judge by
MOST_PATTERNS = 8
HELD, LEFT_OUT = "held-back rows", "training rows, each left out"


class Measured(NamedTuple):
    """A space with the distances in it of the rows to judge by, NaN where a row is not in it."""

    judged: Judged
    distance_B: np.ndarray


def fit_likeness(
    references: View, held: View | None, *, share: float, groups: Sequence[str] | None = None
) -> Likeness | None:
    """What to compare rows with; None where there are too few rows.

    references: training rows. held: rows that were not learned from; without twenty of them the
    references judge themselves, each left out together with all rows of its group (`groups`, one
    label for each reference).
    """
    judges = held if held is not None and len(held) >= LEAST else None
    columns = {
        name: measured
        for name, x_RF in references.columns.items()
        if (measured := measure(x_RF, judges.columns[name] if judges else None, groups))
    }
    patterns_PN, fused = fit_patterns(references, judges, groups)
    if not columns and not fused:
        return None
    judging = references if judges is None else judges
    kept = Likeness(
        {name: m.judged for name, m in columns.items()},
        references.names,
        patterns_PN,
        [m.judged for m in fused],
        share,
        1.0,
        {
            "by": LEFT_OUT if judges is None else HELD,
            "rows": len(judging),
            "references": len(references),
        },
    )
    rarity_BS = np.full((len(judging), len(columns) + 1), np.nan)
    for s, m in enumerate(columns.values()):
        rarity_BS[:, s] = m.judged.tail.rarity(m.distance_B)
    for m in fused:
        own = np.isfinite(m.distance_B)
        rarity_BS[own, -1] = m.judged.tail.rarity(m.distance_B[own])
    rarest_B = np.fmax.reduce(rarity_BS, axis=1)
    rarest_B = rarest_B[np.isfinite(rarest_B)]
    if len(rarest_B) < LEAST:
        return None
    return replace(kept, limit=limit_of(rarest_B, share))


def limit_of(rarest_N: np.ndarray, share: float) -> float:
    """The rarity beyond which no more than this share of new rows lies, by split conformal ranks;
    where the rows are too few for that, by the exponential tail.
    """
    rank = int(np.ceil((len(rarest_N) + 1) * (1.0 - share)))
    if rank <= len(rarest_N):
        return max(float(np.sort(rarest_N)[rank - 1]), 1e-6)
    return max(Tail.fit(rarest_N).distance(share), float(rarest_N.max()), 1e-6)


def measure(
    x_RF: np.ndarray, held_BF: np.ndarray | None, groups: Sequence[str] | None
) -> Measured | None:
    """The space of one column, and how rare distances in it are; None for too few references.

    Fewer than twenty held-back rows in it do not say what is rare: the references do, each left
    out.
    """
    there_R = np.isfinite(x_RF).all(1)
    if there_R.sum() < LEAST:
        return None
    space = Space.fit(x_RF[there_R])
    distance_B = None if held_BF is None else space.distances(held_BF)
    if distance_B is not None and np.isfinite(distance_B).sum() >= LEAST:
        known_N = distance_B[np.isfinite(distance_B)]
        return Measured(Judged(space, Tail.fit(known_N)), distance_B)
    own = None if groups is None else [groups[i] for i in np.flatnonzero(there_R).tolist()]
    apart_R = np.full(len(x_RF), np.nan)
    apart_R[there_R] = space.apart(own)
    known_N = apart_R[np.isfinite(apart_R)]
    if len(known_N) < LEAST:
        return None
    return Measured(Judged(space, Tail.fit(known_N)), apart_R if distance_B is None else distance_B)


def fit_patterns(
    references: View, judges: View | None, groups: Sequence[str] | None
) -> tuple[np.ndarray, list[Measured]]:
    """Patterns of missing cells with rows enough, (P, N), and the fused space of each."""
    every_PN, count_P = np.unique(references.present_BN, axis=0, return_counts=True)
    order = np.argsort(-count_P, kind="stable")[:MOST_PATTERNS]
    kept, found = [], []
    for p in order:
        one_1N = every_PN[p : p + 1]
        own_R = pattern_of(one_1N, references.present_BN) == 0
        fused_RD = np.where(own_R[:, None], references.fused_BD, np.nan)
        held_BD = None
        if judges is not None:
            own_B = pattern_of(one_1N, judges.present_BN) == 0
            held_BD = np.where(own_B[:, None], judges.fused_BD, np.nan)
        measured = measure(fused_RD, held_BD, groups)
        if measured is not None:
            kept.append(every_PN[p])
            found.append(measured)
    names = len(references.names)
    return np.array(kept, dtype=bool).reshape(len(kept), names), found
