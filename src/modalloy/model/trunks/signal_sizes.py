"""How long frames of signals are and how finely their features look; shared with whatever computes
these without torch.
"""

STATISTICS = 12  # of each channel
TRENDS = 5  # the first of them
RECENT = 4  # the last quarter of a row is looked at alone
CHANCE = 100  # samples from which a shape is half believed
GAUSSIAN = 1.0986  # log of the kurtosis of Gaussian noise, 3
FINE = 1024  # samples of the spectrum's frames at most
BANDS = 96  # of the spectrum, from 0 Hz to half the sampling rate
CELLS = 160  # of the envelope spectrum, and of an order spectrum
TOP_HZ = 500.0  # of the envelope spectrum: bearing and gear faults repeat below
TOP_ORDER = 20.0  # turns of the shaft
SEGMENT = 16_384  # samples of the longest frame of Welch's method
OCTAVES = 5  # band-passes below half the sampling rate in which the envelope is taken
WIDTH = 21  # cells over which a line must stand out
FLOOR = 1e-3  # share of the mean power below which nothing is told apart


def bands(segment: int) -> int:
    """Number of bands of the spectrum."""
    return min(BANDS, min(segment, FINE) // 4)


def segment_for(length: int) -> int:
    """Samples of a frame for rows of at most this length: a power of two, 32 to `SEGMENT`."""
    return min(max(1 << (length - 1).bit_length(), 32), SEGMENT)


def points_a_cell(density: float, top: float) -> int:
    """How many points of each of `CELLS` equal cells up to `top` are looked at.

    density: resolution of the spectrum in points for one unit.
    """
    return min(max(round(top / CELLS * density), 1), 8)
