"""Every attack on the rows of a table, the worst of all a row, and whether it can be believed."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from modalloy.attacks.attack import Attack, answering
from modalloy.attacks.budget import Budget
from modalloy.attacks.fgsm import FGSM
from modalloy.attacks.goal import Harm, harm
from modalloy.attacks.pgd import PGD
from modalloy.model.model import Model
from modalloy.model.tasks.classify import Classify
from modalloy.model.tokens import Batch


@dataclass(frozen=True)
class Result:
    """How far one task's answers hold.

    figure: `accuracy` (the share of right answers), `squared_error` (mean, standardised), or `loss`
    (mean, of a kind of task that is judged by its training loss). rows: with a known answer. clean:
    without an attack. attacks: attack -> the figure under it, all columns at once. worst: each row
    by the attack that does it most harm.
    """

    task: str
    figure: str
    rows: int
    clean: float
    attacks: Mapping[str, float]
    worst: float


@dataclass(frozen=True)
class Suite:
    """What a suite of attacks has found. budgets: as texts, by column."""

    budgets: Mapping[str, str]
    tasks: Mapping[str, Result]
    said: Sequence[str] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """The form that notes and reports keep."""
        return asdict(self)


def run_suite(
    model: Model,
    batches: Sequence[Batch],
    budgets: Sequence[Budget],
    *,
    attacks: Sequence[Callable[[tuple[str, ...]], Attack]] | None = None,
    tasks: Sequence[str] | None = None,
    seed: int = 0,
) -> Suite:
    """Attack the answers of a network to some rows with known answers.

    batches: as read, without kept features. attacks: each makes an attack on the tasks that it is
    given. tasks: those attacked, each on its own; all for None.
    """
    makers = attacks or (lambda t: FGSM(tasks=t), lambda t: PGD(tasks=t))
    found = {}
    for task in tasks or list(model.tasks):
        clean = [judged(model, b, task) for b in batches]
        under: dict[str, list[Harm]] = {}
        for make in makers:
            attack = make((task,))
            for i, batch in enumerate(batches):
                draw = drawn(seed, attack.name, task, str(i))
                handed = attack(model, batch, budgets, draw=draw)
                under.setdefault(attack.name, []).append(judged(model, handed, task))
        found[task] = result(model, task, batches, clean, under)
    return Suite({b.column: b.text() for b in budgets}, found)


def judged(model: Model, batch: Batch, task: str) -> Harm:
    """The harm of a batch as it is."""
    with answering(model), torch.no_grad():
        return harm(model, model(batch), batch, [task])


def drawn(seed: int, *words: str) -> torch.Generator:
    """A generator of its own for each attack and batch, so that their order changes nothing."""
    return torch.Generator().manual_seed(zlib.crc32("/".join([str(seed), *words]).encode()))


def result(
    model: Model,
    task: str,
    batches: Sequence[Batch],
    clean: Sequence[Harm],
    under: Mapping[str, Sequence[Harm]],
) -> Result:
    """The figures of one task."""
    head = model.task(task)
    right = isinstance(head, Classify)
    known_B = torch.cat([b.targets[task]["known"] for b in batches])

    def values(parts: Sequence[Harm]) -> torch.Tensor:
        kept = [(~p.wrong_B).float() if right else p.loss_B for p in parts]
        return torch.cat(kept)[known_B]

    every = {name: values(parts) for name, parts in under.items()}
    stacked = torch.stack([values(clean), *every.values()])
    worst = stacked.amin(0) if right else stacked.amax(0)
    return Result(
        task,
        "accuracy" if right else "squared_error",
        int(known_B.sum()),
        float(values(clean).mean()),
        {name: float(v.mean()) for name, v in every.items()},
        float(worst.mean()),
    )
