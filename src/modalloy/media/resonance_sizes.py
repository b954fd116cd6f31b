"""How finely resonances are looked for, and what counts as one; shared with whatever finds them
without torch.
"""

FACTS = 3  # of a resonance: logarithm of its frequency, level and sharpness
HALF = 0.5  # of the loudest sample: the first one as loud is the stroke
LONGEST = 32_768  # samples after the stroke that are looked at
PERIODS = 4.0  # that what is looked at must hold of a resonance
NARROWEST = 4  # lines to either side over which a peak may have to stand out,
WIDEST = 32  # and the part of all lines that is the most
STANDS = 6.0  # dB that the spectrum falls to either side
DEPTH = 40.0  # dB below the strongest line at most
NOISE = 15.0  # dB above the mean of all lines at least
FLOOR = 1e-8  # share of the strongest line's power below which nothing is told apart
SILENT = 1e-9  # power of the strongest line below which nothing sounds
REFERENCE_HZ = 1000.0  # whose logarithm is 0
BEND = 8.685889638  # dB, 20 / ln 10: of the top of a resonance whose power is halved a line aside


def lines_for(length: int) -> int:
    """Samples of the transform for recordings of at most this length: a power of two."""
    looked_at = min(max(length, 128), LONGEST)
    return 2 << (looked_at - 1).bit_length()


def reaches(samples: int) -> list[int]:
    """How many lines to either side a peak is looked at over, narrowest first; each twice as many
    as the one before.
    """
    found = [NARROWEST]
    while 2 * found[-1] <= samples // 2 // WIDEST:
        found.append(2 * found[-1])
    return found
