"""Answers of rows: by task, and by which inputs were hidden; numpy alone, whoever gave them."""

from dataclasses import dataclass, field

import numpy as np

Answer = dict[str, np.ndarray]  # what `decoding/build.py` says of each kind of task
Answers = dict[str, Answer]  # task -> answer
Hidden = frozenset[str]
EVERYTHING: Hidden = frozenset()


@dataclass
class View:
    """What a network makes of B rows: to compare them with others, not to answer.

    names: of all columns. present_BN: which cells are there. columns: what is seen of a column, or
    of a channel of one, (B, F) float32, NaN where a row lacks it. fused_BD: of all together.
    """

    names: list[str]
    present_BN: np.ndarray
    columns: dict[str, np.ndarray]
    fused_BD: np.ndarray

    def __len__(self) -> int:
        return len(self.present_BN)


@dataclass
class Answered:
    """Answers by which inputs were hidden, and those of each modality's own head.

    alone: input -> answers of its own heads, of inputs that were read. heads: the same by which
    inputs were hidden, of those asked for. pooled: input -> what its frozen encoder says of each
    row before anything is learned of it, (B, F), NaN where a cell is absent; of those asked for.
    view: what the network makes of the rows with nothing hidden, where that was asked for.
    """

    seen: dict[Hidden, Answers] = field(default_factory=dict)
    alone: dict[str, Answers] = field(default_factory=dict)
    heads: dict[Hidden, dict[str, Answers]] = field(default_factory=dict)
    pooled: dict[str, np.ndarray] = field(default_factory=dict)
    view: View | None = None


def join(parts: list[Answers], back: np.ndarray) -> Answers:
    """One answer a task from those of its batches, rows in the order asked for."""
    return {
        task: {key: np.concatenate([p[task][key] for p in parts])[back] for key in parts[0][task]}
        for task in parts[0]
    }
