"""Minutes and memory that a training will take on this machine.

seconds = sum over inputs of GFLOP a row * price of its kind * rows * epochs / GFLOP a second
          + steps * STEP_S + epochs * STORE_S for each parameter + files * their reading
          + gradient boosting + tabular columns one by one + START_S

GFLOP a second is that of a matrix product in numpy, so that a price says how many times slower than
one a kind of encoder computes; it carries over from machine to machine better than seconds do.
"""

import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from modalloy.checks.column_values import spread
from modalloy.checks.decoder_work import decoder_work
from modalloy.checks.flops import Work, fusion_work, tabular_weights, work
from modalloy.job import config
from modalloy.job.inputs import inputs, sources
from modalloy.job.steps import course, folds
from modalloy.job.tuned import frozen_first
from modalloy.machine.limits import cores
from modalloy.table.split import Parts, learnable
from modalloy.table.table import Table
from modalloy.tasks.kit import kit_of


class Price(NamedTuple):
    """What one kind of encoder costs for each GFLOP of its forward pass.

    forward, train: times slower than a matrix product, for the forward pass alone and for forward
    and backward together. bytes: memory that a step keeps of a row for each FLOP.
    """

    forward: float
    train: float
    bytes: float


# Measured as CPU seconds of one thread * GFLOP/s of a 1024 x 1024 product / GFLOP of torch's flop
# counter; torch 2.13, a Xeon with AVX512 (165 GFLOP/s a core), float32:
#   MiniLM at 9 to 64 pieces                        1.4-1.8 forward, 4.4-5.2 with backward
#   Whisper tiny at 1 and 5 s                       1.6-1.9, 4.8-5.6
#   texts from scratch, both sizes                  3.5-5.7, 6.4-10
#   EfficientNet lite0 and lite2, 64 to 192 px      6.3-11, 22-38 (whole steps 14-25)
#   convolutions from scratch, 28 to 640 px         1.6-2.3, 5.9-7.9
#   strided convolutions of series, 30-4096 samples 3.9-5.8, 10-16
#   fusions of 37 tabular columns with ten heads      1.9-4.0, 3.6-8.3
# bytes: 20 numbers of 4 bytes for each token, layer and width, four times in trunks by the peaks of
# docs/scoreboard.md (attention step by step, batches of many lengths); three copies of each map.
PRICES = {
    "trunk": Price(1.5, 5.0, 0.040),
    "small transformer": Price(4.0, 9.0, 0.020),
    "efficientnet": Price(8.0, 23.0, 0.080),
    "cnn": Price(2.0, 6.8, 0.020),
    "series": Price(5.0, 13.0, 0.050),
    "fusion": Price(2.5, 5.5, 0.020),
    "decoder": Price(8.0, 6.0, 0.040),  # answers are written piece by piece, none fills the machine
}
PRETRAINED = ("trunk", "efficientnet")
STEP_S = 0.010  # of a step: optimiser, bookkeeping, fusion
UPDATE_S = 2.0e-9  # of a step for each parameter that changes: clipping and AdamW read and write
HEAD_S = 0.0005  # of a step for each task and each input's own head
EARLY = 0.7  # share of the epochs that patience leaves
AGAIN = 0.5  # share of the epochs up to the best one, which `refit` repeats
TREES_S = 1.5e-5  # of gradient boosting for each row, column and class
MOST_FITS = 20  # classes from which boosting takes fewer rounds, so that more cost no more
# Of a tabular column, one thread, for tables of 100 and 2 000 rows with 2 000 columns:
TREE_S = 0.003  # of boosting, whatever the rows
CHECK_S, CHECK_ROW_S = 0.004, 2e-6  # looked at before training; more for each row
ALONE_S, ALONE_ROW_S = 0.006, 2e-6  # as a tree of its own for a task
STORE_S = 1.5e-8  # of an epoch for each parameter that changes: the best so far, and a checkpoint
PROBED = 1000  # rows that pass once more, for baselines and the probe
TREES_ROWS = 5000  # rows that it sees at most
START_S = 12.0  # imports, probe, report and its plots
START_GB = 0.75  # of a process that has imported everything
# Bytes of a parameter that changes: itself, gradient, two moments, the best so far, and copies of
# them while probing and saving. Peaks: 2.83 GB for mosi (MiniLM), 0.79 cwru, 0.70 bike_frames.
STATE = 70

SAMPLE = 500  # rows whose cells are looked at
SIDE = 1024  # of the matrices that the machine is timed with
FEWEST = 3  # products of them


@dataclass(frozen=True)
class Estimate:
    """What training and evaluating will take; gflops: the machine's matrix product."""

    minutes: float
    memory_gb: float
    gflops: float

    def text(self) -> str:
        """One line."""
        long = self.minutes >= 2
        took = f"{self.minutes:.0f} minutes" if long else f"{self.minutes * 60:.0f} seconds"
        return (
            f"estimate, within a factor of two: {took} and {self.memory_gb:.1f} GB of memory to "
            f"train and evaluate on this machine ({self.gflops:.0f} GFLOP/s)"
        )


def estimate(
    job: config.Job, table: Table, parts: Parts, *, gflops: float | None = None
) -> Estimate:
    """Minutes and peak memory of `train` for this job on this machine.

    gflops: speed of the machine, measured in a fifth of a second where it is not given.
    """
    gflops = machine_gflops() if gflops is None else gflops
    parts = _labelled(job, table, parts)
    works = works_of(job, table, parts)
    tabular = any(isinstance(o, config.Tabular) for o in inputs(job).values())
    many = tabular + sum(1 for o in inputs(job).values() if not isinstance(o, config.Tabular))
    steps = epochs(job, parts) * course(job, len(parts.train)).per_epoch
    steps *= 1.0 + frozen_first(job) * second_share(job, parts)
    heads = len(job.tasks) * (1 + many * bool(job.fuse.auxiliary and many > 1))
    timed = job.train.minutes is not None
    seconds = sum(gflop_of(w, job, parts) for w in works if not timed or not w.changed) / gflops
    changed = sum(w.changing for w in works)
    passes_s = steps * (STEP_S + HEAD_S * heads + UPDATE_S * changed)
    passes_s += STORE_S * changed * epochs(job, parts)
    seconds += 60.0 * job.train.minutes if job.train.minutes is not None else passes_s
    seconds += sum(w.read_s for w in works) * sum(map(len, parts)) / cores()
    seconds += START_S + _trees_s(job, table, parts) + _columns_s(job, parts)
    memory = _memory_gb(job, table, works, course(job, len(parts.train)).batch)
    return Estimate(seconds / 60.0, memory, gflops)


def machine_gflops(seconds: float = 0.2) -> float:
    """Billions of operations a second in float32 matrix products, on all cores together.

    One thread is timed by its processor time and counted for each core: neighbours on a busy
    machine do not matter.
    """
    x = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    took: list[float] = []
    with threadpool_limits(1):
        end = time.perf_counter() + seconds
        while len(took) < FEWEST or time.perf_counter() < end:
            start = time.thread_time()
            x @ x
            took.append(time.thread_time() - start)
    return cores() * 2.0 * SIDE**3 / max(min(took), 1e-6) / 1e9


def works_of(job: config.Job, table: Table, parts: Parts) -> list[Work]:
    """The work of every costly input, in the job's order, of their fusion, and of decoders."""
    rows = spread(parts.train, SAMPLE)
    found = []
    for name, options in inputs(job).items():
        columns = () if getattr(options, "history", None) else sources(name, options)
        cells = replace(table.take(columns, rows), allow_outside=job.allow_outside)
        found.append(mark(work(name, options, cells), options))
    costly = [w for w in found if w is not None]
    tabular = [o for o in inputs(job).values() if isinstance(o, config.Tabular)]
    weights = sum(tabular_weights(o, float(job.fuse.width)) for o in tabular)
    joined = fusion_work(job.fuse, costly, len(found) - len(costly), weights)
    tokens = len(found) + sum(w.tokens for w in costly)
    targets = {n: table.written(t.target, rows) for n, t in job.tasks.items()}
    writing = [decoder_work(t, job.fuse, tokens, targets[n]) for n, t in job.tasks.items()]
    return [*costly, joined, *(w for w in writing if w is not None)]


def mark(found: Work | None, options: config.Column) -> Work | None:
    """The work of an input, told whether small parts learn beside its layers."""
    tune = options.tune if isinstance(options, config.Trunk) else "full"
    beside = tune in get_args(config.Method)
    return found if found is None else found._replace(beside=beside)


def epochs(job: config.Job, parts: Parts) -> float:
    """Passes over the training rows: with patience training usually stops before the last."""
    training, validated = len(parts.train), len(parts.validation) > 0
    if count := folds(job, training, len(parts.validation)):
        rows = training + len(parts.validation)
        return course(job, rows).epochs * (count - 1 + EARLY) * rows / max(1, training)
    share = EARLY if job.train.patience and validated else 1.0
    if job.train.refit and validated:
        share += AGAIN * (1 + len(parts.validation) / max(1, len(parts.train)))
    return course(job, len(parts.train)).epochs * share


def second_share(job: config.Job, parts: Parts) -> float:
    """Passes in which pretrained encoders learn, for each one in which they were frozen before."""
    rows = len(parts.train)
    return course(job, rows, tuned=True).epochs / max(1, course(job, rows).epochs)


def gflop_of(w: Work, job: config.Job, parts: Parts) -> float:
    """GFLOP of all passes of one input, each times the price of its kind."""
    price = PRICES[w.kind]
    if w.changed == 0:
        return w.gflop * price.forward * sum(map(len, parts))
    one = price.forward + (price.train - price.forward) * w.changed
    passes, once = epochs(job, parts), 0.0
    if frozen_first(job):  # pretrained encoders run once for that, all else learns twice
        second = passes * second_share(job, parts)
        passes = second if w.kind in PRETRAINED else passes + second
        once = (len(parts.train) + len(parts.validation)) * (w.kind in PRETRAINED)
    judged = passes * len(parts.validation) + len(parts.test) + PROBED + once
    judged += len(parts.calibration)
    learned = passes * len(parts.train) * one
    return w.gflop * (learned + judged * price.forward)


def _labelled(job: config.Job, table: Table, parts: Parts) -> Parts:
    """The parts without the rows that no task can learn from; test rows stay."""
    known = np.zeros(table.rows, dtype=bool)
    for goal in job.tasks.values():
        if table.kind(goal.target) in ("list", "other"):
            return parts
        known |= table.codes(goal.target)[0] >= 0
    return learnable(parts, lambda rows: rows[known[rows]])


def _trees_s(job: config.Job, table: Table, parts: Parts) -> float:
    """Seconds of the baselines by gradient boosting."""
    columns = sum(_columns(options) for options in inputs(job).values())
    rows = min(TREES_ROWS, len(parts.train))
    seconds = 0.0
    for goal in job.tasks.values():
        kit = kit_of(goal)
        if not kit.whole_row:
            continue
        if kit.numbers:
            seconds += (TREES_S * rows + TREE_S) * columns
        elif table.kind(goal.target) not in ("list", "other"):
            codes = table.codes(goal.target)[0][parts.train]
            classes = len(np.unique(codes[codes >= 0]))
            fits = min(classes, MOST_FITS) if classes > 2 else 1
            seconds += (TREES_S * rows + TREE_S) * columns * fits
    return seconds


def _columns_s(job: config.Job, parts: Parts) -> float:
    """Seconds that tabular columns take one by one: in `check`, and as a tree of each alone."""
    tabular = sum(isinstance(o, config.Tabular) for o in inputs(job).values())
    judged = sum(kit_of(goal).whole_row for goal in job.tasks.values())
    rows = min(TREES_ROWS, len(parts.train))
    return tabular * (CHECK_S + CHECK_ROW_S * rows + judged * (ALONE_S + ALONE_ROW_S * rows))


def _columns(options: Any) -> int:
    """Columns that a baseline makes of one input."""
    return 1 if isinstance(options, config.Tabular) else 48


def state_bytes(w: Work) -> float:
    """Bytes of an input's weights, and of what their learning keeps."""
    if w.beside:
        return 4.0 * w.parameters + STATE * w.changing
    return w.parameters * (STATE if w.changed else 4)


def _memory_gb(job: config.Job, table: Table, works: list[Work], batch: int) -> float:
    """The process, the weights with their moments, and what one step keeps for its gradients."""
    state = sum(state_bytes(w) for w in works)
    kept = sum(w.gflop * 1e9 * PRICES[w.kind].bytes * max(w.changed, 0.1) for w in works)
    tabular = 4.0 * table.rows * len(inputs(job))
    return START_GB + (state + kept * batch + tabular) / 1e9
