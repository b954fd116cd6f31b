"""How many lines of the board reach what the defaults are asked for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.defaults.lines import CALIBRATED, NEAR, NEVER_BELOW, seconds_allowed
from bench.written import mean

Line = Mapping[str, Any]
SETS, NEAR_SETS, WORST = 17, 14, 3.0
AHEAD = 0.8  # share of all lines


class Count(NamedTuple):
    """One thing that is asked for: what was found, and whether that is enough."""

    what: str
    goal: str
    found: str
    reached: bool


def counted(lines: Sequence[Line]) -> list[Count]:
    """Everything that is asked for, as far as the lines tell; a failed line counts against all."""
    held = [x for x in lines if x["holds_out"] and x.get("calibration_error", 1) is not None]
    below = cases(x for x in lines if behind(x, "to_best", NEVER_BELOW))
    ahead = [x for x in lines if is_ahead(x)]
    unsure = cases(x for x in held if x.get("calibration_error", 1) > CALIBRATED)
    slow = cases(x for x in lines if "failed" in x or x["seconds"] > seconds_allowed(x))
    broken = cases(x for x in lines if "failed" in x)
    share = len(ahead) / len(lines) if lines else 0.0
    return [
        *of_shared([x for x in lines if x["kind"] == "shared"]),
        none(f"cases more than {NEVER_BELOW} points behind their best simple method", below),
        Count(
            "lines ahead of their best simple method, or perfect",
            f">= {AHEAD:.0%}",
            f"{len(ahead)} of {len(lines)} ({share:.0%})",
            share >= AHEAD,
        ),
        none(f"cases that hold something out with a calibration error above {CALIBRATED}", unsure),
        none("cases that take longer than they may", slow),
        none("cases that could not be trained", broken),
        *of_series([x for x in lines if x["kind"] == "series"]),
    ]


def of_shared(lines: Sequence[Line]) -> list[Count]:
    """The shared sets beside their hand-set jobs; a set without such a figure counts as far."""
    if all(x.get("to_anchor") is None for x in lines):
        return []
    far = cases(
        x for x in lines if x.get("to_anchor") is None or behind(x, "to_anchor", NEAR["shared"])
    )
    near = cases(lines) - far
    return [
        Count(
            f"shared sets at most {NEAR['shared']:g} point behind the hand-set job",
            f">= {NEAR_SETS} of {SETS}",
            f"{len(near)} of {len(cases(lines))}",
            len(near) >= NEAR_SETS,
        ),
        none(
            f"shared sets more than {WORST:g} points behind the hand-set job",
            cases(x for x in lines if behind(x, "to_anchor", WORST)),
        ),
    ]


def of_series(lines: Sequence[Line]) -> list[Count]:
    """The series sets beside the method that they are compared with."""
    known = [x for x in lines if x.get("to_anchor") is not None]
    if not known:
        return []
    far = cases(x for x in lines if behind(x, "to_anchor", NEAR["series"]))
    ours, theirs = mean([x["value"] for x in known]), mean([x["anchor"] for x in known])
    return [
        Count(
            f"mean accuracy of {len(known)} series sets, beside {known[0]['anchor_of']}",
            f">= {theirs:.3f}",
            f"{ours:.3f}",
            round(ours, 4) >= round(theirs, 4),
        ),
        none(f"series sets more than {NEAR['series']:g} points behind it", far),
    ]


def none(what: str, names: set[str]) -> Count:
    """Something that no case may do."""
    return Count(what, "none", ", ".join(sorted(names)) or "none", not names)


def behind(line: Line, key: str, most: float) -> bool:
    """Whether a line is further behind than it may; one without such a comparison is not."""
    if "failed" in line:
        return True
    return line[key] is not None and line[key] < -most


def is_ahead(line: Line) -> bool:
    """Whether a line is ahead of its best simple method; a perfect one cannot be further ahead."""
    if "failed" in line:
        return False
    return line["perfect"] or line["to_best"] is None or line["to_best"] > 0


def cases(lines: Iterable[Line]) -> set[str]:
    """The names of cases that lines are of."""
    return {line["case"] for line in lines}
