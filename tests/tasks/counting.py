"""A kind of task that Modalloy does not know: small whole numbers by Poisson regression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from modalloy.answer.answers import Answer
from modalloy.cells.cells import Cells
from modalloy.cells.numbers import to_numbers
from modalloy.judge.baselines.baseline_models import BaselineTask
from modalloy.judge.baselines.rows import RowBaseline
from modalloy.judge.metrics.measure import Measure
from modalloy.judge.metrics.tally import Tally, ratio
from modalloy.model.tasks.linear import MemberLinear
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch, Fused, Tokens
from modalloy.readers.number import all_missing
from modalloy.readers.targets.target import Signal, TargetReader
from modalloy.report import charts
from modalloy.report.drawing.drawing import Drawing
from modalloy.report.figure import Figure
from modalloy.tasks.kit import Kit


@dataclass(frozen=True)
class CountTarget(TargetReader):
    """A whole number from 0 up; mean: of the training rows."""

    kind: ClassVar[str] = "count"
    mean: float

    @classmethod
    def blank(cls, name: str, options: Any) -> Self:
        return cls(name, options.target, 0.0)

    @classmethod
    def fit(cls, name: str, options: Any, cells: Cells) -> Self:
        y = to_numbers(cells[options.target], cells.decimal)
        if not np.isfinite(y).any():
            raise all_missing(options.target, cells)
        return cls(name, options.target, float(np.nanmean(y)))

    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        y = to_numbers(cells[self.column], cells.decimal)
        known = np.isfinite(y)
        return {"y": np.where(known, y, 0.0).astype(np.float32), "known": known}

    def truth(self, cells: Cells) -> list[float | None]:
        y = to_numbers(cells[self.column], cells.decimal)
        return [float(v) if np.isfinite(v) else None for v in y]

    def told(self, name: str, options: Any, answer: Mapping[str, np.ndarray]) -> dict[str, Any]:
        rate = answer["value"]
        return {name: np.floor(rate).astype(np.int64), f"{name}.rate": rate}

    @staticmethod
    def signal(answers: np.ndarray) -> Signal:
        return Signal(answers.astype(np.float64)[:, None])


class Count(Task):
    """The logarithm of a rate a member; Poisson loss."""

    def __init__(self, name: str, target: CountTarget, width: int, members: int) -> None:
        super().__init__(name)
        self.start = float(np.log(max(target.mean, 1e-3)))
        self.head = MemberLinear(members, width, 1)

    @classmethod
    def build(
        cls,
        name: str,
        options: Any,
        target: CountTarget,
        width: int,
        members: int,
        *,
        label_smoothing: float,
        channels: Mapping[str, Sequence[int]],
    ) -> Self:
        return cls(name, target, width, members)

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        return {"log_rate": self.head(fused.summary_BKD).squeeze(-1) + self.start}

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        rate_NK = outputs["log_rate"].float()[target["known"]]
        if not len(rate_NK):
            return rate_NK.sum()
        y_NK = target["y"][target["known"]].unsqueeze(1).expand_as(rate_NK)
        return F.poisson_nll_loss(rate_NK, y_NK)

    def count(self, outputs: Outputs, target: Target) -> Tensor:
        return target["known"].sum()


def decode_counts(
    options: Any, target: CountTarget, outputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Rates, means over members."""
    return {"value": np.exp(outputs["log_rate"]).mean(1)}


class CountTally(Tally):
    """Rates beside counts."""

    def __init__(self, truth: Sequence[float | None], rate_B: np.ndarray) -> None:
        self.rows = np.flatnonzero([t is not None for t in truth])
        self.true_N = np.array([truth[i] for i in self.rows], dtype=np.float64)
        self.rate_N = np.asarray(rate_B, dtype=np.float64)[self.rows].clip(1e-6)

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """d2: share of the mean's deviance that is explained; mae."""
        mean_R = (self.true_N @ weight_NR / weight_NR.sum(0)).clip(1e-6)
        own_R = deviance(self.true_N[:, None], self.rate_N[:, None])[:, 0] @ weight_NR
        whole_R = (deviance(self.true_N[:, None], mean_R[None]) * weight_NR).sum(0)
        error_N = np.abs(self.rate_N - self.true_N)
        return {"d2": 1 - ratio(own_R, whole_R), "mae": error_N @ weight_NR / weight_NR.sum(0)}


def deviance(true: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Poisson deviance of each pair."""
    logs = np.where(true > 0, true * np.log(np.maximum(true, 1e-12) / rate), 0.0)
    return 2 * (logs - (true - rate))


class CountMeasure(Measure):
    """Explained deviance first."""

    def tally(
        self,
        options: Any,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> CountTally:
        return CountTally(truth, answer["value"])

    def primary(self, options: Any) -> tuple[str, bool]:
        return "d2", True

    def skill(self, options: Any, classes: int) -> list[str]:
        return ["d2"]


class CountBaseline(RowBaseline):
    """The mean rate, boosting and ridge regression."""

    def constant(
        self, goal: BaselineTask, train: np.ndarray, test: np.ndarray
    ) -> tuple[str, Answer]:
        return "mean count", {"value": np.full(len(test), goal.numbers(train).mean())}


class CountDrawing(Drawing):
    """Rates over counts."""

    def figures(
        self,
        options: Any,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        cells: Cells | None,
    ) -> list[Figure]:
        known = np.flatnonzero([t is not None for t in truth])
        true = np.array([truth[i] for i in known], dtype=np.float64)
        chart = charts.true_against_answer(true, np.asarray(answer["value"])[known], "", log=False)
        return [Figure("Rates over counts", "chart", chart)]

    def losses(
        self,
        options: Any,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> np.ndarray:
        true = np.array([np.nan if t is None else t for t in truth], dtype=np.float64)
        return np.abs(true - answer["value"])

    def say(
        self,
        options: Any,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        row: int,
    ) -> tuple[str, str]:
        return f"{truth:g} pieces", f"{answer['value'][row]:.1f} pieces"


KIT = Kit(
    target="tasks.counting:CountTarget",
    head="tasks.counting:Count",
    answer="tasks.counting:decode_counts",
    measure="tasks.counting:CountMeasure",
    baseline="tasks.counting:CountBaseline",
    drawing="tasks.counting:CountDrawing",
    numbers=True,
)
NOT_A_KIT = [KIT]
HEADLESS = replace(KIT, head="tasks.counting:CountHeads")
