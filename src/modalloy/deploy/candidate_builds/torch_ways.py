"""Torch's other ways, for comparison: bfloat16, and code compiled for the shapes at hand."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import nn

from modalloy.deploy.candidate_builds.trial import unpacked
from modalloy.machine.bursts import Timing, interleaved

Way = Literal["bf16", "compiled"]
ROUNDS = 7
MOST_S = 20.0


def build(program: bytes, way: Way, feeds: list[bytes], threads: int) -> dict[str, Any]:
    """Seconds of every round of the module as it is and of the other way, for each feed, and the
    cosine of their outputs.

    program: the module as `torch.export` saves it. feeds: of one row and of many.
    """
    torch.set_num_threads(threads)
    module = without_checks(torch.export.load(io.BytesIO(program)).module())
    found, alike = [], []
    for feed in feeds:
        values = unpacked(feed)  # in no order; modules take arrays by the order of their names
        given = [torch.from_numpy(values[name]) for name in sorted(values)]
        ways = {"slow": called(module, given), "fast": other(module, given, way)}
        alike.append(cosine(ways["slow"](), ways["fast"]()))
        timings = interleaved(ways, rounds=ROUNDS, most_s=MOST_S)
        found.append({name: timing.call_s_RC.tolist() for name, timing in timings.items()})
    return {"rounds": found, "cosine": min(alike)}


def without_checks(module: nn.Module) -> nn.Module:
    """The module without its checks that every tensor has the number type that it was traced with:
    they would refuse any other one.
    """
    check = torch.ops.aten._assert_tensor_metadata.default
    for part in module.modules():
        if isinstance(part, torch.fx.GraphModule):
            for node in [n for n in part.graph.nodes if n.target is check]:
                part.graph.erase_node(node)
            part.recompile()
    return module


def called(
    module: Callable[..., Any],
    given: list[torch.Tensor],
    within: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Callable[[], Any]:
    """A call of a module without gradients."""

    def call() -> Any:
        with torch.inference_mode(), within():
            return module(*given)

    return call


def other(module: nn.Module, given: list[torch.Tensor], way: Way) -> Callable[[], Any]:
    """The call in the other way."""
    if way == "bf16":
        return called(module, given, lambda: torch.autocast("cpu", torch.bfloat16))
    return called(torch.compile(module, dynamic=False), given)


def cosine(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    """Of all numbers that come out."""
    parts = [
        torch.cat([x[n].float().ravel() for n in one if one[n].is_floating_point()])
        for x in (one, two)
    ]
    return float(torch.nn.functional.cosine_similarity(*parts, dim=0))


def timings_of(rounds: dict[str, list[list[float]]]) -> dict[str, Timing]:
    """What `build` told of one feed."""
    import numpy as np

    return {name: Timing(np.array(calls), np.zeros(len(calls))) for name, calls in rounds.items()}
