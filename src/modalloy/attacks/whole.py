"""The whole answer of a run - network, blend, stages - asked about attacked rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.attacks.written import written_rows
from modalloy.job.inputs import input_columns
from modalloy.model.tasks.classify import Classify
from modalloy.model.tokens import Batch


@dataclass(frozen=True)
class WholeAnswer:
    """What a run's answers cost, for `run_suite`. loader: of the attacked table's rows."""

    predictor: Predictor
    loader: Loader

    def __call__(self, batch: Batch, task: str) -> Tensor:
        """1 for a wrong class or any wrong label, else 0; of a number the squared error,
        standardised; (B,). Every row has an answer.
        """
        reads = input_columns(self.predictor.run.job)
        columns = list(dict.fromkeys(c for n in self.predictor.run.readers for c in reads[n]))
        cells = self.loader.cells(columns, batch.rows)
        rows = written_rows(batch, self.predictor.run.readers, cells)
        answer = self.predictor.answers(rows, batch=max(1, len(batch))).answers[task]
        return torch.from_numpy(cost_of(self.predictor, task, answer, batch))


def cost_of(predictor: Predictor, task: str, answer: Any, batch: Batch) -> np.ndarray:
    """What each answer costs beside the truth of the batch."""
    y = batch.targets[task]["y"].cpu().numpy()
    if "value" in answer:
        target = predictor.run.targets[task]
        return (((answer["value"] - target.center) / target.scale - y) ** 2).astype(np.float32)
    head, said = predictor.model.task(task), answer["probability"]
    assert isinstance(head, Classify), "only classes and numbers have a cost here"
    wrong = ((said > 0.5) != (y > 0.5)).any(1) if head.multi else said.argmax(1) != y
    return wrong.astype(np.float32)
