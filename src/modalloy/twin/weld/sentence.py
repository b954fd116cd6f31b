"""What an operator writes of the weld: what can be seen and heard beside it, in changing words."""

import numpy as np

from modalloy.twin.weld.keyhole import Beam, Keyhole

Words = tuple[str, ...]

SEAM: dict[str, Words] = {
    "none": ("Dull seam, hardly any glow.", "Seam looks dull and flat.", "Quiet, matt seam."),
    "some": ("Even seam, steady glow.", "Seam smooth and regular.", "Nothing unusual at the seam."),
    "much": ("Bright seam with spatter.", "Spatter on both sides.", "Loud, sparks all along."),
}
DIRTY: Words = ("Lens looks dirty.", "Cover glass dim, wipe it.", "Deposit on the lens.")
CLEAN: Words = ("Lens clean.", "Cover glass fine.")
WARM: Words = ("Plate still hot from before.", "Plate came in warm.")
OTHER: Words = ("Gas bottle changed.", "New batch on the table.", "Clamp tightened.")
MUCH = 1.2  # excess of power density from which on metal is thrown out
MIST = 0.3  # deviation of what an eye makes of that excess
CLEAR = 0.58  # absorptivity at which nobody calls the lens dirty
DIM = 0.36  # and at which half of all notes do
WARM_C = 120.0


def sentence_of(beam: Beam, keyhole: Keyhole, draw: np.random.Generator) -> str:
    """A note of one to four short sentences; the same seed writes the same.

    Of the seam by the excess of power density, misjudged now and then. Of the lens sometimes, the
    likelier dirty the less the metal absorbs, whatever the reason. Of a warm plate, and now and
    then of something that has nothing to do with the weld.
    """
    chance_C = draw.random(4)
    judged = keyhole.excess + MIST * draw.standard_normal()
    seam = "none" if judged <= 0.0 else "much" if judged > MUCH else "some"
    said = [one_of(SEAM[seam], draw)]
    if chance_C[0] < dirty_chance(beam.absorptivity):
        said.append(one_of(DIRTY, draw))
    elif chance_C[1] < 0.1:
        said.append(one_of(CLEAN, draw))
    if beam.plate_c > WARM_C and chance_C[2] < 0.5:
        said.append(one_of(WARM, draw))
    if chance_C[3] < 0.1:
        said.append(one_of(OTHER, draw))
    return " ".join(said)


def dirty_chance(absorptivity: float) -> float:
    """How likely a note calls the lens dirty: never from .58 on, half of the time at .36."""
    return min(max(0.5 * (CLEAR - absorptivity) / (CLEAR - DIM), 0.0), 0.9)


def one_of(words: Words, draw: np.random.Generator) -> str:
    """One of several wordings."""
    return words[int(draw.integers(len(words)))]
