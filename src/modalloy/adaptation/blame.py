"""Which drifts are undone: the strongest ones, and only where rows are unlike training for them.

Other products and other faults also change the median and the spread of a sensor. Standardised
anew, such a sensor says less than before: of rows that nothing had happened to, 21.7 points of a
process's faults were lost so.
"""

from collections.abc import Callable, Sequence

from modalloy.adaptation.restandardise import Drift

Share = Callable[[Sequence[Drift]], float]  # of rows unlike training, with these drifts undone
CHANCE = 0.01  # shares of rows that are nearer to each other count as alike
FAR = 3.0  # .75 deviations, or 1.5 times as wide: a quarter of a training's recordings shows less


def blamed(drifts: Sequence[Drift], share: Share) -> list[Drift]:
    """The drifts to undo; none where rows are no more like training with all of them undone.

    The strongest, as many as it takes, and with them all that are `FAR`. The share is taken to fall
    with each drift that is undone, so that it is asked for a few times.
    """
    ordered = sorted((d for d in drifts if d.strength), key=lambda d: -d.strength)
    if not ordered or share([]) <= (enough := share(ordered) + CHANCE):
        return []
    few, many = 0, len(ordered)  # too few drifts, and as many as are surely enough
    while many - few > 1:
        middle = (few + many) // 2
        if share(ordered[:middle]) <= enough:
            many = middle
        else:
            few = middle
    return ordered[: max(many, sum(d.strength >= FAR for d in ordered))]
