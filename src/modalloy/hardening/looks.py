"""How a hardening is judged while it learns, and the weights that it ends with: by validation rows
alone, clean and attacked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.answers import Answers
from modalloy.answer.loader import Loader
from modalloy.attacks.budget import Budget
from modalloy.attacks.pgd import PGD
from modalloy.hardening.answers import answers_to
from modalloy.judge.metrics.score import primary
from modalloy.judge.validate import Score, validate
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

STEPS = 5  # of the attack that looks are under
ATTACKED = 256  # validation rows that are attacked at most
DEAR = 10.0  # what a point below the least clean score costs, in points
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the way from the old weights to the new ones


@dataclass
class Looks:
    """Looks at validation rows.

    Their score is half the score of clean rows and half that of rows under PGD of five steps within
    the budgets, whatever the training attacks by: after single steps a network may hold against
    these alone (Wong et al. 2020). Clean score below `least` costs ten times what it is short.
    """

    model: Model
    loader: Loader
    rows: np.ndarray
    budgets: Sequence[Budget]
    least: float = -np.inf

    def clean(self) -> Score:
        """Of the rows as they are."""
        return validate(self.model, self.loader, self.rows, answering)

    def attacked(self) -> Score:
        """Of rows under the attack: at most 256 of them, always the same."""
        which, attack = self.rows, PGD(steps=STEPS, worst=False)
        if len(which) > ATTACKED:
            which = np.sort(np.random.default_rng(0).choice(which, ATTACKED, replace=False))

        def change(batch: Batch, draw: torch.Generator) -> Batch:
            return attack(self.model, batch, self.budgets, draw=draw)

        def under(model: Model, loader: Loader, rows: np.ndarray) -> Answers:
            return answers_to(model, loader, rows, change)

        return validate(self.model, self.loader, which, under)

    def both(self) -> tuple[Score, Score]:
        """Clean and attacked."""
        return self.clean(), self.attacked()

    def score(self) -> Score:
        """What early stopping looks at; figures of the rows under the attack stand beside."""
        clean, attacked = self.both()
        figures: dict[str, dict[str, Any]] = {}
        for name, options in self.model.job.tasks.items():
            metric, own = primary(options)[0], dict(clean.figures[name])
            if metric in attacked.figures[name]:
                own[f"{metric} attacked"] = attacked.figures[name][metric]
            figures[name] = own
        return Score(worth(clean.value, attacked.value, self.least), figures)


def answering(model: Model, loader: Loader, rows: np.ndarray) -> Answers:
    """Answers of one process."""
    return answers_to(model, loader, rows)


def worth(clean: float, attacked: float, least: float) -> float:
    """Half of each, less ten times what clean answers lack of the least."""
    return 0.5 * clean + 0.5 * attacked - DEAR * max(0.0, least - clean)


@dataclass(frozen=True)
class Chosen:
    """The weights that a hardening ends with: a share of the way from the old ones to the new.

    tried: share, clean score, attacked score of each place that was looked at; empty where no row
    could judge them.
    """

    share: float
    tried: tuple[tuple[float, float, float], ...] = ()


def choose_weights(looks: Looks, old: dict[str, Tensor]) -> Chosen:
    """Put the weights into the model that hold best under attack, of those between the old ones and
    its own whose clean score is at least `looks.least` (Wortsman et al. 2022, 2109.01903); of the
    old ones where there are none.
    """
    model = looks.model
    if not len(looks.rows):
        return Chosen(1.0)
    new = {n: t.detach().clone() for n, t in model.state_dict().items()}
    tried = []
    for share in SHARES:
        model.load_state_dict(between(old, new, share))
        clean, attacked = looks.both()
        tried.append((share, clean.value, attacked.value))
    kept = [t for t in tried if t[1] >= looks.least - 1e-9] or tried[:1]
    best = max(kept, key=lambda t: (t[2], t[1]))
    model.load_state_dict(between(old, new, best[0]))
    return Chosen(best[0], tuple(tried))


def between(old: dict[str, Tensor], new: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights a share of the way; what is no fraction, such as counts, is the new one's."""
    return {
        name: torch.lerp(old[name], t, share) if t.is_floating_point() else t
        for name, t in new.items()
    }
