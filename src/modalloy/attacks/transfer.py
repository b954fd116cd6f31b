"""Attacks on a network handed to whoever answers the same rows in the end, such as a blend.

A run's answer can be more than its network's: classical methods stand beside it, and stages after
it adjust how sure it is. That whole has no gradient. So it is handed the rows that were made
against the network, and searched as a black box. Texts and dates stay as they are there, because an
attacked batch no longer tells how they were written.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from modalloy.attacks.budget import Budget
from modalloy.attacks.goal import Harm
from modalloy.attacks.joint import Joint
from modalloy.attacks.moves import Moves
from modalloy.attacks.names import Names
from modalloy.attacks.pgd import PGD
from modalloy.attacks.square import Square
from modalloy.attacks.trial import Effort, Trial
from modalloy.model.tokens import Batch

Whole = Callable[[Batch, str], Tensor]  # what each row of a batch costs in a task, (B,)
WRITABLE = ("image", "audio", "series", "vector", "number", "category")
FEWER = 10  # times as few queries as of the network, because a whole answer takes longer


def transfer(
    trial: Trial, whole: Whole, budgets: Sequence[Budget], effort: Effort
) -> dict[str, float]:
    """Figures of the whole answer: `clean`, `transferred`, `Square`, and each row by the `worst`.

    Rows are attacked whether the network was right or not: what stands beside it may be.
    """
    readers = trial.model.readers
    own = [b for b in budgets if readers[b.column].kind in WRITABLE and b.what in ("linf", "name")]
    costs: dict[str, list[Tensor]] = {"clean": [], "transferred": [], "Square": []}
    both = Joint((Names(tasks=(trial.task,)), PGD(steps=effort.steps, tasks=(trial.task,))))
    square = Square(max(2, effort.queries // FEWER), tasks=(trial.task,))
    for i, batch in enumerate(trial.batches):
        costs["clean"].append(whole(batch, trial.task))
        draw = trial.draw("transfer", both.name, str(i))
        handed = both(trial.model, batch, own, draw=draw)
        costs["transferred"].append(whole(handed, trial.task))
        draw = trial.draw("transfer", square.name, str(i))
        costs["Square"].append(searched(trial, square, whole, batch, own, draw))
        trial.tick(len(batch))
    joined = {name: torch.cat(parts) for name, parts in costs.items()}
    joined["worst"] = torch.stack(list(joined.values())).amax(0)
    return {name: trial.figure_of(cost_N) for name, cost_N in joined.items()}


def say_whole(trial: Trial, figures: Mapping[str, float]) -> str:
    """What was found of the whole answer, in a sentence."""
    clean, worst = (trial.say_figure(figures[name]) for name in ("clean", "worst"))
    return (
        f"{trial.task}: of the whole answer, with what stands beside the network, {clean} as rows "
        f"are, and {worst} under the worst attack on it; nobody can follow its gradient, so better "
        "attacks may exist."
    )


def searched(
    trial: Trial,
    square: Square,
    whole: Whole,
    batch: Batch,
    budgets: Sequence[Budget],
    draw: torch.Generator,
) -> Tensor:
    """What each row costs the whole answer after a black-box search of it."""
    moves = Moves.of(trial.model, batch, [b for b in budgets if b.what == "linf"])
    if not moves.any:
        return whole(batch, trial.task)

    def answers(asked: Batch) -> Harm:
        cost_B = whole(asked, trial.task)
        return Harm(cost_B, cost_B > 0 if trial.right else torch.zeros_like(cost_B) > 0)

    u_BM = square.search(answers, moves, draw)
    return whole(moves.batch(u_BM, handed=True), trial.task)
