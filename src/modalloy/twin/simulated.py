"""What came of the runs of a plan: how many ended well, how long they took, what outputs range."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modalloy.twin.outputs import CategoryOutput, Media, NumberOutput, Output, TextOutput
from modalloy.twin.runs import Outcome, Status
from modalloy.twin.twin import Twin

ORDER: tuple[Status, ...] = ("ok", "failed", "timed out", "out of memory", "nonsense")
MOST_REASONS = 3


class Simulated(NamedTuple):
    """path: of the rows. twin: its name. fingerprint: of what the rows depend on. rows: a mapping
    a run, as the file has them. counts: runs by status. reasons: why runs were not `ok`, the most
    frequent first. run_s: median seconds of a run that was `ok`, None where none was. ranges: of
    each output in words.
    """

    path: Path
    twin: str
    fingerprint: str
    rows: list[dict[str, Any]]
    counts: dict[Status, int]
    reasons: list[tuple[str, int]]
    run_s: float | None
    ranges: dict[str, str]
    known: dict[str, Any] | None = None

    def in_words(self) -> str:
        """For a terminal."""
        said = [f"{n} {status}" for status, n in self.counts.items() if n]
        took = "" if self.run_s is None else f"; {brief_s(self.run_s)} a run"
        lines = [f"{self.twin}: {runs(len(self.rows))}: {', '.join(said)}{took}."]
        width = max(map(len, self.ranges), default=0)
        lines += [f"  {name:<{width}}  {told}" for name, told in self.ranges.items()]
        lines += [f"{runs(count)}: {reason}" for reason, count in self.reasons[:MOST_REASONS]]
        further = len(self.reasons) - MOST_REASONS
        if further > 0:
            lines += [f"and {further} more reason{'s' * (further > 1)}, in the rows."]
        lines += [] if self.known is None else [foretold(self.known)]
        return "\n".join(lines)


def summed_up(
    twin: Twin, outcomes: Sequence[Outcome], rows: list[dict[str, Any]], path: Path, mark: str
) -> Simulated:
    """The summary of runs in their order."""
    found = Counter(outcome.status for outcome in outcomes)
    bad = Counter(outcome.reason for outcome in outcomes if outcome.status != "ok")
    good = [outcome for outcome in outcomes if outcome.status == "ok"]
    run_s = float(np.median([outcome.seconds for outcome in good])) if good else None
    ranges = {
        name: ranging(output, [outcome.outputs[name] for outcome in good])
        for name, output in twin.outputs.items()
    }
    counts = {status: found[status] for status in ORDER}
    return Simulated(path, twin.name, mark, rows, counts, bad.most_common(), run_s, ranges)


def ranging(output: Output, values: Sequence[Any]) -> str:
    """What an output was over all runs that told it."""
    if not values:
        return "told by no run"
    match output:
        case NumberOutput(unit=unit):
            shown = "" if unit == "1" else f" {unit}"
            low, middle, high = np.quantile(values, (0.0, 0.5, 1.0))
            return f"{low:.4g} to {high:.4g}{shown}, {middle:.4g} in the middle"
        case CategoryOutput():
            return _counted(Counter(values))
        case TextOutput():
            return f"{len(set(values))} different texts, such as {values[0]!r:.60}"
        case _:
            return _files(output, len(values))


def _files(output: Media, count: int) -> str:
    """How many files there are."""
    nouns = {"image": "pictures", "audio": "recordings", "series": "series"}
    return f"{count} {nouns[output.type]}"


def _counted(found: Mapping[str, int]) -> str:
    """`good 150, bad 50`."""
    return ", ".join(f"{name} {count}" for name, count in found.items())


def foretold(known: Mapping[str, Any]) -> str:
    """How well each run is foretold from all others, in a sentence."""
    if known["surrogate"] is None:
        return "Too few runs were ok to learn from, so that all of them are spread by Sobol."
    r2 = {name: figures["r2"] for name, figures in known["scores"].items()}
    said = ", ".join(f"{n} {'-' if v is None else format(v, '.3f')}" for n, v in r2.items())
    by = known["surrogate"].replace("gaussian", "Gaussian")
    return f"Each run foretold from all others by a {by}, R2: {said}."


def runs(count: int) -> str:
    """`1 run`, `2 runs`."""
    return "1 run" if count == 1 else f"{count} runs"


def brief_s(seconds: float) -> str:
    """Seconds, or milliseconds where they are few."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
