"""A plant that welds part after part while its lens gets dirty: what is set, what acts unseen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

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
    the same parts, and more of them begin with the same.
    """
    twin = described()
    acts, makes = (np.random.default_rng((seed, which)) for which in range(2))
    scatter_PH = acts.standard_normal((parts, 2)).clip(-TAIL, TAIL)
    seed_P = np.random.default_rng((seed, 2)).integers(0, 2**31, parts)
    level_P = levels(parts, onset=onset, first=first, last=last, fall_parts=fall_parts)
    absorbs, conducts = twin["hidden"]["absorptivity"], twin["hidden"]["conductivity_factor"]
    absorbs_P = level_P * (1.0 + absorbs["deviation"] / absorbs["default"] * scatter_PH[:, 0])
    absorbs_P = absorbs_P.clip(absorbs["low"], absorbs["high"])
    conducts_P = conducts["default"] + conducts["deviation"] * scatter_PH[:, 1]
    place_PV = makes.random((parts, len(twin["variables"])))
    made = []
    for part in range(parts):
        drawn = {
            name: placed(variable, float(place))
            for (name, variable), place in zip(
                twin["variables"].items(), place_PV[part], strict=True
            )
        }
        hidden = {
            "absorptivity": float(absorbs_P[part]),
            "conductivity_factor": float(conducts_P[part]),
        }
        made.append(Part(drawn | dict(settings or {}) | hidden, int(seed_P[part])))
    return made


def levels(
    parts: int, *, onset: int, first: float, last: float, fall_parts: int | None
) -> np.ndarray:
    """The absorptivity around which each part scatters, (parts,)."""
    over = max(parts - 1 - onset, 1) if fall_parts is None else max(fall_parts, 1)
    fallen_P = ((np.arange(parts) - onset) / over).clip(0.0, 1.0)
    return first + (last - first) * fallen_P


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
