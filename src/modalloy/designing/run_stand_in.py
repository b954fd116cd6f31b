"""A trained run in place of a model that is fitted to runs: what it is asked, in which units, and
which rows tell how wrong it is."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from modalloy.answer.conformal import fewest
from modalloy.designing.choose import Chosen, OfRun
from modalloy.designing.past_run import PastRun, is_named
from modalloy.designing.problem import Rows
from modalloy.designing.run_space import numbers_of, unit_of
from modalloy.designing.stand_in import fit_surrogate
from modalloy.designing.surrogates.corrected import correct
from modalloy.designing.surrogates.joined import Joined, side_by_side
from modalloy.designing.surrogates.of_run import Answering, surrogate_of_run
from modalloy.designing.surrogates.surrogate import Predicted
from modalloy.errors import DesignError
from modalloy.twin.physical_units import convert
from modalloy.twin.runs import Outcome
from modalloy.twin.space import Space

SAME = 1e-6  # designs nearer than this are one
READ = ("number", "category")  # kinds of columns that hold the value of a variable
TRAINED: OfRun = "trained run"
CORRECTED: OfRun = "corrected run"
Scale = tuple[float, float]  # what a number is multiplied by, then what is added


@dataclass(frozen=True)
class RunStandIn:
    """past: rows of the run's own table with every variable and output. learned_MD: designs that it
    has learned from. left_out: columns that it reads of rows and not of designs. unsaid: outputs
    whose unit its job does not say. outputs: of the study, those that the run answers."""

    run: PastRun
    answering: Answering
    outputs: tuple[str, ...]
    past: Rows
    learned_MD: np.ndarray
    left_out: tuple[str, ...]
    unsaid: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Of the run and of what its rows say."""
        mark = hashlib.sha256(self.run.predictor.run.identity.encode())
        for part in (*self.past, self.learned_MD):
            mark.update(np.ascontiguousarray(part).tobytes())
        return mark.hexdigest()

    def facts(self) -> dict[str, Any]:
        """What a record says of it."""
        return {
            "name": self.run.name,
            "fingerprint": self.fingerprint,
            "source": self.run.source,
            "telling": int((~self.met(self.past.u_ND)).sum()),
            "left_out": list(self.left_out),
            "unsaid": list(self.unsaid),
        }

    def met(self, u_ND: np.ndarray) -> np.ndarray:
        """Which designs the run has learned from, bool (N,)."""
        if not len(self.learned_MD):
            return np.zeros(len(u_ND), dtype=bool)
        return np.asarray(KDTree(self.learned_MD).query(u_ND)[0] <= SAME)

    def outcomes(self) -> list[Outcome]:
        """The rows of its table as though they had been run."""
        return [
            Outcome(k, "ok", "", dict(zip(self.outputs, y_O.tolist(), strict=True)), 0.0, 0, 1)
            for k, y_O in enumerate(self.past.y_NO)
        ]

    def fit(self, rows: Rows, *, confidence: float, seed: int) -> Chosen:
        """The run as a surrogate, its errors those on all rows but the ones that it has learned
        from; put right by a process of these errors where that foretells rows better. Further
        outputs behind its own are learned by a Gaussian process.

        DesignError where too few rows are left for a margin of that confidence.
        """
        own, met_N = len(self.outputs), self.met(rows.u_ND)
        unmet = Rows(rows.u_ND[~met_N], rows.y_NO[~met_N, :own])
        self.refuse_few(int(np.isfinite(unmet.y_NO).all(1).sum()), int(met_N.sum()), confidence)
        plain, told = surrogate_of_run(self.answering, *unmet)
        better, left_out = correct(plain, told, *unmet, seed=seed)
        compared: dict[OfRun, float] = {
            TRAINED: density(told, unmet),
            CORRECTED: density(left_out, unmet),
        }
        kind = CORRECTED if compared[CORRECTED] > compared[TRAINED] else TRAINED
        surrogate, told = (better, left_out) if kind == CORRECTED else (plain, told)
        nothing_NO = np.full((len(met_N), own), np.nan)
        said = Predicted(nothing_NO, nothing_NO.copy(), surrogate.log_O)
        said.mean_NO[~met_N], said.deviation_NO[~met_N] = told.mean_NO, told.deviation_NO
        if rows.y_NO.shape[1] == own:
            return Chosen(surrogate, kind, said, compared)
        rest = Rows(rows.u_ND, rows.y_NO[:, own:])
        beside = fit_surrogate(rest, kind="gaussian process", fitted=len(rest.u_ND), seed=seed)
        both = Joined((surrogate, beside.surrogate))
        return Chosen(both, kind, side_by_side([said, beside.left_out]), compared)

    def refuse_few(self, known: int, met: int, confidence: float) -> None:
        """DesignError where the run's errors are known of too few designs for a margin."""
        needed = fewest(confidence)
        if known < needed:
            also = f"; {met} others are designs that it has learned from" if met else ""
            raise DesignError(
                f"{self.run.name}: its errors are known of {known} designs that it has not learned "
                f"from, and a margin for {confidence:.1%} needs {needed}{also}. Ask for less "
                "confidence, run more, or train it with more validation or calibration rows."
            )


def density(said: Predicted, rows: Rows) -> float:
    """Mean log density of rows, summed over outputs."""
    return float(np.nanmean(said.log_density(rows.y_NO), axis=0).sum())


def stand_in_of(
    past: PastRun,
    space: Space,
    outputs: Sequence[str],
    units: Mapping[str, str | None],
    held: Mapping[str, Any],
) -> RunStandIn:
    """A run that answers outputs of designs in a space.

    units: of variables and outputs that are numbers. held: columns that always have one value.
    DesignError for a variable that the run does not read, an output that it does not answer, and a
    unit that cannot be converted.
    """
    run = past.predictor.run
    for name, variable in space.free.items():
        kind = past.read.get(name)
        if kind not in READ or (kind == "number" and is_named(variable)):
            raise DesignError(said_unread(past, name))
    tasks = tuple(task_of(past, name) for name in outputs)
    read = [n for n in space.variables if past.read.get(n) in READ]
    scales = {n: scale(past, n, unit_of(run.job.columns[n]), units[n]) for n in read if n in units}
    answered = [
        scale(past, n, unit_of(run.job.tasks[task]), units[n])
        for n, task in zip(outputs, tasks, strict=True)
    ]
    times_O, plus_O = np.array(answered, dtype=np.float64).reshape(-1, 2).T

    def cells(u_ND: np.ndarray) -> dict[str, list[Any]]:
        found = space.values(u_ND)
        told = {n: cells_of(found[n], scales.get(n)) for n in read}
        return told | {n: [value] * len(u_ND) for n, value in held.items()}

    named = {n for n, v in space.free.items() if is_named(v)}
    factors = {n: pair for n, pair in scales.items() if n not in named}
    learned_MD, learned = past.designs(space, past.learned, factors)
    telling_ND, telling = past.designs(space, past.telling, factors)
    y_NO = times_O * past.truth(tasks, np.concatenate([learned, telling])) + plus_O
    whole_N = np.isfinite(y_NO).all(1)
    u_ND = np.concatenate([learned_MD, telling_ND])
    return RunStandIn(
        past,
        Answering(past.predictor, tasks, cells, times_O, plus_O),
        tuple(outputs),
        Rows(u_ND[whole_N], y_NO[whole_N]),
        learned_MD,
        tuple(n for n in past.read if n not in read and n not in held),
        tuple(
            n
            for n, task in zip(outputs, tasks, strict=True)
            if unit_of(run.job.tasks[task]) is None and units[n] not in (None, "1")
        ),
    )


def said_unread(past: PastRun, variable: str) -> str:
    """Why a run cannot be asked about a variable."""
    kind = past.read.get(variable)
    if kind is not None:
        return (
            f"{past.name}: reads '{variable}' as {kind}, which its values are not read as; train "
            "it with that column as a category, or as a number where its values are numbers."
        )
    return (
        f"{past.name}: reads no column '{variable}', so it cannot tell designs apart by that; it "
        f"reads {', '.join(past.read)}."
    )


def task_of(past: PastRun, output: str) -> str:
    """The task of numbers that answers an output: of its name, or with it as target."""
    known = numbers_of(past)
    tasks = past.predictor.run.job.tasks
    for task in (*(n for n in known if n == output), *known):
        if output in (task, tasks[task].target):
            return task
    raise DesignError(
        f"{past.name}: answers no number '{output}', which something is asked of; it answers "
        f"{', '.join(known)}."
    )


def scale(past: PastRun, name: str, given: str | None, wanted: str | None) -> Scale:
    """What brings a run's numbers to the unit of a variable or an output; as they are where either
    says none. DesignError for units of different dimensions."""
    if given is None or wanted is None:
        return 1.0, 0.0
    zero, one = convert(0.0, given, wanted), convert(1.0, given, wanted)
    if zero is None or one is None:
        raise DesignError(
            f"{past.name}: has '{name}' in {given}, which cannot be converted to {wanted}."
        )
    return one - zero, zero


def cells_of(x_N: np.ndarray, factor: Scale | None) -> list[Any]:
    """Values of a variable as a run's column holds them."""
    if factor is None or factor == (1.0, 0.0):
        return x_N.tolist()
    return ((x_N - factor[1]) / factor[0]).tolist()
