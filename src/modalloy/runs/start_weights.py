"""Weights of an earlier run into the model of a new job: by name and shape, part by part.

Of a run that was pretrained without labels what reads cells goes on; what sums a row up begins
anew, unless it is all that has learned there. Such a summary holds what tells rows apart or what
varies most, in few directions, and new tasks were learned from it more slowly than from a random
one: see dev/LOG.md.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from modalloy.model.layers.named import key
from modalloy.model.model import Model
from modalloy.readers.batch import TABLE, inputs_of
from modalloy.readers.reader import Reader
from modalloy.runs.run import PRETRAINED, Run

TABULAR = ("number", "category", "time")


class Taken(NamedTuple):
    """What became of a run's weights: what of the model begins anew, and frozen ones taken over.

    unread: names of the frozen ones that differ from what their package or folder holds.
    """

    unlike: list[str]
    unread: frozenset[str]


def take_weights(model: Model, run: Run, kept: Collection[str]) -> Taken:
    """Load what fits of a run's weights into the model of a new job, and say what does not.

    kept: columns and tasks that are as they were, as `kept_of` names them.
    """
    held, own = load_file(run.path / "model.safetensors"), model.state_dict()
    anew = summaries(model) if run.kind == PRETRAINED else set()
    chosen: dict[str, Tensor] = {}
    unlike: list[str] = []
    for part in parts_of(model, run, kept):
        names = [n for n in own if n.startswith(part.prefix) and n not in anew]
        fitting = [n for n in names if n in held and held[n].shape == own[n].shape]
        if not part.fits:
            unlike += [part.why] if part.why else []
            continue
        chosen |= {n: held[n] for n in fitting}
        if len(fitting) < len(names):
            count = len(names) - len(fitting)
            what = f"{count} of its {len(names)} weights are new or of another shape"
            unlike.append(f"{part.what}: {what}, and begin anew")
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    changed = {n for n in frozen & set(chosen) if not torch.equal(chosen[n], own[n].cpu())}
    model.load_state_dict(chosen, strict=False)
    return Taken(unlike, frozenset(changed))


def summaries(model: Model) -> set[str]:
    """Names of the weights that sum up what encoders read that can learn, and of the fusion where
    there is such an encoder."""
    found: set[str] = set()
    for name, encoder in model.encoders.items():
        read = () if encoder.frozen else tuple(encoder.reading)
        own = [n for n, _ in encoder.named_parameters()] if read else []
        found |= {f"encoders.{key(name)}.{n}" for n in own if not n.startswith(read)}
    fusion = [f"fusion.{n}" for n, _ in model.fusion.named_parameters()]
    return found | set(fusion) if found else found


class Part(NamedTuple):
    """Weights that go on or begin anew together: how their names begin, and whose they are.

    why: a sentence where they do not fit and nothing else says so.
    """

    prefix: str
    what: str
    fits: bool
    why: str = ""


def parts_of(model: Model, run: Run, kept: Collection[str]) -> Iterator[Part]:
    """Every part of a model, and whether the run has it as well."""
    before = inputs_of(run.readers)
    same = {i: f"column '{i}'" in kept for i in model.inputs}
    tabular = together(model.readers, kept)
    same[TABLE] = tabular is not None and tabular == together(run.readers, kept)
    for i in model.encoders:
        why = "number, category and time columns are read together: their encoder begins anew"
        told = why if i == TABLE and TABLE in before else ""
        yield Part(f"encoders.{key(i)}.", f"column '{i}'", same[i], told)
    for name in model.tasks:
        task = f"task '{name}'"
        yield Part(f"tasks.{key(name)}.", task, task in kept)
    for name, heads in model.auxiliary.items():
        for i in heads:
            task = f"task '{name}'"
            fits = task in kept and same[i]
            yield Part(f"auxiliary.{key(name)}.{key(i)}.", f"{task} from '{i}' alone", fits)
    now, then = model.job.fuse.type, run.job.fuse.type
    joins = f"it joined {', '.join(before)} by {then}, and joins {', '.join(model.inputs)} by {now}"
    fits = before == model.inputs and now == then
    yield Part("fusion.", "the fusion", fits, f"the fusion begins anew: {joins}")
    yield Part("consistency.", "the consistency loss", before == model.inputs)


def together(readers: Mapping[str, Reader], kept: Collection[str]) -> Sequence[str] | None:
    """Names of the tabular columns in their order; None where one of them begins anew."""
    tabular = [n for n, r in readers.items() if r.kind in TABULAR]
    return tabular if all(f"column '{n}'" in kept for n in tabular) else None
