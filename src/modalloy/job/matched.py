"""How sites that know the same parts learn together, each from its own columns: options of
`federate.matched`."""

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from modalloy.job.group import Options


class Matched(Options):
    """Split training: rows are matched by an id, each site encodes its own columns, and summaries
    of rows travel in place of cells."""

    by: str
    """The column, at every site, whose value names the part. It travels only as a hash, made with
    the key in the environment's MODALLOY_SITE_KEY, which sites share and the server does not know.
    """
    fewest: PositiveInt = 50
    """Parts that all sites must have in common."""
    epochs: PositiveInt | None = None
    """Passes over the training rows at most; as `train.epochs` says where it is left out."""
    clip: PositiveFloat | None = None
    """Length that no row's summary, all inputs of the site together, exceeds when it travels."""
    noise: NonNegativeFloat = 0.0
    """Deviation of the Gaussian noise on each number of a summary that travels, in units of `clip`.
    """

    @model_validator(mode="after")
    def _noise_has_a_unit(self) -> "Matched":
        if self.noise and self.clip is None:
            raise ValueError(
                "noise is in units of clip; say how long a row's summary may be, as in clip: 4"
            )
        return self
