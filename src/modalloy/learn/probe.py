"""Tries number types and memory layouts on a real batch and takes the fastest.

Trying costs at most about a fiftieth of the training it is for, and what was found is remembered.
"""

import copy
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from modalloy.learn.probe_memory import key_of, recall
from modalloy.machine.remembered import keep
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.model.trunks.efficientnet import EfficientNetLite
from modalloy.model.trunks.trunk import allows_channels_last
from modalloy.objectives.losses import Objective
from modalloy.objectives.pretext import Pretraining
from modalloy.readers.batch import TABLE

Trained = Model | Pretraining
STEPS = 3
GAIN = 1.1  # a change must be this much faster to be taken
SLOW = 2.0  # times the best way so far: such a step ends a trial
SLOW_START = 5.0  # likewise for the step that warms up, which also allocates and compiles
SHARE = 0.02  # of the seconds that the training will take
FEWEST = 1 + STEPS + SLOW_START  # steps that it takes to try one way, if that is hopeless


class Probe(NamedTuple):
    """What was measured, seconds a step, and what was taken; no seconds where nothing was tried."""

    half: bool
    channels_last: bool
    seconds: dict[str, float]


def probe(
    model: Trained,
    objective: Objective[Any],
    batch: Batch,
    precision: str,
    *,
    steps: int,
    kept: Path | None,
) -> Probe:
    """Time three steps of each way of computing and keep the fastest.

    Only media encoders are affected; a model of tabular columns is left in float32. A number type
    that is asked for is taken without timing anything, so that training repeats bit for bit. The
    weights are those from before: every trial runs on a copy.

    steps: how many the training will take; a way is only tried where it fits into `SHARE` of them,
    and where not even one does, nothing is tried and `guess` answers. kept: the file that answers
    are remembered in; None neither asks nor keeps.
    """
    encoders = model.body.encoders.values()
    if precision != "auto" or all(e.trunk is None and not maps(e) for e in encoders):
        return Probe(precision == "bfloat16" and model.body.inputs != [TABLE], False, {})
    key = key_of(model, batch)
    known = recall(kept, key)
    if known is not None:
        return Probe(**known)
    if steps * SHARE < FEWEST:
        return guess(model)
    layouts = (False, True) if any(maps(e) for e in encoders) else (False,)
    ways = [(half, last) for half in (False, True) for last in layouts]
    seconds: dict[tuple[bool, bool], float] = {}
    begin = now()
    for half, last in ways:
        best = min(seconds.values(), default=math.inf)
        left = SHARE * steps * seconds[ways[0]] - (now() - begin) if seconds else math.inf
        if seconds and left < SLOW_START * best:
            break
        seconds[half, last] = trial(model, objective, batch, half, last, best, left)
    fastest = min(seconds, key=lambda k: seconds[k])
    half, last = fastest if seconds[fastest] * GAIN < seconds[ways[0]] else ways[0]
    named = {
        f"{'bfloat16' if h else 'float32'}{'+channels_last' if c else ''}": s
        for (h, c), s in seconds.items()
    }
    choice = Probe(half, last, named)
    if len(seconds) == len(ways):  # else a longer training may try the others
        keep(kept, key, choice._asdict())
    return choice


def guess(model: Trained) -> Probe:
    """What is taken untried: float32, and channels last where it has always been the faster one."""
    lite = any(isinstance(e.trunk, EfficientNetLite) for e in model.body.encoders.values())
    return Probe(False, lite and not torch.cuda.is_available(), {})


def apply(model: Trained, choice: Probe) -> None:
    """Set the number type and layout on a model; encoders that do not change stay as they read
    rows before.
    """
    model.body.in_bfloat16 = choice.half
    changing = [e for e in model.body.encoders.values() if not e.still]
    if choice.half and not torch.cuda.is_available():
        for encoder in changing:
            plain_attention(encoder.trunk)
    if choice.channels_last:
        for encoder in changing:
            if maps(encoder):
                # pyrefly: ignore[no-matching-overload] torch's stub leaves this one out
                encoder.to(memory_format=torch.channels_last)


def plain_attention(trunk: torch.nn.Module | None) -> None:
    """Attention step by step: the fused kernel's bfloat16 backward is slow on a CPU."""
    choose = getattr(trunk, "set_attn_implementation", None)
    if choose is not None:
        choose("eager")


def trial(
    model: Trained,
    objective: Objective[Any],
    batch: Batch,
    half: bool,
    last: bool,
    best: float,
    left: float,
) -> float:
    """Median seconds of three forward and backward passes, after one to warm up.

    best: seconds of the best way so far. A way that is hopelessly slower, as bfloat16 convolutions
    on a CPU are, gives up early; what its last step took is the answer then. left: seconds after
    which fewer passes must do.
    """
    copied = copy.deepcopy(model).train()
    apply(copied, Probe(half, last, {}))
    times: list[float] = []
    while len(times) <= STEPS:
        start = now()
        torch.manual_seed(0)
        torch.stack(list(objective(copied, batch).values())).sum().backward()
        copied.zero_grad(set_to_none=True)
        times.append(now() - start)
        if times[-1] > best * (SLOW if len(times) > 1 else SLOW_START):
            return times[-1]
        if len(times) > 1 and sum(times) + times[-1] > left:
            break
    return sorted(times[1:])[(len(times) - 1) // 2]


def now() -> float:
    """Seconds of a clock, read once the accelerator has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def maps(encoder: torch.nn.Module) -> bool:
    """Whether an encoder convolves pictures, so that its memory layout matters and may change."""
    convolves = any(isinstance(m, torch.nn.Conv2d) for m in encoder.modules())
    return convolves and allows_channels_last(encoder)
