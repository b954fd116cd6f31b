"""The ways by which a job learns without labels, built beside one body, and how they are weighed.

A new way is one line in `METHODS`, its section in `config.Pretrain`, and its objective.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.judge.validate import Score
from modalloy.learn import processes
from modalloy.learn.augment import augmenting
from modalloy.learn.plan import Plan
from modalloy.model.body import Body
from modalloy.model.tokens import Batch
from modalloy.objectives.autoregress import Autoregress
from modalloy.objectives.contrast import Contrast
from modalloy.objectives.losses import Losses
from modalloy.objectives.masked import Masked
from modalloy.objectives.matching import Matching
from modalloy.objectives.names import Method, read_name
from modalloy.objectives.pretext import Pretext, Pretraining, pretraining, weighed

Build = Callable[[Body, Any], Pretext]
METHODS: dict[Method, Build] = {
    "masked": Masked,
    "contrast": Contrast,
    "matching": Matching,
    "autoregress": Autoregress,
}


def settled(options: config.Pretrain, inputs: Sequence[str]) -> config.Pretrain:
    """The options with the method in them that is learned by where none is asked for.

    With few labels a space was worth more than rebuilding, and takes less time: see dev/LOG.md.
    """
    asked = any(getattr(options, method) is not None for method in METHODS)
    if not asked and len(inputs) > 1:
        # New projections: those of unlike checkpoints may have unlike lengths.
        usual = config.Contrast(projections="new")
        return options.model_copy(update={"masked": config.Masked(weight=0.0), "contrast": usual})
    masked = options.masked or config.Masked()
    return options.model_copy(update={"masked": masked})


def weights_of(options: config.Pretrain) -> dict[str, float]:
    """What each method that a job asks for counts, `masked` where it asks for none."""
    options = settled(options, ())
    asked = {method: getattr(options, method) for method in METHODS}
    return {m: o.weight for m, o in asked.items() if o is not None and o.weight > 0}


def build_pretexts(body: Body, options: config.Pretrain) -> dict[Method, Pretext]:
    """The methods that a job asks for, beside the body that they teach.

    JobError where it asks for none.
    """
    weights = weights_of(options)
    if not weights:
        raise JobError(
            "pretrain: no method is left to learn by: the weight of each is 0; give "
            f"{' or '.join(METHODS)} a weight."
        )
    return {m: build(body, getattr(options, m)) for m, build in METHODS.items() if m in weights}


def pretext_plan(model: Pretraining, loader: Loader, rows: np.ndarray) -> Plan[Pretraining]:
    """Learn by all methods together; stop by what they cost on rows that are not learned from."""
    job = model.body.job
    total = partial(weighed, weights=weights_of(job.pretrain))
    score = partial(judge, model, loader, rows) if len(rows) else None
    return Plan(pretraining, total, augmenting(job), score=score)


AT_ONCE = 64  # rows that are judged together
ENOUGH, MOST_TIMES = 500, 8  # rows, each as often as makes so many, but not more often


@torch.no_grad()
def judge(model: Pretraining, loader: Loader, rows: np.ndarray) -> Score:
    """What the methods cost on these rows, the same parts hidden each time: the lower the better.

    The value is the negative of the weighed total; the figures are losses by method and column.
    """
    rank, world = processes.start()
    chunks = [rows[i : i + AT_ONCE] for i in range(0, len(rows), AT_ONCE)]
    chunks *= max(1, min(MOST_TIMES, ENOUGH // len(rows)))  # few rows, other parts of them hidden
    found: list[dict[str, tuple[float, float]]] = []
    was = model.training
    model.eval()
    with torch.random.fork_rng(devices=[]):
        for number, arrays in zip(
            range(rank, len(chunks), world), loader.stream(chunks[rank::world]), strict=True
        ):
            torch.manual_seed(model.body.job.seed * 1_000_003 + number)
            found.append(sums(judged_parts(model, Batch.of(arrays, model.device))))
    model.train(was)
    return scored(model, [one for some in processes.gathered(found, world) for one in some])


def judged_parts(model: Pretraining, batch: Batch) -> Losses:
    """All losses as finely as a report tells them."""
    losses = Losses()
    for pretext in model.pretexts.values():
        own = pretext.parts(model.body, batch)
        for name, loss in own.items():
            losses.add(name, loss, *own.counts[name])
    return losses


def sums(losses: Losses) -> dict[str, tuple[float, float]]:
    """Each loss times what it is a mean of, and how much that is."""
    counts = {name: float(losses.counts[name][0]) for name in losses}
    return {name: (float(loss) * counts[name], counts[name]) for name, loss in losses.items()}


def scored(model: Pretraining, found: list[dict[str, tuple[float, float]]]) -> Score:
    """The means over all of these batches; a loss of nothing at all has no figure."""
    names = list(dict.fromkeys(name for one in found for name in one))
    figures: dict[str, dict[str, float]] = {}
    weights, value = weights_of(model.body.job.pretrain), 0.0
    for name in names:
        total, count = (sum(one.get(name, (0.0, 0.0))[i] for one in found) for i in (0, 1))
        if count:
            method, inputs = read_name(name).method, read_name(name).inputs
            assert method is not None, "pretexts name methods"
            figures.setdefault(method, {})["~".join(inputs) or method] = total / count
    for method, own in figures.items():
        value -= weights[method] * float(np.mean(list(own.values())))
    return Score(value, figures)
