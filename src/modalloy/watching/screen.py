"""Labels that are not believed: rows that two sources label otherwise, and sources that contradict
what all others say of the model."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modalloy.deployment.log_rows import Given

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 10  # labels of a source, and of the others, below which nothing is said of it
CHANCE = 0.001  # that a source as good as the others is called odd
BEYOND = 0.2  # by how much more often it contradicts the model than the others do, at least
FAR = 0.9  # an answer further off than this share of all answers contradicts a number


def disputed(given: Sequence[Given]) -> set[str]:
    """Rows to which two sources have given different labels; each source's newest counts."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for label in given:
        found[label.row, label.task][label.source] = repr(label.label)
    return {row for (row, _), said in found.items() if len(set(said.values())) > 1}


def odd_sources(
    given: Sequence[Given], answers: "pd.DataFrame", without: set[str]
) -> dict[str, str]:
    """Sources whose labels contradict what was answered far more often than those of all others,
    each with a sentence. answers: as `RowLog.answers` has them. without: rows that do not count.

    One-sided test of two shares (Fisher 1935), a task at a time. Rows drift for all sources alike;
    where they drift for one alone, its labels wait until another source has confirmed some.
    """
    found: dict[str, str] = {}
    newest = {(g.row, g.task): g for g in given if g.row not in without}
    for task in dict.fromkeys(g.task for g in newest.values()):
        if task not in answers:
            continue
        said = dict(zip(answers["row_id"], answers[task], strict=True))
        own = [g for g in newest.values() if g.task == task and g.row in said]
        missed = misses([g.label for g in own], [said[g.row] for g in own])
        if missed is None:
            continue
        source = np.array([g.source for g in own])
        for name in sorted(set(source)):
            if why := odd(missed[source == name], missed[source != name], task):
                found[name] = f"'{name}' {why}"
    return found


def odd(own: np.ndarray, others: np.ndarray, task: str) -> str:
    """Why a source is not believed; empty where it is. own, others: which labels contradict."""
    from scipy.stats import fisher_exact

    if min(len(own), len(others)) < FEWEST or own.mean() < others.mean() + BEYOND:
        return ""
    table = [[own.sum(), len(own) - own.sum()], [others.sum(), len(others) - others.sum()]]
    if fisher_exact(table, alternative="greater").pvalue >= CHANCE:
        return ""
    return (
        f"contradicts the answers to '{task}' in {100 * own.mean():.0f} % of {len(own)} labels, "
        f"all others in {100 * others.mean():.0f} %"
    )


def misses(labels: Sequence[Any], said: Sequence[Any]) -> np.ndarray | None:
    """Which answers are not what the label says: another class, or a number that is among the
    furthest off; None for labels of another kind, of which nothing is said."""
    if all(isinstance(x, str | bool) for x in labels):
        return np.array([str(a) != str(b) for a, b in zip(labels, said, strict=True)])
    if all(isinstance(x, int | float) for x in [*labels, *said]):
        off = np.abs(np.array(labels, float) - np.array(said, float))
        return off > np.quantile(off, FAR) if len(off) else None
    return None
