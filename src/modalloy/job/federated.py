"""How sites learn one model together without showing each other a row: options of `federate`."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from modalloy.job.group import Options
from modalloy.job.matched import Matched
from modalloy.job.private import Private

Rule = Literal["mean", "median", "trimmed_mean", "krum"]
Part = Literal["heads", "norms"]
Bundled = Literal["none", "export", "compress"]


class SiteColumn(Options):
    """How a site's own column becomes the job's."""

    name: str | None = None
    """Its name in the site's table, where it is another one."""
    times: PositiveFloat = 1.0
    """What its numbers are multiplied by, as in 0.001 from N to kN."""
    plus: float = 0.0
    """What is added after that."""


class Federate(Options):
    """How sites learn one model together; their rows stay with them, what they learned travels."""

    rounds: PositiveInt = 20
    """Times that sites learn from their rows and hand in what changed."""
    epochs: PositiveFloat | Literal["auto"] = "auto"
    """Passes of a site over its own training rows in a round; 0.5 is half of them. `auto`: over all
    rounds as many as `train.epochs` says for its rows."""
    rule: Rule = "mean"
    """How changes of a round become one. `mean`: by rows (FedAvg, McMahan et al. 2017,
    1602.05629). `median` and `trimmed_mean` of each weight (Yin et al. 2018, 1803.01498) and
    `krum`, the mean of the changes nearest to most others (Blanchard et al. 2017, 1703.02757), bear
    sites that send something wrong; the first two count every site alike."""
    trim: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.2
    """Share of the sites that `trimmed_mean` leaves out at either end of each weight, and that
    `krum` takes to be wrong; one site at least."""
    server: Literal["plain", "adam", "yogi"] = "plain"
    """How the model goes where the changes say: as far as they do, or by an optimiser of its own
    (FedAdam, FedYogi; Reddi et al. 2021, 2003.00295)."""
    server_lr: PositiveFloat = 1.0
    """What that change is multiplied by; of `adam` and `yogi` the step of a weight, in hundredths.
    """
    proximal: NonNegativeFloat = 0.0
    """Pull back to the round's model while a site learns (FedProx, Li et al. 2020, 1812.06127)."""
    controls: bool = False
    """Correct each site's gradients by how they differ from those of all (SCAFFOLD, Karimireddy et
    al. 2020, 1910.06378); twice the bytes."""
    sites: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the sites that are asked in a round, drawn anew each time."""
    deadline_s: PositiveFloat | None = None
    """Seconds after which a round goes on without the sites that have not answered. What comes
    later counts in the round in which it comes, less by its age."""
    staleness: NonNegativeFloat = 0.5
    """How much less: an answer that is so many rounds old counts (1 + rounds) ** -staleness."""
    keep: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the numbers of a change that is sent, the largest ones; the others wait at the site
    and are added to its next change (error feedback, Stich et al. 2018, 1809.07599)."""
    bits: Literal[32, 16, 8, 4] = 32
    """Bits of a number that is sent."""
    upload: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the bytes of all encoders that a site sends in a round: those whose column its
    validation rows need most for their bytes, and that waited longest (after Yuan et al. 2024,
    2401.16685)."""
    personal: tuple[Part | str, ...] = ()
    """What stays at a site and is its own: `heads`, `norms`, or the encoder of a column by name."""
    private: Private | None = None
    """Learn under differential privacy at each site; no loss and no validation score is told, and
    the last round's model is kept."""
    secure: bool = False
    """Let the server learn the sum of the sites' changes and none of them (Bonawitz et al. 2017);
    of 3 to 20 sites, whole changes and the mean alone."""
    names: Literal["written", "hashed"] = "written"
    """How names of categories and classes travel before they are agreed on; `hashed` with the key
    in the environment's MODALLOY_SITE_KEY, which sites share and the server does not know."""
    fewest: PositiveInt = 5
    """Rows of a site that must have a name, or so many numbers, before anything is told of it."""
    columns: dict[str, dict[str, SiteColumn]] = {}
    """Where a site's table differs from the job: site, column of the job, and what it is there, as
    in `{B: {load: {name: load_N, times: 0.001}}}`."""
    bundle: Bundled = "none"
    """What each site makes of its run in the end, on its own machine: nothing, a bundle that
    answers as the run does, or the fastest one whose answers are as good."""
    compare: bool = True
    """Also train each site alone and, where all rows are here, all of them in one table."""
    matched: Matched | None = None
    """Sites know the same parts, and each has other columns of them: split training, in place of
    rounds."""
