"""One round of private learning at a site: noised steps, whose promise holds over all rounds."""

import hashlib
import math
from dataclasses import replace
from itertools import islice

import numpy as np
from torch import Tensor

from modalloy.answer.loader import Loader
from modalloy.errors import FederationError
from modalloy.federation.local_training import Learned
from modalloy.federation.memory import Memory
from modalloy.federation.travelling import FIGURES, Arrays, weights_of
from modalloy.job import config
from modalloy.job.private import Private
from modalloy.job.steps import course
from modalloy.learn.state import State
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.privacy.accountant import Plan, plan
from modalloy.privacy.membership import Attack, by_loss
from modalloy.privacy.noisy import private_settings, private_steps
from modalloy.privacy.per_sample import CANNOT, PerSample, private_total
from modalloy.privacy.units import Units
from modalloy.table.table import Table

ATTACKED, AT_ONCE = 500, 128  # rows of each kind that an attack looks at


def asked(job: config.Job) -> Private:
    """The job's `federate.private`."""
    assert job.federate.private is not None, "asked for"
    return job.federate.private


def steps_a_round(job: config.Job, rows: int) -> int:
    """Steps of a site in a round: as many as go over its rows so often as the job says."""
    options = job.federate
    auto = options.epochs == "auto"
    passes = course(job, rows).epochs / options.rounds if auto else float(options.epochs)
    return max(1, math.ceil(passes / asked(job).share))


def units_of(table: Table, rows: np.ndarray, options: Private) -> Units:
    """What is protected as one; FederationError for a column that the site lacks."""
    if options.unit == "row":
        return Units.of_rows(rows)
    if options.unit not in table.columns:
        raise FederationError(
            f"federate.private.unit: this site has no column '{options.unit}', whose values are to "
            "be protected together"
        )
    return Units.of_values(rows, table.cells(options.unit, rows))


def plan_of(job: config.Job, units: Units, rows: int) -> Plan:
    """The noise that keeps the promise over all rounds; JobError where it cannot be kept."""
    return plan(asked(job), len(units), job.federate.rounds * steps_a_round(job, rows))


def learn_privately(
    model: Model,
    loader: Loader,
    rows: np.ndarray,
    job: config.Job,
    *,
    key: bytes,
    number: int,
    names: list[str],
) -> Learned:
    """Learn from some rows in place by noised gradients, and what became of these weights.

    key: secret of this site; with the weights that the round began with it makes the round's
    chance, so that the same noise never lies on two different steps. No loss is told.
    """
    units = units_of(loader.table, rows, asked(job))
    made, steps = plan_of(job, units, len(rows)), steps_a_round(job, len(rows))
    settings = private_settings(job.train, asked(job)).model_copy(update={"ema": 0.0})
    state = State.begin(model, private_total(job), settings, made.steps)
    state.step = (number - 1) * steps
    before = weights_of(model, names)
    secret = secret_of(key, number, before)
    given = {"clip": asked(job).clip, "settings": settings, "secret": secret}
    for _ in islice(private_steps(state, supervised, loader, units, made, **given), steps):
        pass
    model.eval()
    after = weights_of(model, names)
    still = {f"{p}.running_{n}" for p, m in model.named_modules() if isinstance(m, FIGURES)
             for n in ("mean", "var")}  # fmt: skip
    change = {n: after[n] - before[n] for n in names if n not in still}
    return Learned(change, None, steps, {})


def refuse_more(memory: Memory, number: int, rounds: int, weights: Arrays) -> None:
    """FederationError for a step that the promise was not reckoned for: a round beyond those that
    were agreed on, or one that is asked for once more from other weights."""
    seen = f"{secret_of(b'', number, weights):x}"
    if not 1 <= number <= rounds or memory.asked_before(number, seen):
        raise FederationError(
            f"round {number} is beyond the {rounds} rounds, or was asked for from other weights; "
            "what it told would be covered by no epsilon, so nothing is told."
        )


def secret_of(key: bytes, number: int, weights: Arrays) -> int:
    """A secret number of a round from these weights."""
    found = hashlib.blake2b(key=key[:64], digest_size=7)
    found.update(str(number).encode())
    for name in sorted(weights):
        found.update(weights[name].tobytes())
    return int.from_bytes(found.digest(), "little")


def membership(
    model: Model, loader: Loader, members: np.ndarray, others: np.ndarray, job: config.Job
) -> Attack | None:
    """How well the losses of a model tell rows that it learned from (Yeom et al. 2018); None where
    either kind is missing."""
    tasks = {
        n: o.model_copy(update={"class_weights": "none"}) if hasattr(o, "class_weights") else o
        for n, o in job.tasks.items()
    }
    total = private_total(job.model_copy(update={"train": config.Train(), "tasks": tasks}))
    way = PerSample(model, supervised, total, "masks")
    draw = np.random.default_rng(job.seed)
    found = []
    for rows in (members, others):
        some = np.sort(draw.permutation(loader.labelled(rows))[:ATTACKED])
        if len(some) < 2:
            return None
        chunks = np.array_split(some, -(-len(some) // AT_ONCE))
        batches = [Batch.of(loader.batch(chunk), model.device) for chunk in chunks]
        found.append(np.concatenate([losses_of(way, b).numpy() for b in batches]))
    return by_loss(*found)


def losses_of(way: PerSample[Model], batch: Batch) -> Tensor:
    """The loss of each row, one after the other where the network cannot answer many apart."""
    try:
        return way.totals(batch)
    except RuntimeError as error:
        if not CANNOT.search(str(error)):
            raise
        return replace(way, common=None).totals(batch)
