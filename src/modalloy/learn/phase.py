"""Which part of a training one plan is for: where it is kept, its name, and what came before it."""

from collections.abc import Callable
from dataclasses import dataclass

from modalloy.learn.progress import AGAIN, AGAIN_LOG, LAST, LOG, Progress


@dataclass(frozen=True)
class Phase:
    """One part of a training, with a checkpoint of its own; None for one that is not gone on with.

    still: pretrained encoders do not change meanwhile. before: the part that it goes on from, whose
    weights stay the best until validation says otherwise, and whose curves its log begins with.
    share: of the `minutes` that the training is given.
    """

    checkpoint: str | None
    log: str
    title: str
    still: bool = False
    before: Progress | None = None
    share: float = 1.0


# Told after each look how far a part of a training is; it may raise to end it there.
Watch = Callable[[Progress, Phase], None]
WHOLE = Phase(LAST, LOG, "training")
FOLD = Phase(None, LOG, "training")
PRETRAIN = Phase(LAST, LOG, "pretraining")
REFIT = Phase(AGAIN, AGAIN_LOG, "training on all rows")
