"""How learning keeps rows private: options of differential privacy."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from modalloy.job.group import Options


class Private(Options):
    """Learning of which no single row, or no group of rows, can be told from the weights:
    differential privacy by clipped and noised gradients (DP-SGD, Abadi et al. 2016, 1607.00133).
    What it protects, and what it does not, stands in docs/privacy.md."""

    epsilon: PositiveFloat = 8.0
    """What whoever sees every change of the weights may learn of one unit, at most: a smaller one
    promises more and costs more of the score. Articles on fine-tuning take 3 to 8; 1 is strong."""
    delta: Annotated[float, Field(gt=0.0, lt=0.1)] | Literal["auto"] = "auto"
    """Chance that the promise does not hold. `auto` takes a tenth of one over the number of units,
    at most 1e-5."""
    clip: PositiveFloat = 1.0
    """Longest gradient of one unit; longer ones are shortened to it, and the noise is as many times
    as long as epsilon asks for."""
    lr: PositiveFloat = 0.5
    """Highest learning rate of what starts from nothing, by SGD with momentum 0.9. AdamW goes as
    far for weights that nothing pulls at, which is noise."""
    encoder_lr: PositiveFloat | None = None
    """The same inside pretrained encoders, adapters among them; a tenth of `lr` where it is left
    out."""
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.25
    """Share of the units that a step draws on average, each by its own chance. Large shares and
    few steps cost least of the score."""
    unit: str = "row"
    """What is protected: `row`, or the name of a column, all rows of one value of which - a
    customer, a machine - are protected together."""
    accountant: Literal["rdp", "prv"] = "rdp"
    """How the noise is reckoned: by Renyi divergences (`rdp`, Mironov et al. 2019, 1908.10530), or
    by the privacy loss itself (`prv`, Gopi et al. 2021, 2106.02848), which asks for some percent
    less of it and needs opacus."""
