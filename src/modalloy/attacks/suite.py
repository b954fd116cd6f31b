"""Every attack on the rows of a table, the worst of all a row, and whether it can be believed."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from modalloy.attacks.apgd import APGD
from modalloy.attacks.attack import Attack
from modalloy.attacks.budget import Budget, CellsOf
from modalloy.attacks.corruptions import CORRUPTIONS, SEVERITIES, befalls, corrupt
from modalloy.attacks.fgsm import FGSM
from modalloy.attacks.lying import LIES, Lie, lie
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
from modalloy.attacks.results import Result, Suite
from modalloy.attacks.square import Square
from modalloy.attacks.transfer import Whole, say_whole, transfer
from modalloy.attacks.trial import HONEST, Effort, Trial, Written
from modalloy.attacks.words import Words
from modalloy.errors import JobError
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

GROWTH = (1.0, 4.0, 16.0, 64.0)  # times the budgets
NUMBERS = ("linf", "embedding")  # what attacks by gradients move


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
    numbers = [b for b in budgets if b.what in NUMBERS]
    checks, growth = [], []
    if numbers:
        by_attack, restarts = moved(trial, numbers, written, effort)
        costs |= by_attack
        growth = trial.growth(numbers, GROWTH, effort.steps)
        checks = checked(trial, numbers, by_attack, restarts, growth)
    columns = list(dict.fromkeys(b.column for b in budgets)) if effort.columns_alone else []
    alone = {c: alone_of(trial, c, budgets, effort, cells_of) for c in columns}
    worst_N = worst_of([*costs.values(), *alone.values()])
    robust, said = verdict(trial, worst_N, checks)
    handed = {} if whole is None else transfer(trial, whole, budgets, effort)
    said += [say_whole(trial, handed)] if handed else []
    told = trial.figure_of
    result = Result(
        task=trial.task,
        figure=trial.figure,
        unit=trial.unit,
        rows=len(trial.clean_N),
        clean=told(trial.clean_N),
        attacks={n: told(c) for n, c in costs.items() if n != "clean"},
        worst=told(worst_N),
        columns={c: told(cost_N) for c, cost_N in alone.items()},
        lying={c: told(lied(trial, c)) for c in columns},
        corruptions=corrupted(trial) if effort.corruptions else {},
        growth=[(factor, told(torch.tensor([cost]))) for factor, cost in growth],
        blind=None if trial.blind is None else told(torch.tensor([trial.blind])),
        checks=checks,
        robust=robust,
        said=said,
        whole=handed,
    )
    costs |= {f"{column} alone": cost_N for column, cost_N in alone.items()} | {"worst": worst_N}
    return result, {name: cost_N.double().numpy() for name, cost_N in costs.items()}


def moved(
    trial: Trial, numbers: Sequence[Budget], start: Written, effort: Effort
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """What each row costs under each attack that moves numbers, all columns at once; and after each
    restart of APGD-CE.
    """
    own, costs = (trial.task,), {}
    for attack in (FGSM(tasks=own), PGD(steps=effort.steps, tasks=own)):
        costs[attack.name] = trial.under(attack, numbers, start=start)
    single = APGD(steps=effort.steps, tasks=own)
    restarts = [trial.under(single, numbers, start=start, again=i) for i in range(effort.restarts)]
    costs[single.name] = worst_of(restarts)
    if trial.aims:
        targeted = APGD(effort.steps, targeted=True, aims=effort.aims, tasks=own)
        costs[targeted.name] = trial.under(targeted, numbers, start=start)
    if any(b.what == "linf" for b in numbers):  # else a black box has nothing to move
        square = Square(effort.queries, tasks=own)
        costs[square.name] = trial.under(square, numbers, start=start)
    return costs, restarts


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
) -> list[Check]:
    """The checks against masked gradients."""
    by_slope = [cost_N for name, cost_N in costs.items() if name != "Square"]
    found = [check_growth(trial.figure, growth, trial.blind)]
    if "Square" in costs:
        found.append(check_black_box(worst_of(by_slope), costs["Square"]))
    if len(restarts) > 1:
        found.append(check_restarts(trial.figure, [float(c.mean()) for c in restarts]))
    return [*found, check_slopes(trial.flat(numbers))]


def alone_of(
    trial: Trial,
    column: str,
    budgets: Sequence[Budget],
    effort: Effort,
    cells_of: CellsOf | None,
) -> Tensor:
    """What each row costs where one column alone is attacked, as its kind is attacked best."""
    own = [b for b in budgets if b.column == column]
    written = trial.rewritten(searches(trial, own, cells_of), own)
    parts = [trial.clean_N, written.costs_N]
    numbers = [b for b in own if b.what in NUMBERS]
    if numbers:
        attack = APGD(steps=effort.steps, tasks=(trial.task,))
        parts.append(trial.under(attack, numbers, start=written))
    return worst_of(parts)


def lied(trial: Trial, column: str) -> Tensor:
    """What each row costs where a column says noise or is another row's, by the worse."""

    def lying(how: Lie) -> Tensor:
        readers = trial.model.readers
        return trial.changed(lambda b, d: lie(b, readers, column, how, draw=d), how, column)

    return worst_of([lying(how) for how in LIES])


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


def verdict(trial: Trial, worst_N: Tensor, checks: Sequence[Check]) -> tuple[bool, list[str]]:
    """Whether the word robust may be used, and why or why not."""
    failed = [c for c in checks if not c.passed]
    said = [
        f"{trial.task}: {c.said}, so the figures above flatter it and the word robust is refused."
        for c in failed
    ]
    if not checks:
        said.append(f"{trial.task}: nothing was attacked by gradients, so nothing was checked.")
    elif trial.blind is None:
        said.append(
            f"{trial.task}: there is no blind answer to compare with, so its figures stand without "
            "the word robust."
        )
    elif float(worst_N.mean()) >= trial.blind:
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
