"""What a suite of attacks has found: figures of each task, as data and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from modalloy.attacks.masking import Check


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
    (1 where its class is wrong, or its loss), for paired intervals; `clean`, `COLUMN alone` and
    `worst` among them; not part of what is kept.
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

    def text(self) -> str:
        """All of it for a terminal, a line for each figure and each check."""
        within = ", ".join(f"{c} {t}" for c, t in self.budgets.items())
        lines = [f"attacks within {within}"]
        for task, found in self.tasks.items():
            lines.append(f"{task}, {found.rows} rows")
            pairs = [*lines_of(found), *((f"check: {c.name}", c.said) for c in found.checks)]
            wide = max(len(name) for name, _ in pairs)
            lines += [f"  {name.ljust(wide)}  {said}" for name, said in pairs]
            lines += list(found.said)
        return "\n".join(lines)

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


def lines_of(found: Result) -> list[tuple[str, str]]:
    """What each attack left of a task's figure, in words."""

    def said(value: float) -> str:
        if found.figure == "accuracy":
            return f"{100 * value:.1f} %"
        return f"{value:.3g} {found.unit}".rstrip()

    lines = [("clean", said(found.clean))]
    lines += [(name, said(value)) for name, value in found.attacks.items()]
    lines.append(("worst of all", said(found.worst)))
    lines += [(f"{name} alone", said(value)) for name, value in found.columns.items()]
    lines += [(f"{name} lies", said(value)) for name, value in found.lying.items()]
    for kind, curve in found.corruptions.items():
        lines.append((kind.replace("_", " "), ", ".join(map(said, curve))))
    for factor, value in found.growth:
        lines.append((f"{factor:g} times the budgets", said(value)))
    if found.blind is not None:
        lines.append(("one answer for all", said(found.blind)))
    return lines + [(f"whole answer, {name}", said(value)) for name, value in found.whole.items()]
