"""When two ways to compute a network decide alike: what each kind of task says of its answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.tasks.kit import kit_of, part

ALIKE = "modalloy.answer.agreement.plain:PlainAgreement"  # of kinds that say nothing of their own


class Compared(NamedTuple):
    """Answers to B rows by two ways.

    same_B: whether a row is decided alike. margin_B: how far the first way was from deciding as the
    second one did, 0 where both decide alike.
    """

    same_B: np.ndarray
    margin_B: np.ndarray


class Agreement(ABC):
    """What two answers of one kind of task have in common.

    bound: a row with a margin above it may never be decided otherwise. margin: what the margin is,
    in words.
    """

    bound: ClassVar[float] = 0.01
    margin: ClassVar[str]

    @abstractmethod
    def compare(
        self, task: str, options: Any, target: Any, before: Answer, after: Answer
    ) -> Compared:
        """Rows decided alike; `set`, `low`, `sure` and the like are compared where they are."""

    @abstractmethod
    def say(self, options: Any, target: Any, answer: Answer, row: int) -> str:
        """The answer to a row in words."""


def agreement_of(options: Any) -> Agreement:
    """How answers of a task are compared."""
    return part(kit_of(options).agreement or ALIKE)()


def compare_task(task: str, options: Any, target: Any, before: Answer, after: Answer) -> Compared:
    """Rows that are decided alike; one with a number that is none any more is not, whatever the
    margin was.
    """
    found = agreement_of(options).compare(task, options, target, before, after)
    broken_B = np.zeros(len(found.same_B), dtype=bool)
    for key, x in before.items():
        y = after[key]
        if np.asarray(x).dtype.kind == "f":
            lost = np.isnan(y) & ~np.isnan(x)
            broken_B |= lost.reshape(len(broken_B), -1).any(1)
    return Compared(found.same_B & ~broken_B, np.where(broken_B, np.inf, found.margin_B))


def merged(parts: Mapping[str, Compared] | list[Compared]) -> Compared:
    """Rows alike in every part, each with its largest margin."""
    every = list(parts.values()) if isinstance(parts, Mapping) else parts
    same_B = np.all([p.same_B for p in every], axis=0)
    return Compared(same_B, np.max([np.where(p.same_B, 0.0, p.margin_B) for p in every], axis=0))
