"""What hardening minimises: a job's own objective, wrapped as its `harden` section asks."""

from collections.abc import Sequence
from functools import partial
from typing import assert_never

from modalloy.attacks.budget import Budget
from modalloy.errors import JobError
from modalloy.hardening.lies import anything, corruptions, noise, places, within
from modalloy.job import config
from modalloy.model.model import Model, essential_inputs
from modalloy.objectives.adversarial import fgsm_rs, pgd
from modalloy.objectives.corrupted import corrupting
from modalloy.objectives.freelb import freelb
from modalloy.objectives.hiding import hiding
from modalloy.objectives.losses import Objective
from modalloy.objectives.lying import lying
from modalloy.objectives.supervised import supervised
from modalloy.objectives.trades import trades

STEPS, FREELB_STEPS = 7, 3  # of `steps: auto`
FORWARD = 1 / 3  # of a pass over some rows, its part without gradients


def hardening(model: Model, options: config.Harden, budgets: Sequence[Budget]) -> Objective[Model]:
    """The objective of a hardening.

    From the outside in: inputs are hidden as in any training, one column lies in some rows, some
    rows are corrupted, and what is then left is attacked. A column that a task cannot do without
    never lies: its answer would be one to other words or another picture.
    """
    job, keep = model.job, essential_inputs(model.job)
    inner = attacking(options, budgets)
    worn = corrupting(inner, corruptions(model), share=options.corrupted)
    free = {name: place for name, place in places(model).items() if name not in keep}
    lied = lying(
        worn,
        free,
        chance=options.lying,
        noise=partial(noise, model),
        anything={n: reach for n, reach in anything(model).items() if n in free},
        base=supervised,
    )
    return hiding(lied, chance=job.fuse.modality_dropout, keep=keep)


def attacking(options: config.Harden, budgets: Sequence[Budget]) -> Objective[Model]:
    """The part that attacks rows."""
    reach, steps = within(list(budgets)), steps_of(options)
    match options.training:
        case "fgsm_rs":
            return fgsm_rs(supervised, reach, share=options.attacked)
        case "pgd":
            return pgd(supervised, reach, steps=steps, share=options.attacked)
        case "trades":
            return trades(supervised, reach, steps=steps, beta=options.beta)
        case "freelb":
            return freelb(supervised, reach, steps=steps)
        case "corruptions":
            return supervised
        case other:
            assert_never(other)


def steps_of(options: config.Harden) -> int:
    """Steps of the attack of a training."""
    if options.steps != "auto":
        return options.steps
    return FREELB_STEPS if options.training == "freelb" else STEPS


def cost_of(options: config.Harden) -> float:
    """How many passes over a row one step takes, where a plain training takes one."""
    match options.training:
        case "fgsm_rs":
            return 2.0
        case "pgd":
            return 1.0 + steps_of(options)
        case "trades":
            return 3.0 + steps_of(options)
        case "freelb":
            return 2.0 * steps_of(options) - 1.0
        case "corruptions":
            return 1.0
        case other:
            assert_never(other)


def refuse_training(model: Model, options: config.Harden) -> None:
    """JobError where the network has nothing of what a training works on."""
    kinds = {reader.kind for reader in model.readers.values()}
    if options.training == "freelb" and not kinds & {"text", "tokens"}:
        raise JobError(
            "harden.training: freelb moves the embeddings of text, and this run reads none; take "
            "fgsm_rs."
        )
    other = {
        name: task.type
        for name, task in model.job.tasks.items()
        if task.type not in ("classify", "regress", "tag")
    }
    if options.training == "trades" and other:
        name, kind = next(iter(other.items()))
        raise JobError(
            f"harden.training: trades asks how far two answers lie apart, which nobody can say of "
            f"task '{name}' of type {kind}; take fgsm_rs."
        )
