"""A sound at another rate: a low-pass and a step through the samples, as one filter for each place
between two of them.
"""

import numpy as np

CROSSINGS = 10  # of zero on each side of the filter, at the lower of the two rates
BETA = 5.0  # of its Kaiser window


def polyphase(x_L: np.ndarray, up: int, down: int) -> np.ndarray:
    """`up / down` times as many samples, (ceil(L * up / down),) float32; beyond the ends is 0.

    A windowed sinc (Kaiser, beta 5) of ten crossings of zero on each side, whose `up` shifted
    copies are each applied to the samples alone that they fall on (Vaidyanathan 1990); the answer
    is that of `scipy.signal.resample_poly`.
    """
    shared = np.gcd(up, down)
    up, down = up // shared, down // shared
    half = CROSSINGS * max(up, down)
    taps_T = low_pass(half, 1.0 / max(up, down)) * up
    count = -(-len(x_L) * up // down)
    width = (len(taps_T) - 1) // up + 1
    # Taps of one shift in reverse order: they meet samples in the order of time.
    shifts_UW = np.pad(taps_T, (0, width * up - len(taps_T))).reshape(width, up).T[:, ::-1]
    last = ((count - 1) * down + half) // up  # the newest sample that any answer looks at
    ends = (width - 1, max(0, last + 1 - len(x_L)))
    windows_NW = np.lib.stride_tricks.sliding_window_view(np.pad(x_L, ends), width)
    out_M = np.empty(count, np.float32)
    for first in range(min(up, count)):
        newest, shift = divmod(first * down + half, up)
        some = len(out_M[first::up])
        seen_KW = windows_NW[newest::down][:some]
        out_M[first::up] = seen_KW @ np.ascontiguousarray(shifts_UW[shift])
    return out_M


def low_pass(half: int, cutoff: float) -> np.ndarray:
    """A windowed sinc of `2 * half + 1` taps that sum to 1. cutoff: as a share of half the rate."""
    time_T = np.arange(-half, half + 1)
    taps_T = cutoff * np.sinc(cutoff * time_T) * np.kaiser(len(time_T), BETA)
    return (taps_T / taps_T.sum()).astype(np.float32)
