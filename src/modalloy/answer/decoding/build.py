"""Raw outputs of one task as its answer: what a person reads, with rows first.

classify single: `probability` (B, C). classify multi: `probability` (B, C), independent. regress:
`value` (B,) in the target's own unit, `quantiles` (B, Q) where asked. tag: `tags` object array of
lists of BIO strings, `word_confidence` lists of the probability of each, `confidence` (B,) their
mean. locate: `boxes`, `scores`, `names`: object arrays of (n, 4) pixel arrays of the original
picture, (n,) arrays and lists of strings. What `promise.py` adds to them stands there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.job import config
from modalloy.tasks.kit import kit_of, part


def decode(options: config.TaskOptions, target: Any, outputs: Mapping[str, np.ndarray]) -> Answer:
    """The answer to each row; members are averaged.

    target: the fitted target reader. outputs: what the task's head returns, as arrays with rows
    first and the K members of an ensemble second; floats in float32.
    """
    return part(kit_of(options).answer)(options, target, outputs)
