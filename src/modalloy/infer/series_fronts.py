"""Which fronts a series gets: random convolutions while rows are few enough for them.

Nothing of random convolutions is learned from answers, so few rows are enough for them; a learned
convolution needs hundreds.
"""

from typing import Any

from modalloy.checks.column_profile import counted
from modalloy.job.config import Front, usual_fronts

FEW = 200  # training rows below which a convolution is not learned
MOST_SAMPLES = 1_000_000  # in all rows together, for both fronts of random convolutions
MOST_FOR_ONE = 3_000_000  # for the cheaper one alone; about two minutes on one busy core


def series_fronts(rows: int, longest: int, *, learned_from: int) -> tuple[dict[str, Any], str]:
    """The `front` option for a series of a table, and why; nothing where the defaults are best.

    longest: samples of a row, of one channel. learned_from: those of the rows that are training
    rows.
    """
    samples = rows * longest
    if samples > MOST_FOR_ONE:
        return {}, ""
    rockets: tuple[Front, ...] = ("minirocket",)
    if samples <= MOST_SAMPLES:
        rockets += ("hydra",)
    rest = [f for f in usual_fronts({"rate_hz": None, "rpm": None}) if f != "learned"]
    if learned_from < FEW:
        told = counted(learned_from)
        why = f"random convolutions, because {told} training rows are few to learn one from"
        return {"front": [*rockets, *rest]}, why
    told = counted(learned_from)
    why = f"random convolutions and a learned one, because {told} training rows allow both"
    return {"front": [*rockets, "convolution", *rest]}, why
