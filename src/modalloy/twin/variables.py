"""What a designer or operator sets, and what acts unseen: kinds of variables with their bounds."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from modalloy.job.group import Options
from modalloy.twin.expressions import Expression


class Continuous(Options):
    """A number anywhere between two bounds."""

    type: Literal["continuous"] = "continuous"
    low: float
    """Smallest value that may be set."""
    high: float
    """Largest value that may be set."""
    unit: str | None = None
    """Physical unit."""
    log: bool = False
    """Sampled and modelled by its logarithm: for variables over several magnitudes."""

    @model_validator(mode="after")
    def _bounds(self) -> "Continuous":
        rising(self.low, self.high)
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 with log: true. Got {self.low:g}")
        return self


class Integer(Options):
    """A whole number between two bounds, both included."""

    type: Literal["integer"] = "integer"
    low: int
    """Smallest value that may be set."""
    high: int
    """Largest value that may be set."""
    unit: str | None = None
    """Physical unit."""

    @model_validator(mode="after")
    def _bounds(self) -> "Integer":
        rising(self.low, self.high)
        return self


class Ordinal(Options):
    """One of some values in an order, as tubes are sold in."""

    type: Literal["ordinal"] = "ordinal"
    levels: tuple[float | str, ...]
    """The values that may be set, in their order; all numbers or all words."""
    unit: str | None = None
    """Physical unit."""

    @field_validator("levels")
    @classmethod
    def _levels(cls, levels: tuple[float | str, ...]) -> tuple[float | str, ...]:
        several(levels, "level")
        if len({isinstance(level, str) for level in levels}) > 1:
            raise ValueError("mixes numbers and words; write all levels alike")
        return levels


class Categorical(Options):
    """One of some names in no order."""

    type: Literal["categorical"] = "categorical"
    choices: tuple[str, ...]
    """The names that may be set."""

    @field_validator("choices")
    @classmethod
    def _choices(cls, choices: tuple[str, ...]) -> tuple[str, ...]:
        several(choices, "choice")
        return choices


class Linked(Options):
    """A number that follows from other variables."""

    type: Literal["linked"] = "linked"
    is_: str = Field(alias="is")
    """Arithmetic on other variables, as in "wall_5 * 1.2"; + - * / ** ( ), min, max, sqrt, abs,
    sin, cos, tan, exp and log."""
    unit: str | None = None
    """Physical unit."""

    @field_validator("is_")
    @classmethod
    def _formula(cls, text: str) -> str:
        Expression.parse(text)
        return text

    @property
    def formula(self) -> Expression:
        """The arithmetic."""
        return Expression.parse(self.is_)


class Hidden(Options):
    """What acts on a run but can be neither set nor seen, as the wear of a tool."""

    type: Literal["continuous"] = "continuous"
    low: float
    """Smallest value that it takes."""
    high: float
    """Largest value that it takes."""
    unit: str | None = None
    """Physical unit."""
    default: float | None = None
    """Its value where it is not drawn; the middle between low and high where it is left out."""
    deviation: PositiveFloat | None = None
    """Drawn normally with this deviation around its default, inside its bounds; uniformly between
    them where it is left out."""

    @model_validator(mode="after")
    def _bounds(self) -> "Hidden":
        rising(self.low, self.high)
        if self.default is not None and not self.low <= self.default <= self.high:
            raise ValueError(
                f"default must lie from low {self.low:g} to high {self.high:g}. "
                f"Got {self.default:g}"
            )
        return self

    @property
    def usual(self) -> float:
        """Its value where it is not drawn."""
        return (self.low + self.high) / 2 if self.default is None else self.default


Free = Continuous | Integer | Ordinal | Categorical
Variable = Annotated[
    Continuous | Integer | Ordinal | Categorical | Linked, Field(discriminator="type")
]


def worded(variable: Variable) -> bool:
    """Whether its levels are words, which have an order but no size."""
    return isinstance(variable, Ordinal) and isinstance(variable.levels[0], str)


def rising(low: float, high: float) -> None:
    """ValueError where low is not below high."""
    if not low < high:
        raise ValueError(f"low must be below high. Got low {low:g} and high {high:g}")


def several(values: tuple[float | str, ...], noun: str) -> None:
    """ValueError where there are not two different values at least, or one stands twice."""
    if len(values) < 2:
        raise ValueError(
            f"needs two {noun}s at least; what has only one never varies and can be left out"
        )
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        shown = twice[0] if isinstance(twice[0], str) else f"{twice[0]:g}"
        raise ValueError(f"lists '{shown}' twice; keep one")
