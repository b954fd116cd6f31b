"""What a twin is: variables, hidden parameters, outputs, a simulator and the limits of its runs."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from modalloy.job.group import Options
from modalloy.twin.outputs import Output
from modalloy.twin.variables import Hidden, Variable


class PythonSimulator(Options):
    """A Python function `simulate(values, *, seed, folder)` that returns every output by name."""

    type: Literal["python"] = "python"
    use: str
    """`MODULE:FUNCTION` of what is installed, or `FILE.py:FUNCTION` of a file beside the twin."""

    @field_validator("use")
    @classmethod
    def _two_parts(cls, use: str) -> str:
        place, colon, function = use.rpartition(":")
        if not colon or not place or not function.isidentifier():
            raise ValueError(f"must be FILE.py:FUNCTION or MODULE:FUNCTION. Got '{use}'")
        return use


class CommandSimulator(Options):
    """Any program."""

    type: Literal["command"] = "command"
    run: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program and its arguments."""
    exchange: Literal["json", "files"] = "json"
    """`json`: values on its standard input, outputs on its standard output; `files`: `input.json`
    and `output.json` in a fresh folder, which is named as its last argument."""
    folder: Path = Path()
    """Where it is started; beside the twin where it is left out."""

    @field_validator("run")
    @classmethod
    def _no_blank(cls, run: tuple[str, ...]) -> tuple[str, ...]:
        if not run[0].strip():
            raise ValueError("must begin with a program")
        return run


class FmuSimulator(Options):
    """A functional mock-up unit (FMI 2 or 3, co-simulation), by its own names of variables."""

    type: Literal["fmu"] = "fmu"
    file: Path
    """The FMU."""
    stop_time_s: PositiveFloat
    """Simulated seconds of one run."""
    step_s: PositiveFloat = 0.01
    """Simulated seconds between two exchanges with it."""
    at: Literal["last", "mean", "min", "max"] = "last"
    """Which of an output's values over the run is told; `mean` over time."""


class NoSimulator(Options):
    """Nothing that could be run: rows come from experiments alone."""

    type: Literal["none"] = "none"


Simulator = Annotated[
    PythonSimulator | CommandSimulator | FmuSimulator | NoSimulator, Field(discriminator="type")
]


class Limits(Options):
    """What one run may take, and how long a process that runs them lives."""

    seconds: PositiveFloat = 60.0
    """Of one run; it is then ended, and told as `timed out`."""
    memory_mb: PositiveFloat = 2048.0
    """Of the process of a run; it is then ended, and told as `out of memory`."""
    runs_per_process: PositiveInt = 200
    """After so many runs a process is replaced, so that what a simulator leaks is freed."""
    retries: NonNegativeInt = 1
    """Further tries of a run that crashed, each with another seed."""


class Twin(Options):
    """A thing or a process that can be simulated."""

    name: str
    """What it is called."""
    variables: dict[str, Variable]
    """What a designer or operator sets, by name."""
    hidden: dict[str, Hidden] = Field(default_factory=dict)
    """What acts but can be neither set nor seen, by name."""
    outputs: dict[str, Output]
    """What a run tells, by name."""
    simulator: Simulator
    """What turns values into outputs."""
    limits: Limits = Limits()
    """Of time and memory."""
    seed: NonNegativeInt = 0
    """Of plans and of all that is random in runs, where none is given."""

    @field_validator("variables", "outputs")
    @classmethod
    def _some(cls, named: dict[str, object]) -> dict[str, object]:
        if not named:
            raise ValueError("needs one at least")
        return named
