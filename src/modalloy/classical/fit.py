"""Fits the classical models of a task: boosting and a linear model, on two kinds of features.

Plain ones of every input; and embeddings of frozen encoders, beside plain features of the inputs
that have none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.classical.blocks import EMBEDDED, FeatureBlock, embedded_block, read_blocks
from modalloy.classical.boosting import Boosting
from modalloy.classical.linear import Linear
from modalloy.classical.method import FittedMethod
from modalloy.classical.rows import CellsOf, Embedded, most_rows
from modalloy.classical.training_rows import TrainingRows
from modalloy.classical.truth import TaskTruth, truth_of_rows, without_quantiles
from modalloy.job import config
from modalloy.readers.reader import Reader
from modalloy.tasks.kit import kit_of

BOOSTED = "gradient boosting on plain features"
FROZEN = "gradient boosting on frozen features"


def fit_methods(
    options: config.TaskOptions,
    target: Any,
    readers: Mapping[str, Reader],
    cells_of: CellsOf,
    rows: np.ndarray,
    *,
    together: Sequence[str] | None,
    seed: int,
    frozen: Embedded | None = None,
) -> list[FittedMethod]:
    """Every classical model of a task, fitted on those of these rows whose answer is known.

    None for a task that has more than one answer a row, without an input, and where answers do not
    vary. Of more rows than `most_rows` says as many are drawn, those with embeddings first.
    together: a label for each of `rows`, equal where rows belong together (`belonging`). frozen:
    embeddings of those of the rows that are among `frozen.train`; models on them see only these.
    """
    if not kit_of(options).whole_row or not readers:
        return []
    task = truth_of_rows(without_quantiles(options), target, cells_of, rows)
    seen = np.zeros(len(rows), bool) if frozen is None else np.isin(rows, frozen.train)
    order = np.random.default_rng(seed).permutation(task.known(np.arange(len(rows))))
    order = order[np.argsort(~seen[order], kind="stable")]
    at = np.sort(order[: most_rows(readers)])
    if not task.varies(at):
        return []
    columns = dict.fromkeys(column for reader in readers.values() for column in reader.columns)
    blocks = read_blocks(readers, cells_of(tuple(columns), rows[at]))
    labels = None if together is None else [together[i] for i in at]
    training = TrainingRows(task.take(at), blocks, labels, seed)
    methods = fit_plain(training, readers)
    if frozen is not None and task.varies(at[seen[at]]):
        some = training.take(np.flatnonzero(seen[at]))
        methods += fit_frozen(some, readers, frozen.of(rows[at][seen[at]]), frozen.inputs)
    return methods


def fit_plain(rows: TrainingRows, readers: Mapping[str, Reader]) -> list[FittedMethod]:
    """Models on plain features."""
    boosted, linear = Boosting.fit(rows), Linear.fit(rows, words=True)
    return [
        FittedMethod(BOOSTED, readers, (), boosted),
        FittedMethod(linear_plain_name(rows.task, rows.blocks.values()), readers, (), linear),
    ]


def fit_frozen(
    rows: TrainingRows, readers: Mapping[str, Reader], z_NF: np.ndarray, inputs: tuple[str, ...]
) -> list[FittedMethod]:
    """Models on embeddings of these inputs, and on plain features of all others."""
    rows = with_embeddings(rows, z_NF, inputs)
    others = {name: reader for name, reader in readers.items() if name not in inputs}
    boosted, linear = Boosting.fit(rows), Linear.fit(rows, words=False)
    return [
        FittedMethod(FROZEN, others, inputs, boosted),
        FittedMethod(linear_frozen_name(rows.task), others, inputs, linear),
    ]


def with_embeddings(rows: TrainingRows, z_NF: np.ndarray, inputs: Sequence[str]) -> TrainingRows:
    """Embeddings in the place of plain features of these inputs."""
    blocks = {name: block for name, block in rows.blocks.items() if name not in inputs}
    return rows._replace(blocks={**blocks, EMBEDDED: embedded_block(z_NF)})


def kind_of_linear(task: TaskTruth) -> str:
    """What a linear model of this task is called."""
    return "ridge regression" if task.numeric else "logistic regression"


def linear_plain_name(task: TaskTruth, blocks: Iterable[FeatureBlock]) -> str:
    """What the linear model on plain features is called: by words where there are any."""
    texts = any(isinstance(block.values, list) for block in blocks)
    return f"{kind_of_linear(task)} on {'words' if texts else 'plain features'}"


def linear_frozen_name(task: TaskTruth) -> str:
    """What the linear model on frozen features is called."""
    return f"{kind_of_linear(task)} on frozen features"
