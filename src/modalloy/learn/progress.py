"""How far a training is: its epochs and best score, in a checkpoint and back, and in its log."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.judge.validate import Score
from modalloy.learn.checkpoint import load_state, read_state, save_state
from modalloy.learn.state import State
from modalloy.machine.files import write_safely

LAST = "checkpoints/last.safetensors"
AGAIN = "checkpoints/refit.safetensors"
LOG, AGAIN_LOG = "log.jsonl", "refit.jsonl"
UNREAD = ("tune", "economize", "harden", "refresh", "federate")  # sections that no training reads


@dataclass
class Progress:
    """How far a training is, as a checkpoint keeps it."""

    batch: int  # rows a step
    epochs: int  # passes that are planned
    epoch: int = 0
    earlier: int = 0  # epochs of the part of the training before this one
    position: int = 0  # batches of this epoch that are done
    best: Score | None = None
    best_epoch: int = -1
    waited: int = 0  # looks at validation rows since the best one
    curves: list[dict[str, Any]] = field(default_factory=list)
    half: bool = False
    channels_last: bool = False
    probe: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    loss_sum: float = 0.0  # of the steps since the last look
    summed: int = 0  # how many these are
    interrupted: bool = False  # by Ctrl-C
    look_s: float | None = None  # seconds of the last look at validation rows
    over: bool = False  # the minutes that were given
    started: dict[str, Any] | None = None  # what came from an earlier run, as `Started` says it


def store(
    path: Path,
    state: State,
    best: dict[str, Tensor],
    notes: Progress,
    job: config.Job,
    seconds: float,
    write: bool = True,
) -> None:
    """Write the checkpoint of a training that has taken so many seconds; see `save_state`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notes.seconds = seconds
    plain = {**notes.__dict__, "best": notes.best._asdict() if notes.best else None}
    save_state(path, state, best, {"progress": plain, "job": fingerprint(job)}, write=write)


def restore(path: Path, state: State, job: config.Job) -> tuple[dict[str, Tensor], Progress]:
    """Read the checkpoint of a training of the same job. RunError for another job's."""
    tensors, meta = read_state(path)
    if meta["job"] != fingerprint(job):
        raise RunError(
            f"{path}: this checkpoint belongs to another job; give the job file it was started "
            "with, or another run directory."
        )
    best = load_state(tensors, meta, state)
    plain: dict[str, Any] = meta["progress"]
    plain["best"] = Score(**plain["best"]) if plain["best"] else None
    return best, Progress(**plain)


def fingerprint(job: config.Job) -> str:
    """Tells jobs apart."""
    # Left out where there is none, and what training does not read: checkpoints are older.
    without: dict[str, Any] = dict.fromkeys(UNREAD, True)
    without |= {"pretrain": True} if job.tasks else {}  # a job without tasks is pretrained
    without["train"] = {"remember_gb"} if job.train.start else {"remember_gb", "start"}
    without["columns"] = {name: unsaid_of(options) for name, options in job.columns.items()}
    without["tasks"] = {name: unsaid_of_task(options) for name, options in job.tasks.items()}
    if not job.train.shard:
        without["train"] |= {"shard"}
    unsaid = {"tune": config.Fusion().tune, "adapter": config.Beside()}
    without["fuse"] = {n for n, usual in unsaid.items() if getattr(job.fuse, n) == usual}
    return hashlib.sha256(job.model_dump_json(exclude=without).encode()).hexdigest()


def unsaid_of(column: config.Column) -> set[str]:
    """Options of a column that younger versions know, where they are left out."""
    unsaid = {"adapter"} if getattr(column, "adapter", None) == config.Beside() else set()
    heard = {"from_audio", "transcribe"} if getattr(column, "from_audio", None) is None else set()
    struck = set() if getattr(column, "resonances", 0) else {"resonances"}
    return unsaid | heard | struck


def unsaid_of_task(task: config.Task) -> set[str]:
    """The same of a task."""
    counts = getattr(task, "distribution", "none") != "none"
    return set() if counts else {"distribution", "order"}


def write_log(path: Path, notes: Progress) -> None:
    """One JSON line a look at the validation rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in notes.curves)
    write_safely(path, text.encode())
