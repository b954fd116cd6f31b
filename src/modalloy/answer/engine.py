"""What runs a network: arrays of rows in, raw outputs as arrays out, whoever computes them."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modalloy.answer.cache import Cache
from modalloy.answer.loader import Features
from modalloy.job import config
from modalloy.readers.batch import ArrayBatch, Arrays
from modalloy.readers.reader import Reader


@dataclass
class Encoded:
    """Some rows, each input on its own, in an engine's own form.

    rows: their numbers in the table, (B,). tokens: input -> what its encoder says; one that is not
    here is as though missing from every row. context: what tasks look at beside tokens. pooled:
    input -> what its trunk pools of each row before anything is learned of it, (B, F) float32, NaN
    where a row lacks it; of those asked for.
    """

    rows: np.ndarray
    tokens: dict[str, Any] = field(default_factory=dict)
    context: Any = None
    pooled: Arrays = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class Decided:
    """What a network says of B rows before it is read as answers.

    tasks: task -> raw outputs of its head. heads: input -> task -> raw outputs of the input's own
    head. summaries: input -> (B, D). fused_BD: of all inputs, members averaged.
    """

    tasks: dict[str, Arrays]
    heads: dict[str, dict[str, Arrays]]
    summaries: Arrays
    fused_BD: np.ndarray


class Engine(ABC):
    """A network that answers: every method may be called from several threads at once.

    job, readers, targets: of the run. inputs: names of its inputs, in their order. A row is encoded
    and decided alike in any company, but for rounding: graphs sum other counts of rows in another
    order. caveats: what is to be known of its answers here, in sentences. notes: what of it is not
    checked elsewhere.
    """

    job: config.Job
    readers: Mapping[str, Reader]
    targets: Mapping[str, Any]
    inputs: list[str]
    caveats: Sequence[str] = ()
    notes: Sequence[str] = ()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer within: nothing is learned, and what was so before is restored."""
        yield

    def features(self, name: str, kept: Cache) -> Features | None:
        """What a frozen encoder says of each row of an input, kept as far as there is room; None
        where only `encode` says it.
        """
        return None

    @abstractmethod
    def encode(
        self, given: ArrayBatch, inputs: Collection[str], *, pooled: Collection[str] = ()
    ) -> Encoded:
        """Each of these inputs encoded. pooled: those whose trunk's vectors are wanted too."""

    @abstractmethod
    def take(self, tokens: Any, which: np.ndarray) -> Any:
        """The tokens of some of the rows of one input."""

    @abstractmethod
    def decide(
        self,
        encoded: Encoded,
        *,
        hidden: Collection[str] = (),
        tasks: Collection[str] | None = None,
    ) -> Decided:
        """Fuse and answer. hidden: inputs that are as though missing. tasks: those to answer, all
        of them for None.
        """
