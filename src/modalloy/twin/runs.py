"""One run of a simulator: what is asked of it, what it may take, and what came of it."""

import random
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

Status = Literal["ok", "failed", "timed out", "out of memory", "nonsense"]
Kind = Literal["number", "category", "text", "image", "audio", "series"]
MEDIA = ("image", "audio", "series")
Simulate = Callable[..., Any]  # simulate(values, *, seed, folder), as docs/twin.md asks for it


class Task(NamedTuple):
    """run: which one of a plan. values: every variable and hidden parameter by name, numbers and
    names. seed: of what is random in it.
    """

    run: int
    values: Mapping[str, Any]
    seed: int


class Outcome(NamedTuple):
    """reason: a sentence, empty where `ok`. outputs: by name, none unless `ok`; media as paths
    inside the folder of media. seconds, seed: of the last attempt. attempts: how many there were.
    """

    run: int
    status: Status
    reason: str
    outputs: dict[str, Any]
    seconds: float
    seed: int
    attempts: int


class Expected(NamedTuple):
    """One output that a run has to return. labels: what a category may be."""

    kind: Kind
    labels: tuple[str, ...] = ()

    @property
    def is_media(self) -> bool:
        """Whether it is a file."""
        return self.kind in MEDIA


class RunLimits(NamedTuple):
    """seconds: of one run. memory_mb: that its process and all that it starts may fill of their
    own. runs_per_process: after which a process is replaced. retries: of a run that is not `ok`.
    """

    seconds: float = 60.0
    memory_mb: float = 2048.0
    runs_per_process: int = 200
    retries: int = 1


class FailedRun(Exception):
    """A simulator tells in one sentence why a run has failed."""


class NonsenseRun(Exception):
    """What a simulator returned is not what was asked for; the text says how."""


def seed_of(seed: int, attempt: int) -> int:
    """The seed of one attempt of a run: its own at first, then others that follow from it."""
    if attempt == 0:
        return seed
    return random.Random(f"{seed}/{attempt}").getrandbits(32)


def told(error: BaseException) -> str:
    """An error in one sentence, with the line where it was raised."""
    said = " ".join(str(error).split()) or "no reason given"
    frames = traceback.extract_tb(error.__traceback__)
    inner = [f for f in frames if not f.filename.startswith("<frozen")]
    at = f" ({Path(inner[-1].filename).name}, line {inner[-1].lineno})" if inner else ""
    return f"{type(error).__name__}: {said}{at}."
