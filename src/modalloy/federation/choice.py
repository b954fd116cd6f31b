"""Which encoders a site sends in a round: by what they are worth to it for their bytes.

After MFedMC (Yuan et al. 2024, 2401.16685): an encoder's worth is what its column's absence costs
validation rows, and the longer it waited, the more it counts. What is shared by all is always sent.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.federation.travelling import weights_of
from modalloy.judge.metrics.score import score
from modalloy.judge.validate import skill
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of

ROWS = 256  # validation rows that tell
PATIENCE = 0.02  # of the score, that each round of waiting counts for
LONGEST = 2.0  # over the share: rounds of waiting after which an encoder goes first, however large


def chosen_blocks(
    model: Model,
    loader: Loader,
    rows: np.ndarray,
    blocks: Mapping[str, Sequence[str]],
    share: float,
    waited: Mapping[str, int],
) -> tuple[set[str], dict[str, float]]:
    """Inputs whose encoders are sent, at most this share of the bytes of all but one at least; and
    what each is worth."""
    sizes = {i: sum(x.nbytes for x in weights_of(model, own).values()) for i, own in blocks.items()}
    worth = values(model, loader, rows, list(blocks))
    late = {i: waited.get(i, 0) for i in blocks if waited.get(i, 0) >= LONGEST / share}
    rank = sorted(
        blocks,
        key=lambda i: (
            -late.get(i, 0),
            -(max(worth[i], 0.0) + PATIENCE * waited.get(i, 0) + 1e-6) / sizes[i],
        ),
    )
    sent, room = set(), share * sum(sizes.values())
    for name in rank:
        if not sent or sizes[name] <= room:
            sent.add(name)
            room -= sizes[name]
    return sent, worth


def values(
    model: Model, loader: Loader, rows: np.ndarray, inputs: Sequence[str]
) -> dict[str, float]:
    """How much worse validation rows are answered without each input; 0 where there are none."""
    rows = rows[:ROWS]
    if not len(rows) or len(model.inputs) < 2:
        return dict.fromkeys(inputs, 0.0)
    subsets = [EVERYTHING, *(frozenset({i}) for i in inputs)]
    model.eval()
    seen = answer_rows(model, loader, rows, hidden=subsets).seen
    found = {}
    for hidden in subsets:
        skills = []
        for name, options in model.job.tasks.items():
            target = loader.targets[name]
            truth = target.truth(loader.cells(target.columns, rows))
            figures = score(options, truth, seen[hidden][name], names_of(target))
            skills.append(skill(options, figures, len(names_of(target) or ())))
        known = [s for s in skills if np.isfinite(s)]
        found[hidden] = float(np.mean(known)) if known else 0.0
    return {i: found[EVERYTHING] - found[frozenset({i})] for i in inputs}
