"""What an active plan asks of whoever chooses its runs: batches of designs, and what is known."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from modalloy.twin.runs import Outcome
from modalloy.twin.space import Space


class Batches(Protocol):
    """Chooses runs after what came of those before them."""

    @property
    def space(self) -> Space:
        """Of the variables that are chosen."""
        ...

    @property
    def sizes(self) -> Sequence[int]:
        """Runs of each batch after the first runs."""
        ...

    def chosen(
        self, designs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], count: int
    ) -> np.ndarray:
        """u_ND of the next batch; it follows from the runs before it and the seed alone."""
        ...

    def known(
        self, designs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]
    ) -> dict[str, Any]:
        """How sure one is of what the runs teach, for the record beside the rows."""
        ...
