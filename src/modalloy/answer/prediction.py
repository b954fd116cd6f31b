"""What a run says of the rows of a table, and what it was told: values without a network."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np

from modalloy.answer.answers import Answer, Answers, Hidden
from modalloy.unlike.likeness import Unlikeness


@dataclass(frozen=True)
class Prediction:
    """Answers to B rows.

    rows: their numbers in the table, (B,). answers: task -> its answer, see `decoding/build.py`.
    status: column -> what each row's cell was worth. notes: sentences on what was taken for what
    when the table was read. caveats: on what is not as it was in training. hidden: answers with
    these inputs hidden besides, where they were asked for. unlike: how unlike training each row is;
    None of a run that keeps no training rows. bought: the inputs that were read for each row, where
    a policy chose them; saved: what that saves, see `saved_by`. heard: text columns made of
    recordings -> what was heard in each row's, None where nothing was.
    """

    rows: np.ndarray
    answers: Answers
    status: dict[str, list[str]]
    notes: list[str]
    caveats: list[str]
    hidden: dict[Hidden, Answers] = field(default_factory=dict)
    unlike: Unlikeness | None = None
    bought: list[str] | None = None
    saved: dict[str, Any] | None = None
    heard: dict[str, list[str | None]] = field(default_factory=dict)

    def __getitem__(self, task: str) -> Answer:
        return self.answers[task]

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int) -> Self:
        """The same of so many rows."""

        def cut(answers: Answers) -> Answers:
            return {task: {k: v[:count] for k, v in a.items()} for task, a in answers.items()}

        unlike = self.unlike
        if unlike is not None:
            unlike = Unlikeness(unlike.score_B[:count], unlike.column[:count])
        return replace(
            self,
            rows=self.rows[:count],
            answers=cut(self.answers),
            status={name: said[:count] for name, said in self.status.items()},
            hidden={h: cut(answers) for h, answers in self.hidden.items()},
            unlike=unlike,
            heard={name: texts[:count] for name, texts in self.heard.items()},
            bought=None if self.bought is None else self.bought[:count],
        )


class Embedding(NamedTuple):
    """What the network makes of B rows.

    columns: input -> summaries (B, D) float32; `table` is all number, category and time columns
    together. A row that lacks an input has what was learned for a missing one. fused: one summary
    of all inputs, (B, D), the mean over the members of an ensemble.
    """

    columns: dict[str, np.ndarray]
    fused: np.ndarray
