"""What is wrong with the costs of a task's decisions, as far as the job alone shows it."""

from collections.abc import Iterator, Mapping
from typing import Any

from modalloy.job.faults import Fault, quoted
from modalloy.job.options import did_you_mean

MISTAKES = ("miss", "false_alarm")  # of two classes
ASK = "ask"
EITHER = (
    "write {miss: 10, false_alarm: 1}, or what each answer costs for each true class, as in "
    "{crack: {none: 50}, none: {crack: 1}}"
)


def broken_costs(path: tuple[str, ...], options: Mapping[str, Any]) -> Iterator[Fault]:
    """Faults of the group `decide` of a `classify` task, the first of each kind.

    path: to that group. options: of the task.
    """
    decide = options["decide"]
    costs, at = decide.get("costs"), (*path, "costs")
    if options.get("labels") == "multi":
        yield Fault(path, "is for one class a row; this task has labels: multi.")
        return
    named = isinstance(costs, dict)
    said: list[Any] = [decide.get(ASK), costs.get(ASK) if named else None]
    asks = [float(c) for c in said if is_cost(c)]
    if len(asks) > 1:
        yield Fault((*path, ASK), "is said twice, here and in costs; take one away.")
    if any(cost < 0 for cost in asks):
        yield Fault((*path, ASK), f"must be a cost of at least 0. Got {min(asks):g}.")
    given = {k: v for k, v in costs.items() if k != ASK} if named else {}
    if named and given and all(is_cost(v) for v in given.values()):
        yield from broken_mistakes(at, given)
        return
    if decide.get("positive") is not None and isinstance(costs, dict | list):
        why = "is for costs of miss and false_alarm; a cost for each class needs none."
        yield Fault((*path, "positive"), why)
    if named:
        yield from broken_mapping(at, given)
    elif isinstance(costs, list):
        yield from broken_matrix(at, costs)


def broken_mistakes(at: tuple[str, ...], costs: Mapping[str, Any]) -> Iterator[Fault]:
    """Both mistakes have a cost, one of them at least above 0."""
    for name in costs:
        if name not in MISTAKES:
            near = did_you_mean(name, (*MISTAKES, ASK))
            yield Fault(at, f"{quoted(name)} is no cost;{near or ' ' + EITHER}.".replace("?.", "?"))
            return
    for name in MISTAKES:
        if name not in costs:
            yield Fault(at, f"must hold {name}, too; {EITHER}.")
            return
    yield from unpriced(at, dict(costs))


def broken_mapping(at: tuple[str, ...], costs: Mapping[str, Any]) -> Iterator[Fault]:
    """Every class has a cost for each other one, and names no class that has no costs."""
    rows = {k: v for k, v in costs.items() if isinstance(v, dict)}
    if len(rows) < max(len(costs), 2):
        yield Fault(at, f"must hold a cost for each class; {EITHER}.")
        return
    for true, row in rows.items():
        for name in row:
            if name not in rows:
                near = did_you_mean(name, rows)
                why = f"{quoted(true)} has a cost of {quoted(name)}, which has no costs of its own."
                yield Fault(at, f"{why}{near}")
                return
        lacking = [name for name in rows if name not in row and name != true]
        if lacking:
            yield Fault(at, f"says no cost of answering {quoted(lacking[0])} to {quoted(true)}.")
            return
    said = {f"{true}: {name}": c for true, row in rows.items() for name, c in row.items()}
    yield from unpriced(at, said)


def broken_matrix(at: tuple[str, ...], costs: list[Any]) -> Iterator[Fault]:
    """As many columns as rows."""
    lengths = [len(row) if isinstance(row, list) else 0 for row in costs]
    if len(costs) < 2 or any(n != len(costs) for n in lengths):
        shape = f"{len(costs)} rows of {', '.join(map(str, sorted(set(lengths))))} costs"
        yield Fault(at, f"must have as many columns as rows, one of each a class. Got {shape}.")
        return
    cells = {f"row {i}, column {j}": c for i, row in enumerate(costs) for j, c in enumerate(row)}
    yield from unpriced(at, cells)


def unpriced(at: tuple[str, ...], said: Mapping[str, Any]) -> Iterator[Fault]:
    """No cost is below 0, and not all of them are 0."""
    known = {where: cost for where, cost in said.items() if is_cost(cost)}
    below = [where for where, cost in known.items() if cost < 0]
    if below:
        yield Fault(at, f"must be costs of at least 0. Got {known[below[0]]} for {below[0]}.")
    elif known and not any(known.values()):
        yield Fault(at, "are all 0: any answer would be as good as any other.")


def is_cost(value: Any) -> bool:
    """Whether this is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
