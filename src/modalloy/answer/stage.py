"""What is done to a run's answers after the network, such as making them as sure as they should be.

A stage takes the answers of a task and returns answers of the same form. It is fitted on rows that
what answers them had not learned from, and the run keeps it as JSON. A run without one answers as
its network does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.errors import RunError

LEAST, MOST = 0.1, 10.0  # temperatures that are tried
STEPS = 60  # of the search; each leaves 0.618 of the interval
FEW = 10  # rows with a label, and without it, from which it has a temperature of its own
SURE = 1e-7  # the resolution of float32 probabilities


@dataclass(frozen=True)
class Temperature:
    """Probabilities made more or less sure, all by one factor; the answer itself stays.

    Temperature scaling (Guo et al. 2017, arXiv 1706.04599): the logarithms of the probabilities (of
    labels their log-odds) are divided by `temperature`, which makes the rows it was fitted on most
    likely. Ours starts from probabilities averaged over the ensemble's members.
    several: a row may have several labels. rows: how many it was fitted on.
    """

    kind: ClassVar[str] = "temperature"
    temperature: float
    several: bool
    rows: int

    @classmethod
    def fit(cls, probability_NC: np.ndarray, yes_NC: np.ndarray, *, several: bool) -> Self:
        """The best temperature; see `best_temperature`.

        yes_NC: which classes or labels each row has, bool.
        """
        found = best_temperature(probability_NC, yes_NC, several=several)
        return cls(found, several, len(probability_NC))

    def apply(self, answer: Answer) -> dict[str, np.ndarray]:
        """The answer with other probabilities."""
        p_BC = answer["probability"]
        new_BC = scaled(p_BC, self.temperature, several=self.several)
        return {**answer, "probability": new_BC.astype(p_BC.dtype)}


@dataclass(frozen=True)
class LabelTemperatures:
    """A temperature for each label of a task whose rows have several; answers stay.

    A label that fewer than `FEW` rows have, or lack, takes that of all labels together. rows: how
    many they were fitted on.
    """

    kind: ClassVar[str] = "label_temperatures"
    temperatures: tuple[float, ...]
    rows: int

    @classmethod
    def fit(cls, probability_NC: np.ndarray, yes_NC: np.ndarray) -> Self:
        """The best temperature of each label. yes_NC: which labels each row has, bool."""
        every = best_temperature(probability_NC, yes_NC, several=True)
        found = []
        for p_N, yes_N in zip(probability_NC.T, yes_NC.T, strict=True):
            own = min(yes_N.sum(), (~yes_N).sum()) >= FEW
            pair = (p_N[:, None], yes_N[:, None])
            found.append(best_temperature(*pair, several=True, usual=every) if own else every)
        return cls(tuple(found), len(probability_NC))

    def apply(self, answer: Answer) -> dict[str, np.ndarray]:
        """The answer with other probabilities."""
        p_BC = answer["probability"]
        new_BC = scaled(p_BC, np.array(self.temperatures), several=True)
        return {**answer, "probability": new_BC.astype(p_BC.dtype)}


Stage = Temperature | LabelTemperatures


def best_temperature(
    probability_NC: np.ndarray, yes_NC: np.ndarray, *, several: bool, usual: float = 1.0
) -> float:
    """The temperature that makes the rows most likely, by golden-section search.

    usual: what is expected before any row is seen; few rows that are all answered right would else
    say that every answer is certain. It weighs as much as a row that is wrong by one deviation of
    the temperature's logarithm.
    """
    low, high = np.log(LEAST), np.log(MOST)
    golden = (np.sqrt(5.0) - 1.0) / 2.0

    def loss(log_t: float) -> float:
        p_NC = scaled(probability_NC, float(np.exp(log_t)), several=several)
        p_NC = np.where(yes_NC, p_NC, 1.0 - p_NC) if several else p_NC[yes_NC]
        apart = (log_t - np.log(usual)) ** 2 / (2.0 * len(probability_NC))
        return float(-np.log(p_NC.clip(SURE)).mean() + apart)

    for _ in range(STEPS):
        one, other = high - golden * (high - low), low + golden * (high - low)
        if loss(one) < loss(other):
            high = other
        else:
            low = one
    return float(np.exp((low + high) / 2))


def scaled(
    probability_BC: np.ndarray, temperature: float | np.ndarray, *, several: bool
) -> np.ndarray:
    """Probabilities of the same order, surer below 1 and less sure above; float64.

    temperature: one, or of labels one each, (C,).
    """
    p_BC = np.asarray(probability_BC, dtype=np.float64).clip(SURE, 1.0 - SURE if several else 1.0)
    if several:
        odds_BC = np.log(p_BC) - np.log1p(-p_BC)
        return 1.0 / (1.0 + np.exp(-odds_BC / temperature))
    logs_BC = np.log(p_BC) / temperature
    top_BC = np.exp(logs_BC - logs_BC.max(1, keepdims=True, initial=-np.inf))
    return top_BC / top_BC.sum(1, keepdims=True)


def fit_stage(
    names: Sequence[str] | None, truth: Sequence[Any], answer: Answer, *, several: bool
) -> Stage | None:
    """The stage of one task: temperatures where it answers probabilities, else none.

    names: of the classes. truth: None where unknown; rows with a class that no answer can be have
    no part. None, too, where no row is left.
    """
    if names is None or "probability" not in answer:
        return None
    index = {name: c for c, name in enumerate(names)}
    labels = [(t if several else [t]) if t is not None else [None] for t in truth]
    known = np.flatnonzero([all(n in index for n in own) for own in labels])
    if not len(known):
        return None
    yes_NC = np.zeros((len(known), len(names)), dtype=bool)
    for yes_C, row in zip(yes_NC, known, strict=True):
        yes_C[[index[n] for n in labels[row]]] = True
    p_NC = np.asarray(answer["probability"])[known]
    if several:
        return LabelTemperatures.fit(p_NC, yes_NC)
    return Temperature.fit(p_NC, yes_NC, several=False)


def adjust(answers: Mapping[str, Answer], stages: Mapping[str, Stage]) -> dict[str, Any]:
    """Answers by task, each after its stage where it has one."""
    return {n: stages[n].apply(a) if n in stages else dict(a) for n, a in answers.items()}


def stages_to_state(stages: Mapping[str, Stage]) -> dict[str, dict[str, Any]]:
    """Stages by task as JSON."""
    return {name: {"kind": stage.kind, **asdict(stage)} for name, stage in stages.items()}


def stages_from_state(state: Mapping[str, Mapping[str, Any]]) -> dict[str, Stage]:
    """The stages whose `stages_to_state` this is. RunError for what this version does not know."""
    found: dict[str, Stage] = {}
    for name, fields in state.items():
        own = dict(fields)
        kind = own.pop("kind", None)
        if kind not in (Temperature.kind, LabelTemperatures.kind):
            raise RunError(
                f"answers of '{name}' go through a stage {kind!r}, which this version lacks"
            )
        try:
            if kind == Temperature.kind:
                found[name] = Temperature(**own)
            else:
                found[name] = LabelTemperatures(tuple(own.pop("temperatures")), **own)
        except (TypeError, KeyError) as error:
            raise RunError(f"the stage of '{name}' ({kind}) does not fit: {error}") from error
    return found
