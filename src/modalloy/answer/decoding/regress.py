"""Numbers in the target's own unit from standardised ones, and their quantiles."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.job import config
from modalloy.readers.targets.regress import within


def decode(options: config.Regress, target: Any, outputs: Mapping[str, np.ndarray]) -> Answer:
    """`value` (B,) and `quantiles` (B, Q), from those of each member, (B, K) and (B, K, Q).

    Means over members, on the scale that `target.truth` compares with, and within the task's
    bounds.
    """
    return {name: within(options, target.to_unit(x.mean(1))) for name, x in outputs.items()}
