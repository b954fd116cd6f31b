"""What is asked of a search for designs: options of a design file."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from modalloy.answer.conformal import fewest
from modalloy.job.group import Options

Surrogate = Literal["auto", "gaussian process", "deep ensemble"]
SPARE = 2  # times as many rows as a margin needs: some runs fail
SHARE_PLANNED = 0.3  # of the budget that the plan takes where nothing is said


class Design(Options):
    """Which designs of a twin are sought, how sure they must be, and how many runs it may take."""

    twin: str | None = None
    """The twin: its file, or `bracket` or `weld`."""
    run: str | None = None
    """A run that `train` wrote: it stands in for the simulator in place of a surrogate that is
    fitted to the runs. Without a twin nothing is run: designs lie between the values that it has
    learned from, and what is proposed is to be tried next."""
    minimise: tuple[str, ...] = ()
    """Outputs or variables that should be small."""
    maximise: tuple[str, ...] = ()
    """Outputs or variables that should be large."""
    such_that: tuple[str, ...] = ()
    """What every design must keep, as in `deflection <= 0.6 mm`."""
    confidence: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.95
    """How probable it must be that a proposed design keeps all of it."""
    set: dict[str, float | str] = Field(default_factory=dict)
    """Variables that stay as they are, as in `{material: steel}`."""
    rows: str | None = None
    """A table of experiments in place of runs, with a column for each variable and each output that
    is asked about: nothing is run, and what is proposed is to be tried next."""
    plan: Literal["latin", "sobol"] = "sobol"
    """How the first designs are spread: a Latin hypercube, or a Sobol sequence."""
    planned: PositiveInt | Literal["auto"] = "auto"
    """How many first designs; `auto` takes three tenths of the budget, and twice what
    a margin needs."""
    budget: PositiveInt = 400
    """Runs of the simulator in all, those that verify proposals among them."""
    batch: PositiveInt = 20
    """Designs proposed at once, before the model learns from what became of them."""
    proposals: PositiveInt = 20
    """Designs proposed in the end, each verified by a run of its own."""
    hidden: Literal["drawn", "default"] = "drawn"
    """What the twin's hidden parameters are in each run: drawn, so that a design has to bear what
    cannot be set, or as they usually are."""
    surrogate: Surrogate = "auto"
    """What stands in for the simulator: Gaussian processes, or an ensemble of networks; `auto`
    takes the one that foretells rows better that it has not learned from."""
    seed: NonNegativeInt = 0
    """Of all that is random."""

    @model_validator(mode="after")
    def _something_is_asked(self) -> "Design":
        if self.twin is None and self.run is None:
            raise ValueError("says no twin and no run; give one, such as twin: bracket")
        if self.run is not None and self.surrogate != "auto":
            raise ValueError(
                f"asks for a {self.surrogate} and for a run to stand in; leave out surrogate or run"
            )
        if self.twin is None and self.rows is not None:
            raise ValueError(
                "gives rows beside a run, which has rows of its own; leave out rows, or give a twin"
            )
        if not (self.minimise or self.maximise or self.such_that):
            raise ValueError(
                "says nothing to seek; give minimise or maximise with an output, or such_that with "
                "a constraint such as 'deflection <= 0.6 mm'"
            )
        if both := sorted({*self.minimise} & {*self.maximise}):
            raise ValueError(f"asks to minimise and to maximise {', '.join(both)}")
        if len(goals := [*self.minimise, *self.maximise]) > len({*goals}):
            raise ValueError(f"asks for the same twice: {', '.join(goals)}")
        if not self.untried and self.first + self.proposals > self.budget:
            raise ValueError(
                f"budget: {self.budget} runs cannot hold {self.first} planned and "
                f"{self.proposals} proposed designs; raise it, or lower planned or proposals"
            )
        needed = fewest(self.confidence)
        if not self.untried and self.such_that and self.first < needed:
            raise ValueError(
                f"planned: a margin for {self.confidence:.1%} needs {needed} runs before the first "
                f"proposal, and {self.first} are planned; raise planned or budget, or ask for less "
                "confidence"
            )
        return self

    @property
    def untried(self) -> bool:
        """Whether nothing is run: what is proposed is for people to try."""
        return self.rows is not None or self.twin is None

    @property
    def first(self) -> int:
        """How many designs are planned."""
        if self.planned != "auto":
            return self.planned
        enough = max(round(SHARE_PLANNED * self.budget), SPARE * fewest(self.confidence))
        return max(1, min(enough, self.budget - self.proposals))
