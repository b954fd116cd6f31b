"""What a study has found: its trials, the best of them, what mattered, and which cost least."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from modalloy.tuning.manner import Cost

COSTS: dict[Cost, str] = {"size": "parameters", "latency": "latency_ms"}
FEWEST = 4  # trials with a score from which importance says anything
STATES = {TrialState.COMPLETE: "scored", TrialState.PRUNED: "ended"}


@dataclass(frozen=True)
class Tried:
    """One trial: the options that it changed, and how well validation rows were answered.

    score: as training judges it, 1 is perfect; None where it was ended before. looks: the best
    score until each look that was reported. figures: of each task, at the best look. why: it has no
    score. latency_ms: of an answered row. default: it is the job as it was given.
    """

    number: int
    changed: dict[str, Any]
    score: float | None = None
    looks: list[tuple[int, float]] = field(default_factory=list)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float | None = None
    parameters: int | None = None
    latency_ms: float | None = None
    default: bool = False
    why: str = ""

    @property
    def said(self) -> str:
        """The score in words; a dash where there is none."""
        return "–" if self.score is None else f"{self.score:.4f}"

    def as_dict(self) -> dict[str, Any]:
        """The form of tune.json."""
        return asdict(self)


def trials_of(study: Study) -> list[Tried]:
    """All trials that have ended, in their order; those that died count as never begun."""
    return [tried(t) for t in study.get_trials(deepcopy=False) if t.state in STATES]


def tried(trial: FrozenTrial) -> Tried:
    """One trial as it is told."""
    known = trial.user_attrs
    scored = trial.state == TrialState.COMPLETE
    return Tried(
        trial.number,
        known.get("changed", {}),
        score_of(trial) if scored else None,
        sorted(trial.intermediate_values.items()),
        known.get("figures", {}),
        known.get("seconds"),
        known.get("parameters"),
        known.get("latency_ms"),
        known.get("default", False),
        known.get("why", ""),
    )


def score_of(trial: FrozenTrial) -> float:
    """The score of a trial that has one; costs come after it."""
    assert trial.values is not None
    return trial.values[0]


def best_of(trials: Sequence[Tried]) -> Tried | None:
    """The trial with the highest score; of several the one with fewest parameters."""
    scored = [t for t in trials if t.score is not None]
    return max(scored, key=lambda t: (t.score, -(t.parameters or 0)), default=None)


def default_of(trials: Sequence[Tried]) -> Tried | None:
    """The job as it was given, where it was scored."""
    return next((t for t in trials if t.default and t.score is not None), None)


def frontier(trials: Sequence[Tried], cost: Cost) -> list[Tried]:
    """Trials that none beats in score without costing more, the cheapest first."""
    told = [t for t in trials if t.score is not None and getattr(t, COSTS[cost]) is not None]
    told.sort(key=lambda t: (getattr(t, COSTS[cost]), -(t.score or 0.0), t.number))
    found: list[Tried] = []
    for trial in told:
        if not found or (trial.score or 0.0) > (found[-1].score or 0.0):
            found.append(trial)
    return found


def importance(study: Study, seed: int) -> dict[str, float]:
    """The share of the scores' variance that each option explains, by a random forest over the
    trials (fANOVA, Hutter et al. 2014); nothing where too few were scored.

    Trials that lack an option, as the job as it was may, are left out.
    """
    scored = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    most = max((len(t.params) for t in scored), default=0)
    whole = [t for t in scored if len(t.params) == most]
    if len(whole) < FEWEST or len({score_of(t) for t in whole}) < 2:
        return {}
    alone = optuna.create_study(directions=study.directions)
    alone.add_trials(whole)
    found: Mapping[str, float] = get_param_importances(
        alone, evaluator=FanovaImportanceEvaluator(seed=seed), target=score_of
    )
    return {path: float(share) for path, share in found.items()}
