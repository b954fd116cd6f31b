"""Smaller networks and shorter ways through them, where there is time: each made by a lever, taught
by the model that it comes from, judged like every other candidate.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.answer.torch_engine import TorchEngine
from modalloy.compression.distilling import distil_into
from modalloy.compression.lever import Changed, Lever
from modalloy.compression.lever import Rows as LeverRows
from modalloy.compression.low_rank import factorise
from modalloy.compression.pruning import prune
from modalloy.compression.token_merging import merge_tokens
from modalloy.deploy.branch_search import Bench, try_one
from modalloy.deploy.calibration_rows import Rows
from modalloy.deploy.network import Network, graphed, operations_in
from modalloy.deploy.one_changed import Kept
from modalloy.deploy.picking import Picked, engine_of, pick, sessions_of
from modalloy.deploy.tried import Speed, Tried, failed
from modalloy.deploy.whole_speed import Whole, whole_speed
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

BATCH = 32
SECOND_STEPS = 4.0  # steps of distillation that one batch may cost in seconds, at most, see `steps`
MOST_STEPS = 600
WHOLE = "whole network"


class Step(NamedTuple):
    """A lever, how much it leaves, and whether what is left is taught by the model before."""

    name: str
    lever: Lever
    share: float
    taught: bool


# Not early exits: a graph runs all blocks of all rows, so that it would be the whole network again.
LEVERS = (
    Step("factors of low rank", factorise, 0.999, False),
    Step("70 % of units, distilled", prune, 0.7, True),
    Step("50 % of units, distilled", prune, 0.5, True),
    Step("half of the tokens merged", merge_tokens, 0.5, False),
)


class Alternative(NamedTuple):
    """A smaller network that passed. row: of the report."""

    row: Tried
    network: Network
    picked: Picked
    speed: Whole


def smaller_nets(
    bench: Bench,
    predictor: Predictor,
    rows: Rows,
    picked: Picked,
    *,
    levers: Sequence[Step] = LEVERS,
) -> tuple[list[Tried], list[Alternative]]:
    """A row for every lever, and the networks that passed. picked: what computes each graph best as
    it was; the same is tried of the smaller one.
    """
    model, tried, passed = predictor.model, [], []
    given = LeverRows(
        batches(rows.loader, rows.learn, model), batches(rows.loader, rows.held, model)
    )
    for number, one in enumerate(levers):
        row = Tried(WHOLE, one.name, "failed")
        if bench.budget.over():
            tried.append(row.now("failed", "not tried: the minutes were used up"))
            continue
        try:
            changed = smaller(model, given, one, bench.budget.left() / (len(levers) - number))
            found = judged(bench, predictor, rows, changed, picked, row)
        except Exception as error:  # whatever it is, what was found before is not lost for it
            tried.append(failed(row, error))
            continue
        tried.append(found if isinstance(found, Tried) else found.row)
        if isinstance(found, Alternative):
            passed.append(found)
    return tried, passed


def smaller(model: Model, rows: LeverRows, one: Step, seconds: float) -> Changed:
    """What a lever makes of the model, taught for half of these seconds where it is to be."""
    changed = one.lever(model, rows, one.share)
    if not one.taught:
        return changed
    return distil_into(changed.model, model, rows, steps=steps_in(model, rows, seconds / 2))


def steps_in(model: Model, rows: LeverRows, seconds: float) -> int:
    """Steps of distillation that fit into so many seconds: a step takes about four times as long as
    an answer to its batch."""
    import time

    with torch.no_grad():
        model(rows.learn[0])
        begin = time.perf_counter()
        model(rows.learn[0])
    step = SECOND_STEPS * (time.perf_counter() - begin)
    return int(np.clip(seconds / max(step, 1e-6), 1, MOST_STEPS))


def judged(
    bench: Bench, predictor: Predictor, rows: Rows, changed: Changed, picked: Picked, row: Tried
) -> Tried | Alternative:
    """A smaller network's row, with the network where it passed."""
    alone = bench.guard.judge(TorchEngine(changed.model), precision=None)
    row = replace(row, judged=alone, said=said_of(changed))
    if not alone.passed:
        return row.now("refused", alone.reasons[0])
    network = graphed(predictor, changed.model, rows, bench.threads, quiet=True)
    own = replace(bench, base=network.base, smaller=True, kept=Kept())
    found = {}
    for name, taken in picked.tried.items():
        data, feed = network.data[name], network.feeds[name]
        kinds = operations_in(data)
        found[name] = [try_one(own, network.graphs[name], data, kinds, feed, taken.candidate)]
    best = pick(own, found)
    row = replace(row, judged=best.judged)
    if not best.judged.passed:
        return row.now("refused", best.judged.reasons[0])
    engine = engine_of(network.base, sessions_of(own, best.tried))
    speed = whole_speed(bench.guard, TorchEngine(predictor.model), engine, bench.time)
    row = replace(row, speed=speed_of_whole(speed))
    return Alternative(row.now("passed"), network, best, speed)


def speed_of_whole(speed: Whole) -> Speed:
    """A whole network's speed as a row of the report has it."""
    many_s = speed.many[1] / 1000.0
    return Speed(
        speed.faster_one,
        speed.faster_many,
        speed.one[1],
        speed.p99[1],
        speed.many[1],
        16 / many_s,
    )


def said_of(changed: Changed) -> str:
    """What a lever did, in a few words."""
    kept = {k: v for k, v in changed.record.items() if isinstance(v, int | float | str)}
    return ", ".join(f"{k} {v}" for k, v in kept.items())


def batches(loader: Loader, which: np.ndarray, model: Model) -> list[Batch]:
    """Rows as levers take them."""
    cut = [which[i : i + BATCH] for i in range(0, len(which), BATCH)]
    return [Batch.of(loader.batch(some), model.device) for some in cut]
