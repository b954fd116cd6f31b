"""Times a candidate beside the network of torch that it would stand for, in turn."""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from modalloy.deploy.feeds import Feed, as_tensors
from modalloy.deploy.tried import Speed
from modalloy.machine.bursts import Timing, faster, interleaved
from modalloy.machine.peak import Peak
from modalloy.readers.batch import Arrays

ROUNDS = 9
MOST_S = 20.0  # of all rounds of one pair
Run = Callable[[Arrays], object]
Timer = Callable[[dict[str, Callable[[], object]]], dict[str, Timing]]


def timed(ways: dict[str, Callable[[], object]]) -> dict[str, Timing]:
    """Two ways timed in turn."""
    return interleaved(ways, rounds=ROUNDS, most_s=MOST_S)


def speed_of(
    run: Run,
    module: nn.Module,
    feed: Feed,
    *,
    peak: Peak | None,
    family: str,
    time: Timer = timed,
) -> Speed:
    """How fast a candidate computes a feed beside the module. family: its number type."""
    pairs = []
    for values in (feed.one, feed.many):
        given = as_tensors(values)
        ways = {"slow": eager(module, given), "fast": lambda values=values: run(values)}
        pairs.append(time(ways))
    rows = len(next(iter(feed.many.values())))
    work = 0 if peak is None else operations(module, as_tensors(feed.many))
    one, many = pairs
    return speed_from(one, many, rows, work=work, peak=peak, family=family)


def speed_from(
    one: Mapping[str, Timing],
    many: Mapping[str, Timing],
    rows: int,
    *,
    work: int,
    peak: Peak | None,
    family: str,
) -> Speed:
    """The speed of what was timed as `fast` beside `slow`. rows: of the many. work: operations of
    these.
    """
    share, kind = None, ""
    if peak is not None and work:
        # A type whose products are slower than float32's is widened to it before they are made.
        faster_type = peak.operations.get(family, 0.0) >= peak.operations.get("float32", 0.0)
        kind = family if faster_type else "float32"
        share = peak.share(work, many["fast"].median_s, kind)
    return Speed(
        faster(one["slow"], one["fast"]),
        faster(many["slow"], many["fast"]),
        one["fast"].p50_ms,
        one["fast"].p99_ms,
        many["fast"].p50_ms,
        rows / many["fast"].median_s,
        share,
        kind if share is not None else "",
    )


def eager(module: nn.Module, given: tuple[torch.Tensor, ...]) -> Callable[[], object]:
    """The module in float32, as a run answers."""

    def call() -> object:
        with torch.inference_mode():
            return module(*given)

    return call


def operations(module: nn.Module, given: tuple[torch.Tensor, ...]) -> int:
    """Multiplications and additions of matrix work for some rows."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(*given)
    return counter.get_total_flops()
