"""Answers of rows: by task, and by which inputs were hidden; numpy alone, whoever gave them."""

from dataclasses import dataclass, field

import numpy as np

Answer = dict[str, np.ndarray]  # what `decoding/build.py` says of each kind of task
Answers = dict[str, Answer]  # task -> answer
Hidden = frozenset[str]
EVERYTHING: Hidden = frozenset()


@dataclass
class Answered:
    """Answers by which inputs were hidden, and those of each modality's own head.

    alone: input -> answers of its own heads, of inputs that were read. heads: the same by which
    inputs were hidden, of those asked for. pooled: input -> what its frozen encoder says of each
    row before anything is learned of it, (B, F), NaN where a cell is absent; of those asked for.
    """

    seen: dict[Hidden, Answers] = field(default_factory=dict)
    alone: dict[str, Answers] = field(default_factory=dict)
    heads: dict[Hidden, dict[str, Answers]] = field(default_factory=dict)
    pooled: dict[str, np.ndarray] = field(default_factory=dict)


def join(parts: list[Answers], back: np.ndarray) -> Answers:
    """One answer a task from those of its batches, rows in the order asked for."""
    return {
        task: {key: np.concatenate([p[task][key] for p in parts])[back] for key in parts[0][task]}
        for task in parts[0]
    }
