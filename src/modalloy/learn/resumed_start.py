"""The run that a training started from, when it goes on: read again, or from its checkpoint.

A checkpoint keeps what was taken over and cannot be had again once that run is gone or changed:
readers, targets, and the weights of frozen trunks.
"""

from pathlib import Path

from torch import Tensor

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.learn.checkpoint import part, read_state
from modalloy.model.layers.named import key
from modalloy.model.model import Model
from modalloy.runs.run import Run
from modalloy.runs.start import Started, open_start


def start_of(job: config.Job, start: Run | None, known: Started | None) -> Run | None:
    """The run to start from: the one given, else the one that the job names.

    known: what a training that goes on has from it already; then it may be gone, and one that was
    changed since counts as gone. RunError where it is needed and cannot be read.
    """
    if start is None and job.train.start is not None:
        try:
            start = open_start(job.train.start)
        except RunError:
            if known is None:
                raise
    if start is not None and known is not None and start.identity != known.sha256:
        return None
    return start


def held_start(path: Path) -> Started | None:
    """What a checkpoint knows of the run that its training started from."""
    if not path.is_file():
        return None
    _, meta = read_state(path)
    known = meta["progress"].get("started")
    return None if known is None else Started.from_dict(known)


def frozen_trunks(model: Model, path: Path) -> dict[str, Tensor]:
    """Weights of a checkpoint that belong to frozen trunks of encoders and decoders."""
    tensors, _ = read_state(path)
    trunks = tuple(f"encoders.{key(i)}.trunk." for i, e in model.encoders.items() if e.frozen)
    trunks += tuple(
        f"tasks.{key(name)}.decoder.trunk."
        for name, head in model.tasks.items()
        if head.trunk is not None and not any(p.requires_grad for p in head.trunk.parameters())
    )
    return {n: t for n, t in part(tensors, "model.").items() if n.startswith(trunks)}
