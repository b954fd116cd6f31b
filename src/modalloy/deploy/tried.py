"""What is found out of one candidate, and the row that reports show of it."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from modalloy.deploy.guard import Judged
from modalloy.errors import ModalloyError
from modalloy.machine.bursts import Ratio

Verdict = Literal["reference", "compared", "chosen", "passed", "slower", "refused", "failed"]
REFERENCE = "torch f32 eager"


@dataclass(frozen=True)
class Speed:
    """How fast a candidate is with one row (`one`) and with 16 (`many`).

    ratios: how many times as fast as the reference beside it. ms: median of a call; p99: of single
    rows. peak: part of this machine's products a second that many rows reach, peak_of: of which
    number type: float32's where the candidate's own could not be measured.
    """

    one: Ratio
    many: Ratio
    ms_one: float
    p99_one: float
    ms_many: float
    rows_a_second: float
    peak: float | None = None
    peak_of: str = ""


@dataclass(frozen=True)
class Tried:
    """A candidate of one graph, and what became of it.

    files: in their order; empty where a bundle cannot hold it, and once it can no longer be chosen,
    see `dropped`. size: bytes of files that were dropped. build_s: seconds of its building.
    verdict, why: what was decided, in words. said: what is to be known of it besides.
    """

    branch: str
    label: str
    verdict: Verdict
    why: str = ""
    files: tuple[bytes, ...] = ()
    speed: Speed | None = None
    judged: Judged | None = None
    build_s: float = 0.0
    said: str = ""
    candidate: Any = None
    size: int = 0

    @property
    def megabytes(self) -> float:
        """Of its files."""
        return (sum(map(len, self.files)) or self.size) / 1e6

    def dropped(self) -> Self:
        """The same without its files, of which only the size is told any more."""
        return replace(self, files=(), size=sum(map(len, self.files)) or self.size)

    def now(self, verdict: Verdict, why: str = "") -> Self:
        """The same with another verdict."""
        return replace(self, verdict=verdict, why=why)

    def state(self) -> dict[str, Any]:
        """The row as JSON."""
        speed = None
        if self.speed is not None:
            speed = {
                "x_one": list(self.speed.one),
                "x_many": list(self.speed.many),
                "ms_one": self.speed.ms_one,
                "p99_ms_one": self.speed.p99_one,
                "ms_many": self.speed.ms_many,
                "rows_a_second": self.speed.rows_a_second,
                "share_of_peak": self.speed.peak,
                "peak_of": self.speed.peak_of or None,
            }
        return {
            "branch": self.branch or "fusion and heads",
            "candidate": self.label,
            "verdict": self.verdict,
            "why": self.why,
            "speed": speed,
            "megabytes": self.megabytes or None,
            "guard": None if self.judged is None else self.judged.state(),
            "build_seconds": self.build_s,
            "said": self.said,
        }


def failed(tried: Tried, error: Exception) -> Tried:
    """A candidate at which something was raised, whatever it was."""
    said = "" if isinstance(error, ModalloyError) else f"{type(error).__name__}: "
    return tried.now("failed", f"{said}{error}")
