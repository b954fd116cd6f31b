"""Teaches a smaller model to answer as the one that it was made from, on rows without answers.

The layers that a lever has changed learn, also frozen ones; `objectives/distil.py` says what is
minimised. The weights are kept only where held-out rows are then answered more like the teacher.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from modalloy.compression.lever import Changed, Rows, copied, noted, refuse_features
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.learn.augment import augmenting
from modalloy.learn.fit import fit
from modalloy.learn.state import State, averaged, shown_weights
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.distil import distilling
from modalloy.objectives.losses import Losses, Objective

STEPS = 300


def distil_into(
    model: Model,
    teacher: Model,
    rows: Rows,
    *,
    steps: int = STEPS,
    settings: config.Train | None = None,
    temperature: float = 2.0,
    summaries: float = 1.0,
    inputs: Sequence[str] | None = None,
    seed: int = 0,
) -> Changed:
    """A copy of a smaller model that has learned from its teacher on `rows.learn`.

    settings: rates, clipping and averaging; those of the model's job for None. temperature,
    summaries: as for `distilling`. inputs: whose encoders learn; for None those that a lever has
    changed, all of them where none has. Everything but the encoders of other inputs learns too.

    The record says how far held-out rows (those that were learned from, where there are no others)
    lie from the teacher's, `apart` before and after, and whether the new weights were `taken`: not,
    where they are no nearer. JobError for rows with features of frozen encoders and unknown inputs.
    """
    refuse_features(rows.learn)
    student = copied(model)
    names = changed_inputs(student) if inputs is None else list(inputs)
    if unknown := [name for name in names if name not in student.inputs]:
        raise JobError(f"distilling: the model has no input '{unknown[0]}'")
    settings = settings or student.job.train
    objective = distilling(teacher, temperature=temperature, summaries=summaries)
    judged = rows.held or rows.learn
    before = apart(student, judged, objective)
    kept = {n: t.clone() for n, t in student.state_dict().items()}
    with encoders_learn(student, names):
        state = State.begin(student, added, settings, steps)
        batches = endless(rows.learn, steps, seed)
        views = augmenting(student.job)
        for _ in fit(
            state, standing(objective), batches, settings=settings, seed=seed, views=views
        ):
            pass
        with averaged(state):
            after = apart(student, judged, objective)
            learned = shown_weights(state)
    taken = after < before
    student.load_state_dict(learned if taken else kept, strict=False)
    record = {
        "lever": "distil",
        "inputs": names,
        "steps": steps,
        "temperature": temperature,
        "summaries": summaries,
        "apart": {"before": before, "after": after},
        "taken": taken,
    }
    return noted(student.eval(), record)


def standing(objective: Objective[Model]) -> Objective[Model]:
    """The objective of a model in evaluation mode: what is taught is what will answer, without
    dropout, with figures of norms that stand still, and with merged tokens.

    With dropout ten steps took a pruned MiniLM ten times farther from its teacher, not nearer.
    """

    def asked(model: Model, batch: Batch) -> Losses:
        return objective(model.eval(), batch)

    return asked


def changed_inputs(model: Model) -> list[str]:
    """Inputs whose encoders a lever has changed; all where none has."""
    found = {name for record in model.compressed for name in record.get("inputs", ())}
    return [name for name in model.encoders if not found or name in found]


def added(losses: Mapping[str, Tensor]) -> Tensor:
    """The sum of all losses, each of which is a distance already."""
    return torch.stack(list(losses.values())).sum()


def endless(batches: Sequence[Batch], steps: int, seed: int) -> Iterator[Batch]:
    """So many batches, all of them in a new order again and again."""
    draw = torch.Generator().manual_seed(seed)
    order: list[int] = []
    for _ in range(steps):
        order = order or torch.randperm(len(batches), generator=draw).tolist()
        yield batches[order.pop()]


@torch.no_grad()
def apart(model: Model, batches: Sequence[Batch], objective: Objective[Model]) -> float:
    """Mean over rows of how far a model's answers lie from its teacher's, in evaluation mode."""
    was = model.training
    model.eval()
    found = [(added(objective(model, batch)).item(), len(batch)) for batch in batches]
    model.train(was)
    return sum(loss * rows for loss, rows in found) / max(1, sum(rows for _, rows in found))


@contextmanager
def encoders_learn(model: Model, names: Sequence[str]) -> Iterator[None]:
    """Let the encoders of these inputs learn, frozen or not, and no others; afterwards what learned
    before.
    """
    wanted = {id(model.encoder(name)) for name in names}
    learning = {p: p.requires_grad for p in model.parameters()}
    opened = {name: encoder.opened for name, encoder in model.encoders.items()}
    for encoder in model.encoders.values():
        encoder.opened = id(encoder) in wanted
        for p in encoder.parameters():
            p.requires_grad_(id(encoder) in wanted and p.is_floating_point())
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        for p, was in learning.items():
            p.requires_grad_(was)
        for name, encoder in model.encoders.items():
            encoder.opened = opened[name]
