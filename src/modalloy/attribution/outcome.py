"""The one number of an answer that is explained: a class's probability, a value, a span, a box."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.decoding.logits import sigmoid, softmax
from modalloy.attribution.asked_row import AskedRow, Hidden
from modalloy.errors import JobError, TableError
from modalloy.job.options import did_you_mean
from modalloy.judge.metrics.spans import Span, spans_of
from modalloy.judge.wording import brief
from modalloy.model.tasks.task import Outputs
from modalloy.tasks.kit import kit_of, part

NOWHERE = Span("", 0, 0)
SURE = 1e-6  # probabilities nearer to 0 or 1 have no log-odds of their own


@dataclass(frozen=True)
class Outcome(ABC):
    """What is explained of one task's answer to one row.

    what: in words. unit: of a number. on: the column that a span or box is marked on: without it
    there is none, and its score is 0.
    """

    task: str
    what: str
    unit: str = ""
    on: str | None = None

    @abstractmethod
    def value(self, asked: AskedRow, hidden: Sequence[Hidden]) -> np.ndarray:
        """The number in the answer to each way to see the row, (B,)."""

    @abstractmethod
    def score(self, outputs: Outputs) -> Tensor:
        """What the network says of it, (B,), on a scale without ends: log-odds, or the target's
        standardised value.
        """

    def worth(self, asked: AskedRow, hidden: Sequence[Hidden]) -> np.ndarray:
        """The number with these columns hidden, (B,)."""
        found = np.zeros(len(hidden))
        seen = [i for i, h in enumerate(hidden) if self.on is None or self.on not in h]
        if seen:
            found[seen] = self.value(asked, [hidden[i] for i in seen])
        return found


@dataclass(frozen=True)
class ClassOutcome(Outcome):
    """The probability of a class or label."""

    name: str = ""
    index: int = 0
    several: bool = False

    def value(self, asked: AskedRow, hidden: Sequence[Hidden]) -> np.ndarray:
        """After blend and stage, as `predict` gives it."""
        p_BC = asked.ask(self.task, hidden)["probability"]
        return np.asarray(p_BC, np.float64)[:, self.index]

    def score(self, outputs: Outputs) -> Tensor:
        """Log-odds of the mean probability over members."""
        logits_BKC = outputs["logits"].float()
        p_BKC = logits_BKC.sigmoid() if self.several else logits_BKC.softmax(-1)
        return log_odds(p_BKC.mean(1)[:, self.index])


@dataclass(frozen=True)
class NumberOutcome(Outcome):
    """The number that a `regress` task answers."""

    def value(self, asked: AskedRow, hidden: Sequence[Hidden]) -> np.ndarray:
        """In the target's unit; its logarithm where the task learns that."""
        return np.asarray(asked.ask(self.task, hidden)["value"], np.float64)

    def score(self, outputs: Outputs) -> Tensor:
        """Standardised, the mean over members."""
        return outputs["value"].float().mean(1)


@dataclass(frozen=True)
class SpanOutcome(Outcome):
    """How sure a span is: the mean probability of the tags of its words."""

    span: Span = NOWHERE
    tags: tuple[int, ...] = ()

    def value(self, asked: AskedRow, hidden: Sequence[Hidden]) -> np.ndarray:
        """Of the network, which answers such tasks alone."""
        logits_BKWC = asked.outputs(self.task, hidden)["logits"]
        p_BWC = softmax(logits_BKWC.astype(np.float64)).mean(1)
        return p_BWC[:, np.arange(self.span.first, self.span.last), list(self.tags)].mean(1)

    def score(self, outputs: Outputs) -> Tensor:
        """Log-odds of the same."""
        p_BWC = outputs["logits"].float().softmax(-1).mean(1)
        words = torch.arange(self.span.first, self.span.last, device=p_BWC.device)
        tags = torch.tensor(self.tags, device=p_BWC.device)
        return log_odds(p_BWC[:, words, tags].mean(1))


@dataclass(frozen=True)
class BoxOutcome(Outcome):
    """The score of a box: the heat of its class where its middle is."""

    box: tuple[float, ...] = ()
    index: int = 0
    cell: int = 0

    def value(self, asked: AskedRow, hidden: Sequence[Hidden]) -> np.ndarray:
        """Of the network, which answers such tasks alone."""
        heat_BCN = asked.outputs(self.task, hidden)["heat"].astype(np.float64)
        heat_BCN = heat_BCN.reshape(*heat_BCN.shape[:2], -1)
        return sigmoid(heat_BCN[:, self.index, self.cell])

    def score(self, outputs: Outputs) -> Tensor:
        """The heat's logit."""
        return outputs["heat"].float().flatten(2)[:, self.index, self.cell]


@dataclass(frozen=True)
class QueryOutcome(Outcome):
    """The score of a box that queries say: the highest probability of its class among them, each
    times how far its own box overlaps this one. Which query says a box may change with the row.

    share: its corners as shares of the picture.
    """

    box: tuple[float, ...] = ()
    index: int = 0
    share: tuple[float, ...] = ()

    def value(self, asked: AskedRow, hidden: Sequence[Hidden]) -> np.ndarray:
        """Of the network, which answers such tasks alone."""
        found = asked.outputs(self.task, hidden)
        given = {k: torch.from_numpy(found[k]) for k in ("logits", "boxes")}
        return self._near(given).double().numpy()

    def score(self, outputs: Outputs) -> Tensor:
        """Its log-odds."""
        return log_odds(self._near(outputs))

    def _near(self, outputs: Outputs) -> Tensor:
        p_BQ = outputs["logits"].float().softmax(-1)[:, :, self.index]
        boxes = outputs["boxes"].float()
        low, high = boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2
        low, high = low.clamp(0, 1), high.clamp(0, 1)
        mine = boxes.new_tensor(self.share)
        common = torch.minimum(high, mine[2:]) - torch.maximum(low, mine[:2])
        common_BQ = common.clamp_min(0).prod(-1)
        union_BQ = (high - low).prod(-1) + (mine[2:] - mine[:2]).prod() - common_BQ
        return (p_BQ * common_BQ / union_BQ.clamp_min(1e-9)).amax(1)


def say_box(name: str, box_4: np.ndarray) -> tuple[tuple[float, ...], str]:
    """A box in pixels, rounded, and its score in words."""
    box = tuple(round(float(v), 1) for v in box_4)
    return box, f"score of the '{name}' at {box[0]:g} {box[1]:g} {box[2]:g} {box[3]:g}"


def log_odds(p_B: Tensor) -> Tensor:
    """Of probabilities."""
    return torch.logit(p_B, eps=SURE)


def find_outcome(asked: AskedRow, task: str, *, label: str | None, item: int) -> Outcome | None:
    """What to explain of a task's answer; None where a row has no span or box at all.

    label: the class, label or kind to explain, the likeliest for None. item: which of several spans
    or boxes, from 0, as the answer lists them. Raises JobError for a label that the task lacks,
    TableError for an item that the answer lacks.
    """
    options, target = asked.run.job.tasks[task], asked.run.targets[task]
    names = list(getattr(target, "names", ()))
    if label is not None and label not in names and options.type == "classify":
        raise JobError(
            f"task '{task}' has no class '{label}'.{did_you_mean(label, names)} It has: "
            f"{', '.join(names)}."
        )
    return kind_of(task, options).find(asked, task, label=label, item=item)


def say_answer(asked: AskedRow, task: str) -> str:
    """A task's answer to a row in words."""
    return kind_of(task, asked.run.job.tasks[task]).say(asked, task)


class Kind(Protocol):
    """What explaining asks of one kind of task; each kind is a file in `kinds`."""

    def find(self, asked: AskedRow, task: str, *, label: str | None, item: int) -> Outcome | None:
        """What to explain, as `find_outcome` says; the label is one that the task has."""

    def say(self, asked: AskedRow, task: str) -> str:
        """The answer in words."""


def kind_of(task: str, options: Any) -> Kind:
    """How a kind of task is explained. JobError for kinds that are not."""
    place = kit_of(options).explained
    if place is None:
        raise JobError(
            f"task '{task}' is a custom one: explain knows classify, regress, tag and locate."
        )
    found: Kind = part(place)()
    return found


def say_truth(truth: Any) -> str:
    """A true answer in words: a class, labels, a number, spans, boxes."""
    if truth is None:
        return "unknown"
    if isinstance(truth, dict):
        return counted(list(truth["names"]), "box", "boxes")
    if isinstance(truth, list):
        if truth and all(t == "O" or t[:2] in ("B-", "I-") for t in truth):
            return counted([s.kind for s in spans_of(truth)], "span", "spans")
        return ", ".join(map(str, truth)) or "no label"
    return brief(truth) if isinstance(truth, float) else str(truth)


def counted(kinds: list[str], one: str, many: str) -> str:
    """`3 boxes: scratch, dent`."""
    said = f"{len(kinds)} {one if len(kinds) == 1 else many}"
    return f"{said}: {', '.join(dict.fromkeys(kinds))}" if kinds else said


def pick(found: Sequence[Any], item: int, where: str, one: str, many: str) -> Any:
    """One of several, or a TableError that says how many there are."""
    if not 0 <= item < len(found):
        count = f"{len(found)} {one if len(found) == 1 else many}"
        raise TableError(f"{where} answers {count}, counted from 0; there is no item {item}.")
    return found[item]
