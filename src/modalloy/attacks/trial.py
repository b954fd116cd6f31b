"""One task's answers to some rows: what each row costs as it is and under any attack."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from modalloy.attacks.attack import Attack, answering, by_loss, climb, look, some
from modalloy.attacks.budget import Budget
from modalloy.attacks.goal import Harm
from modalloy.attacks.moves import Moves
from modalloy.attacks.pgd import PGD
from modalloy.errors import JobError
from modalloy.model.model import Model
from modalloy.model.tasks.classify import Classify
from modalloy.model.tasks.regress import Regress
from modalloy.model.tokens import Batch

Changed = Callable[[Batch, torch.Generator], Batch]


class Effort(NamedTuple):
    """How hard a suite tries: steps of PGD and APGD, restarts of APGD-CE, aims of APGD-T, and
    queries of Square. The defaults are the least that is called honest for small models."""

    steps: int = 100
    restarts: int = 5
    aims: int = 9
    queries: int = 1000
    columns_alone: bool = True
    corruptions: bool = True


HONEST = Effort()


class Written(NamedTuple):
    """Rows whose names and words were changed first. by: the searches; costs_N: of each row."""

    batches: list[Batch]
    costs_N: Tensor
    by: list[str]


class Trial:
    """The rows of a task whose answer is known, in batches; those that are attacked among them.

    A row costs 1 where its class is wrong, else 0; of numbers the squared error, standardised; of
    other tasks their training loss. clean_N: as the rows are. blind: the mean cost of always giving
    the commonest class or the mean number of these rows; None for other kinds.

    Raises JobError where no row has an answer.
    """

    def __init__(
        self,
        model: Model,
        batches: Sequence[Batch],
        task: str,
        seed: int,
        tick: Callable[[int], None] = lambda n: None,
    ) -> None:
        self.model, self.task, self.seed, self.tick = model, task, seed, tick
        self.head = model.task(task)
        known = (some(b, b.targets[task]["known"].nonzero()[:, 0]) for b in batches)
        self.batches = [b for b in known if len(b)]
        if not self.batches:
            raise JobError(f"tasks.{task}: no row has an answer, so no attack on it can be judged.")
        self.right = isinstance(self.head, Classify)
        self.figure = "accuracy" if self.right else "rmse" if self.aims else "loss"
        self.clean_N = torch.cat([self.cost(b) for b in self.batches])
        self.blind = self.blind_cost()

    @property
    def aims(self) -> bool:
        """Whether a targeted attack has something to aim at."""
        return isinstance(self.head, Classify | Regress)

    @property
    def unit(self) -> str:
        """The unit of an error."""
        options = self.model.job.tasks[self.task]
        return str(getattr(options, "unit", None) or "") if self.figure == "rmse" else ""

    def blind_cost(self) -> float | None:
        """What always giving one answer costs, the best one of these rows."""
        if not self.aims:
            return None
        y_N = torch.cat([b.targets[self.task]["y"].float().cpu() for b in self.batches])
        if isinstance(self.head, Regress):
            return float(y_N.var(correction=0))
        if y_N.ndim > 1:
            return 1 - float(torch.unique(y_N, dim=0, return_counts=True)[1].max()) / len(y_N)
        return 1 - float(y_N.long().bincount().max()) / len(y_N)

    def cost(self, batch: Batch) -> Tensor:
        """What each row of a batch costs, (B,)."""
        with answering(self.model):
            return self.cost_of(look(self.model, batch, by_loss([self.task])))

    def cost_of(self, found: Harm) -> Tensor:
        """What each row costs that is so wrong."""
        return (found.wrong_B.float() if self.right else found.loss_B.float()).cpu()

    def figure_of(self, costs_N: Tensor) -> float:
        """The figure of rows that cost so much."""
        mean = float(costs_N.double().mean())
        match self.figure:
            case "accuracy":
                return 1 - mean
            case "rmse":
                return mean**0.5 * float(self.model.targets[self.task].scale)
            case _:
                return mean

    def say(self, costs_N: Tensor) -> str:
        """The figure of such costs in words."""
        return self.say_figure(self.figure_of(costs_N))

    def say_figure(self, value: float) -> str:
        """A figure in words."""
        match self.figure:
            case "accuracy":
                return f"{100 * value:.1f} % of answers are right"
            case "rmse":
                return f"the root mean squared error is {value:.3g} {self.unit}".rstrip()
            case _:
                return f"the mean loss is {value:.3g}"

    def draw(self, *words: str) -> torch.Generator:
        """A generator of its own for each attack and batch, so that their order changes nothing."""
        text = "/".join([str(self.seed), self.task, *words])
        return torch.Generator().manual_seed(zlib.crc32(text.encode()))

    def open(self, at: int) -> Tensor:
        """Rows of a batch that are worth an attack: all, of classes those answered rightly."""
        start = sum(len(b) for b in self.batches[:at])
        clean_B = self.clean_N[start : start + len(self.batches[at])]
        return (clean_B == 0).nonzero()[:, 0] if self.right else torch.arange(len(clean_B))

    def each(
        self, change: Callable[[Batch, int], tuple[Batch, Tensor]]
    ) -> tuple[list[Batch], Tensor]:
        """Change the rows worth an attack of each batch: these as handed over, and what every row
        costs then.
        """
        handed, costs = [], []
        for i, batch in enumerate(self.batches):
            rows = self.open(i)
            cost_B = self.clean_N[sum(map(len, self.batches[:i])) :][: len(batch)].clone()
            if len(rows):
                changed, found_B = change(some(batch, rows), i)
                cost_B[rows] = found_B
                handed.append(changed)
            costs.append(cost_B)
            self.tick(len(batch))
        return handed, torch.cat(costs)

    def rewritten(self, searches: Mapping[str, Attack], budgets: Sequence[Budget]) -> Written:
        """The rows worth an attack after searches over names and words, in turn."""

        def change(batch: Batch, i: int) -> tuple[Batch, Tensor]:
            for name, attack in searches.items():
                batch = attack(self.model, batch, budgets, draw=self.draw(name, str(i)))
            return batch, self.cost(batch)

        if not searches:
            opened = [some(b, self.open(i)) for i, b in enumerate(self.batches)]
            return Written([b for b in opened if len(b)], self.clean_N, [])
        return Written(*self.each(change), list(searches))

    def under(
        self, attack: Attack, budgets: Sequence[Budget], *, start: Written, again: int = 0
    ) -> Tensor:
        """What each row costs under an attack, from rows whose words were changed before."""
        ready = iter(start.batches)

        def change(batch: Batch, i: int) -> tuple[Batch, Tensor]:
            draw = self.draw(attack.name, str(i), str(again), *(b.text() for b in budgets))
            handed = attack(self.model, next(ready), budgets, draw=draw)
            return handed, self.cost(handed)

        return self.each(change)[1]

    def changed(self, change: Changed, *words: str) -> Tensor:
        """What each row costs after a change of all rows, right or wrong before."""
        costs = []
        for i, batch in enumerate(self.batches):
            costs.append(self.cost(change(batch, self.draw(*words, str(i)))))
            self.tick(len(batch))
        return torch.cat(costs)

    def growth(
        self, budgets: Sequence[Budget], factors: Sequence[float], steps: int
    ) -> list[tuple[float, float]]:
        """The mean cost with so many times the budgets."""
        attack = PGD(steps=steps, tasks=(self.task,))
        plain, found = self.rewritten({}, budgets), []
        for factor in factors:
            wider = [b.times(factor) for b in budgets]
            found.append((factor, float(self.under(attack, wider, start=plain).mean())))
            if self.right and found[-1][1] >= 1.0:
                break
        return found

    def flat(self, budgets: Sequence[Budget]) -> Tensor:
        """Whether each row worth an attack has no gradient in anything that may be moved."""
        found = []
        for i, batch in enumerate(self.batches):
            rows = self.open(i)
            if not len(rows):
                continue
            moves = Moves.of(self.model, some(batch, rows), budgets)
            with answering(self.model):
                _, slope_BM = climb(self.model, moves, moves.zero(), by_loss([self.task]))
            free_BM = moves.high_BM > moves.low_BM
            steep_B = ((slope_BM != 0) & free_BM).any(1)
            found.append((free_BM.any(1) & ~steep_B).cpu())
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.bool)
