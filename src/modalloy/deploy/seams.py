"""What a run's graphs are traced with and named by."""

from collections.abc import Sequence

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.errors import TableError
from modalloy.graphs.branch import FUSION
from modalloy.model.model import Model
from modalloy.readers.batch import TABLE, ArrayBatch
from modalloy.runs.run import Run
from modalloy.table.table import Table


def example_of(run: Run, table: Table) -> ArrayBatch:
    loader = Loader(table, run.job, run.readers, {})
    looked = np.arange(min(table.rows, 512))
    chosen: list[int] = []
    for name in loader.inputs:
        present = loader.batch(looked, inputs=[name]).present[name]
        good = looked[present if present.ndim == 1 else present.any(1)][:2]
        if len(good) < 2 and name != TABLE:
            raise TableError(f"{table.source}: fewer than 2 rows have '{name}'.")
        chosen += good.tolist()
    return loader.batch(np.unique(chosen))


def absent_of(model: Model) -> dict[str, np.ndarray]:
    media = [n for n in model.inputs if n != TABLE]
    return {n: model.encoder(n).absent_D.detach().float().cpu().numpy() for n in media}


def pooled_inputs(predictor: Predictor) -> set[str]:
    likeness = predictor.likeness
    return {*predictor.blend.widths, *(() if likeness is None else likeness.pooled)}


def file_stem(name: str, inputs: Sequence[str]) -> str:
    return "graphs/heads" if name == FUSION else f"graphs/{inputs.index(name)}"
