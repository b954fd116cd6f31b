"""What a calibration found: hidden parameters with their uncertainty, in numbers and in words."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from modalloy.twin.twin import Twin

Told = Literal["alone", "together", "not"]


@dataclass(frozen=True)
class HiddenEstimate:
    """One hidden parameter, in its unit. before: its default until now. low, high: its interval.
    deviation: of its mean, as rows leave it. told: `alone`; `together`, where only its combination
    with others is; or `not`, and it stays as it was. written: the deviation of a next part, as the
    calibrated twin has it, None where none is written. spread: deviation between parts, with its
    interval. at_bound: it stops at low or high.
    """

    name: str
    unit: str | None
    before: float
    estimate: float
    low: float
    high: float
    deviation: float
    told: Told
    written: float | None
    spread: float
    spread_low: float
    spread_high: float
    at_bound: bool


@dataclass(frozen=True)
class OutputFit:
    """One output, in its unit. cells: that were compared. noise: deviation that neither settings
    nor hidden parameters explain. explained: share of the rows' variance that the twin explains at
    the estimate, for all parts alike. bias: mean of plant minus twin.
    """

    name: str
    unit: str
    cells: int
    noise: float
    explained: float
    bias: float


@dataclass(frozen=True)
class CalibratedTwin:
    """A twin with the hidden parameters that rows tell of.

    hidden, outputs: what was found. correlation: of each pair of hidden parameters. findings: what
    rows do not tell, and where the twin misfits. notes: which rows were used. runs: of the
    simulator. path: where the twin is written.
    """

    twin: Twin
    source: str
    rows: int
    parts: int
    runs: int
    confidence: float
    hidden: tuple[HiddenEstimate, ...]
    outputs: tuple[OutputFit, ...]
    correlation: tuple[tuple[float, ...], ...]
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    path: Path | None = None

    def text(self) -> str:
        """For the terminal: a line a parameter, a line an output, then the findings."""
        parts = "" if self.parts == self.rows else f" of {self.parts} parts"
        lines = [f"{self.twin.name}: calibrated to {self.rows} rows{parts}, {self.source}."]
        lines += [self._hidden(one) for one in self.hidden]
        lines += [
            f"  {one.name}: the twin explains {max(one.explained, 0.0):.0%} of it; noise "
            f"{quantity(one.noise, one.unit)}, plant minus twin {quantity(one.bias, one.unit)}"
            for one in self.outputs
        ]
        lines += [f"- {sentence}" for sentence in (*self.findings, *self.notes)]
        return "\n".join(lines)

    def _hidden(self, one: HiddenEstimate) -> str:
        """One parameter on a line."""
        if one.told == "not":
            return f"  {one.name}: not told by these rows; {quantity(one.before, one.unit)} stays"
        if one.told == "together":
            fits = quantity(one.estimate, one.unit)
            return f"  {one.name}: {fits} fits, with the others (was {one.before:.4g})"
        line = (
            f"  {one.name}: {quantity(one.estimate, one.unit)}, {self.confidence:.0%} from "
            f"{one.low:.4g} to {one.high:.4g} (was {one.before:.4g})"
        )
        if one.spread_high == 0.0:
            return line
        return (
            f"{line}; between parts {quantity(one.spread, one.unit)}, from {one.spread_low:.3g} "
            f"to {one.spread_high:.3g}"
        )

    def as_json(self) -> bytes:
        """Everything that was found, for machines."""
        kept = {k: v for k, v in asdict(self).items() if k not in ("twin", "path")}
        return json.dumps({"twin": self.twin.name, **kept}, indent=1).encode() + b"\n"


def quantity(value: float, unit: str | None) -> str:
    """`0.12 mm`."""
    return f"{value:.4g}" if unit in (None, "1") else f"{value:.4g} {unit}"
