"""A plant that welds part after part while its lens becomes dirty: values of each part."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modalloy.errors import TwinError
from modalloy.job.lined_yaml import read_page

TAIL = 3.0  # deviations, beyond which nothing is drawn


class Part(NamedTuple):
    """One part. values: every variable and hidden parameter of weld.yaml, in its units. seed: of
    what is random in it; both go to `simulate`.
    """

    values: dict[str, float | str]
    seed: int


def stream(
    parts: int = 2000,
    *,
    seed: int,
    onset: int,
    first: float = 0.60,
    last: float = 0.40,
    fall_parts: int | None = None,
    settings: Mapping[str, float | str] | None = None,
) -> list[Part]:
    """Parts one after the other, whose absorptivity falls from part number `onset` on.

    It falls linearly from `first` to `last` over `fall_parts` parts, up to the last part where that
    is left out, and then stays. Around that each part scatters by the deviation that weld.yaml has,
    relative to its default: the lens takes its share of what the surface absorbs. Its conductivity
    factor scatters as there; a part is a batch of its own.

    settings: what is set for all parts; other variables are drawn evenly over their bounds, anew
    for each part. Hidden values and seeds do not depend on settings, so that a plant may be run
    once more otherwise, or changed on the way: `part.values | {"power": 900}`. The same seed gives
    the same parts, and more of them begin with the same. Raises TwinError for a setting that the
    weld does not have.
    """
    twin, held = described(), dict(settings or {})
    unknown = [name for name in held if name not in twin["variables"]]
    if unknown:
        known = ", ".join(twin["variables"])
        raise TwinError(f"The weld has no variable '{unknown[0]}' to set; it has {known}.")
    level_P = levels(parts, onset=onset, first=first, last=last, fall_parts=fall_parts)
    hidden_P = scattered(level_P, twin["hidden"], np.random.default_rng((seed, 0)))
    drawn_P = drawn(parts, twin["variables"], np.random.default_rng((seed, 1)))
    seed_P = np.random.default_rng((seed, 2)).integers(0, 2**31, parts).tolist()
    return [
        Part(sets | held | acts, one)
        for sets, acts, one in zip(drawn_P, hidden_P, seed_P, strict=True)
    ]


def levels(
    parts: int, *, onset: int, first: float, last: float, fall_parts: int | None
) -> np.ndarray:
    """The absorptivity around which each part scatters, (parts,)."""
    over = max(parts - 1 - onset, 1) if fall_parts is None else max(fall_parts, 1)
    fallen_P = ((np.arange(parts) - onset) / over).clip(0.0, 1.0)
    return first + (last - first) * fallen_P


def scattered(
    level_P: np.ndarray, hidden: Mapping[str, Any], draw: np.random.Generator
) -> list[dict[str, float]]:
    """The hidden parameters of each part, inside their bounds."""
    absorbs, conducts = hidden["absorptivity"], hidden["conductivity_factor"]
    scatter_PH = draw.standard_normal((len(level_P), 2)).clip(-TAIL, TAIL)
    share_P = level_P * (1.0 + absorbs["deviation"] / absorbs["default"] * scatter_PH[:, 0])
    factor_P = conducts["default"] + conducts["deviation"] * scatter_PH[:, 1]
    share_P = share_P.clip(absorbs["low"], absorbs["high"])
    factor_P = factor_P.clip(conducts["low"], conducts["high"])
    return [
        {"absorptivity": share, "conductivity_factor": factor}
        for share, factor in zip(share_P.tolist(), factor_P.tolist(), strict=True)
    ]


def drawn(
    parts: int, variables: Mapping[str, Any], draw: np.random.Generator
) -> list[dict[str, float | str]]:
    """What is set for each part, evenly over the bounds."""
    place_PV = draw.random((parts, len(variables)))
    return [
        {
            name: placed(variable, place)
            for (name, variable), place in zip(variables.items(), place_V.tolist(), strict=True)
        }
        for place_V in place_PV
    ]


def placed(variable: Mapping[str, Any], place: float) -> float | str:
    """The value of a variable at a place from 0 to 1 between its bounds."""
    if variable["type"] == "categorical":
        choices = variable["choices"]
        return choices[min(int(place * len(choices)), len(choices) - 1)]
    low, high = float(variable["low"]), float(variable["high"])
    if variable.get("log"):
        return float(low * (high / low) ** place)
    return low + (high - low) * place


def described() -> dict[str, Any]:
    """What weld.yaml holds."""
    return read_page((Path(__file__).parent / "weld.yaml").read_text(encoding="utf-8")).data
