"""Every attack on the rows of a table, the worst of all a row, and whether it can be believed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.attacks.apgd import APGD
from modalloy.attacks.attack import Attack
from modalloy.attacks.budget import Budget
from modalloy.attacks.corruptions import CORRUPTIONS, SEVERITIES, befalls, corrupt
from modalloy.attacks.fgsm import FGSM
from modalloy.attacks.lying import LIES, lie
from modalloy.attacks.masking import (
    Check,
    check_black_box,
    check_growth,
    check_restarts,
    check_slopes,
    worst_of,
)
from modalloy.attacks.names import Names
from modalloy.attacks.pgd import PGD
from modalloy.attacks.square import Square
from modalloy.attacks.transfer import Whole, transfer
from modalloy.attacks.trial import HONEST, Effort, Trial
from modalloy.attacks.words import CellsOf, Words
from modalloy.errors import JobError
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

GROWTH = (1.0, 4.0, 16.0, 64.0)  # times the budgets


@dataclass(frozen=True)
class Result:
    """How far one task's answers hold.

    figure: `accuracy`, the share of right answers; `rmse` in `unit`; or `loss`, the mean training
    loss. rows: those with a known answer. clean: without an attack. attacks: attack -> the figure
    under it, all columns at once. worst: each row by the attack that hurts it most. columns: column
    -> the figure where it alone is attacked. lying: column -> where it says noise or is another
    row's, each row by the worse. corruptions: kind -> a figure for each severity. growth: how many
    times the budgets, and the figure. blind: the figure of always giving one answer, None where
    there is no such answer. robust: whether the word may be used. whole: figures of the whole
    answer, with what stands beside the network, see `transfer`.
    """

    task: str
    figure: str
    unit: str
    rows: int
    clean: float
    attacks: Mapping[str, float]
    worst: float
    columns: Mapping[str, float]
    lying: Mapping[str, float]
    corruptions: Mapping[str, Sequence[float]]
    growth: Sequence[tuple[float, float]]
    blind: float | None
    checks: Sequence[Check]
    robust: bool
    said: Sequence[str]
    whole: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """What a suite of attacks has found.

    budgets: column -> as texts. costs: task -> attack -> what each row with a known answer costs
    (1 where its class is wrong, or its loss), for paired intervals; `clean` and `worst` among them;
    not part of what is kept.
    """

    budgets: Mapping[str, str]
    tasks: Mapping[str, Result]
    costs: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The form that notes and reports keep."""
        return {
            "budgets": dict(self.budgets),
            "tasks": {t: asdict(r) for t, r in self.tasks.items()},
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> "Suite":
        """What `as_dict` wrote, also after JSON."""
        known = {f.name for f in fields(Result)}
        tasks = {}
        for name, found in kept["tasks"].items():
            own = {k: v for k, v in found.items() if k in known}
            own["checks"] = tuple(Check(*c) for c in found["checks"])
            own["growth"] = tuple((float(a), float(b)) for a, b in found["growth"])
            own["said"] = tuple(found["said"])
            tasks[name] = Result(**own)
        return cls(dict(kept["budgets"]), tasks)


def run_suite(
    model: Model,
    batches: Sequence[Batch],
    budgets: Sequence[Budget],
    *,
    effort: Effort = HONEST,
    tasks: Sequence[str] | None = None,
    cells_of: CellsOf | None = None,
    whole: Whole | None = None,
    seed: int = 0,
    tick: Callable[[int], None] = lambda n: None,
) -> Suite:
    """Attack the answers of a network to some rows with known answers.

    batches: as read, without kept features. tasks: those attacked, each on its own; all for None.
    cells_of: the rows' cells, needed where a budget counts words. whole: what the whole answer of
    a run costs for the rows of a batch, see `whole.py`; the network itself is what is attacked, and
    the others are handed what broke it, and searched by Square. tick: called with the number of
    rows after each attack.

    Classes are attacked only where the answer was right. JobError for a budget in words without
    cells, and where no row has an answer of a task.
    """
    if cells_of is None and any(b.what in ("words", "characters") for b in budgets):
        raise JobError("budgets in words need the cells of the rows; hand over cells_of.")
    told: dict[str, list[str]] = {}
    for budget in budgets:
        told.setdefault(budget.column, []).append(budget.text())
    found, costs = {}, {}
    for task in list(model.tasks) if tasks is None else tasks:
        trial = Trial(model, batches, task, seed, tick)
        found[task], costs[task] = judge(trial, budgets, effort, cells_of, whole)
    return Suite({c: ", ".join(t) for c, t in told.items()}, found, costs)


def judge(
    trial: Trial,
    budgets: Sequence[Budget],
    effort: Effort,
    cells_of: CellsOf | None,
    whole: Whole | None,
) -> tuple[Result, dict[str, np.ndarray]]:
    """One task's results, and what each row costs."""
    written = trial.rewritten(searches(trial, budgets, cells_of), budgets)
    costs: dict[str, Tensor] = {"clean": trial.clean_N}
    if written.by:
        costs[" and ".join(written.by)] = written.costs_N
    numbers = [b for b in budgets if b.what in ("linf", "embedding")]
    restarts: list[Tensor] = []
    if numbers:
        for attack in (FGSM(tasks=(trial.task,)), PGD(steps=effort.steps, tasks=(trial.task,))):
            costs[attack.name] = trial.under(attack, numbers, start=written)
        single = APGD(steps=effort.steps, tasks=(trial.task,))
        restarts = [
            trial.under(single, numbers, start=written, again=i) for i in range(effort.restarts)
        ]
        costs[single.name] = worst_of(restarts)
        if trial.aims:
            targeted = APGD(effort.steps, targeted=True, aims=effort.aims, tasks=(trial.task,))
            costs[targeted.name] = trial.under(targeted, numbers, start=written)
        square = Square(effort.queries, tasks=(trial.task,))
        costs[square.name] = trial.under(square, numbers, start=written)
    worst_N = worst_of(list(costs.values()))
    growth = trial.growth(numbers, GROWTH, effort.steps) if numbers else []
    checks = checked(trial, numbers, costs, restarts, growth, effort) if numbers else []
    alone = alone_of(trial, budgets, effort, cells_of) if effort.columns_alone else {}
    columns = list(dict.fromkeys(b.column for b in budgets))
    lying = {c: trial.figure_of(lied(trial, c)) for c in columns} if effort.columns_alone else {}
    curves = corrupted(trial) if effort.corruptions else {}
    handed = {} if whole is None else transfer(trial, whole, budgets, effort)
    blind = trial.blind
    blind_said = None if blind is None else trial.figure_of(torch.tensor([blind]))
    robust, said = verdict(trial, worst_N, checks, blind)
    result = Result(
        trial.task,
        trial.figure,
        trial.unit,
        len(trial.clean_N),
        trial.figure_of(trial.clean_N),
        {n: trial.figure_of(c) for n, c in costs.items() if n != "clean"},
        trial.figure_of(worst_N),
        {c: trial.figure_of(v) for c, v in alone.items()},
        lying,
        curves,
        [(factor, trial.figure_of(torch.tensor([cost]))) for factor, cost in growth],
        blind_said,
        checks,
        robust,
        said,
        handed,
    )
    kept = {n: c.double().numpy() for n, c in {**costs, "worst": worst_N}.items()}
    return result, kept


def searches(
    trial: Trial, budgets: Sequence[Budget], cells_of: CellsOf | None
) -> dict[str, Attack]:
    """Searches over names and words, where a budget counts these."""
    counted, own = {b.what for b in budgets}, (trial.task,)
    found: dict[str, Attack] = {"names": Names(tasks=own)} if "name" in counted else {}
    if counted & {"words", "characters"} and cells_of is not None:
        found["words"] = Words(cells_of, tasks=own)
    return found


def checked(
    trial: Trial,
    numbers: Sequence[Budget],
    costs: Mapping[str, Tensor],
    restarts: Sequence[Tensor],
    growth: Sequence[tuple[float, float]],
    effort: Effort,
) -> list[Check]:
    """The checks against masked gradients."""
    by_slope = [c for n, c in costs.items() if n in ("FGSM", "APGD-CE", "APGD-T") or "PGD-" in n]
    found = [
        check_growth(trial.figure, growth, trial.blind),
        check_black_box(worst_of(by_slope), costs["Square"]),
    ]
    if len(restarts) > 1:
        found.append(check_restarts(trial.figure, [float(c.mean()) for c in restarts]))
    return [*found, check_slopes(trial.flat(numbers))]


def alone_of(
    trial: Trial, budgets: Sequence[Budget], effort: Effort, cells_of: CellsOf | None
) -> dict[str, Tensor]:
    """What each row costs where one column alone is attacked, as its kind is attacked best."""
    found = {}
    attack = APGD(steps=effort.steps, tasks=(trial.task,))
    for column in dict.fromkeys(b.column for b in budgets):
        own = [b for b in budgets if b.column == column]
        written = trial.rewritten(searches(trial, own, cells_of), own)
        parts = [trial.clean_N, written.costs_N]
        numbers = [b for b in own if b.what in ("linf", "embedding")]
        if numbers:
            parts.append(trial.under(attack, numbers, start=written))
        found[column] = worst_of(parts)
    return found


def lied(trial: Trial, column: str) -> Tensor:
    """What each row costs where a column says noise or is another row's, by the worse."""
    readers = trial.model.readers
    return worst_of(
        [
            trial.changed(lambda b, d, how=how: lie(b, readers, column, how, draw=d), how, column)
            for how in LIES
        ]
    )


def corrupted(trial: Trial) -> dict[str, list[float]]:
    """Figures of each corruption at each severity, done to all columns that it can befall."""
    readers = trial.model.readers
    return {
        kind: [
            trial.figure_of(
                trial.changed(
                    lambda b, d, k=kind, s=s: corrupt(b, readers, k, s, draw=d), kind, str(s)
                )
            )
            for s in SEVERITIES
        ]
        for kind in CORRUPTIONS
        if befalls(kind, readers)
    }


def verdict(
    trial: Trial, worst_N: Tensor, checks: Sequence[Check], blind: float | None
) -> tuple[bool, list[str]]:
    """Whether the word robust may be used, and why or why not."""
    failed = [c for c in checks if not c.passed]
    said = [
        f"{trial.task}: {c.said}, so the figures above flatter it and the word robust is refused."
        for c in failed
    ]
    if not checks:
        said.append(f"{trial.task}: nothing was attacked by gradients, so nothing was checked.")
    elif blind is None:
        said.append(
            f"{trial.task}: there is no blind answer to compare with, so its figures stand without "
            "the word robust."
        )
    elif float(worst_N.mean()) >= blind:
        said.append(
            f"{trial.task}: under the worst attack it is no better than always giving one answer, "
            "so the word robust is refused."
        )
    if said:
        return False, said
    return True, [
        f"{trial.task}: {trial.say(worst_N)} under the worst attack within these budgets, "
        f"{trial.say(trial.clean_N)} without; every check against masked gradients was passed."
    ]
