"""Whether a stream has left its usual mean, to either side: cumulative sums (Page 1954)."""

from typing import NamedTuple

import numpy as np

SLACK = 0.25  # deviations: a shift of the mean by less than this adds nothing for long
CUT = 3.0  # deviations: what lies farther out counts as this, so that no single number is an alarm
RATE = 1000  # numbers, of which at most one is a false alarm
STREAMS = 400  # that are drawn to find a limit
LOOKS = 20  # limits that are tried at once
LARGEST = 64.0  # deviations


class Usual(NamedTuple):
    """A stream where nothing has changed. mean, deviation: of its numbers, in their unit. limit: of
    the sums, in deviations. count: numbers that all this was taken from. peak_S: the largest sum of
    clean streams, sorted; each as long as was asked."""

    mean: float
    deviation: float
    limit: float
    count: int
    peak_S: np.ndarray

    def standardised(self, x_N: np.ndarray) -> np.ndarray:
        """Numbers in deviations from the usual mean, cut at `CUT`."""
        return ((x_N - self.mean) / self.deviation).clip(-CUT, CUT)

    def chance(self, peak: float) -> float:
        """How often a clean stream's sum rises as high as this."""
        above = len(self.peak_S) - int(np.searchsorted(self.peak_S, peak))
        return (1.0 + above) / (1.0 + len(self.peak_S))


class Excursion(NamedTuple):
    """A sum from the number at which it left zero. noticed: at which it passed the limit. peak: its
    largest value, in deviations. side: 1 where numbers lie above the usual mean, -1 below."""

    began: int
    noticed: int
    peak: float
    side: int


def usual_of(x_N: np.ndarray, *, length: int, draw: np.random.Generator) -> Usual | None:
    """What a stream is like by numbers of it that are known to be clean; None where all are alike.

    The limit lets at most one false alarm through in `RATE` numbers, where a sum begins anew after
    each. It is found on streams drawn from the same numbers, whatever their law; every stream has a
    mean and deviation of numbers drawn anew, as this one's are not known better (the bootstrap of
    Gandy and Kvaløy 2013, here of the rate in the mean). length: of the streams that say how high a
    sum rises by chance.
    """
    mean, deviation = float(x_N.mean()), float(x_N.std(ddof=1)) if len(x_N) > 1 else 0.0
    if deviation <= 1e-12 * max(abs(mean), 1e-300):
        return None
    z_SN = clean_streams(x_N, max(length, RATE), draw)
    low, high = 0.0, LARGEST
    for _ in range(2):  # a coarse look, then a close one
        limit_G = np.linspace(low, high, LOOKS + 1)[1:]
        enough = alarms_each(z_SN[:, :RATE], limit_G) <= 1.0
        at = int(enough.argmax()) if enough.any() else LOOKS - 1
        low, high = (limit_G[at - 1] if at else low), float(limit_G[at])
    peak_S = np.sort(peaks(z_SN[:, :length]))
    return Usual(mean, deviation, high, len(x_N), peak_S)


def clean_streams(x_N: np.ndarray, length: int, draw: np.random.Generator) -> np.ndarray:
    """Streams of these numbers, each standardised by others of them, (S, length)."""
    again_SN = x_N[draw.integers(0, len(x_N), (STREAMS, len(x_N)))]
    mean_S1 = again_SN.mean(1, keepdims=True)
    deviation_S1 = again_SN.std(1, ddof=1, keepdims=True)
    usual_S1 = np.where(deviation_S1 > 0.0, deviation_S1, x_N.std(ddof=1))
    x_SL = x_N[draw.integers(0, len(x_N), (STREAMS, length))]
    return ((x_SL - mean_S1) / usual_S1).clip(-CUT, CUT)


def alarms_each(z_SN: np.ndarray, limit_G: np.ndarray) -> np.ndarray:
    """Alarms a stream in the mean by each limit, (G,); a stream's sums begin anew after each."""
    sum_2SG, count_G = np.zeros((2, len(z_SN), len(limit_G))), np.zeros(len(limit_G))
    for z_S in z_SN.T:
        sum_2SG = stepped(sum_2SG, z_S[:, None])
        over_SG = (sum_2SG > limit_G).any(0)
        if over_SG.any():
            count_G += over_SG.sum(0)
            sum_2SG[:, over_SG] = 0.0
    return count_G / len(z_SN)


def peaks(z_SN: np.ndarray) -> np.ndarray:
    """The largest sum of each stream, (S,)."""
    sum_2S, peak_S = np.zeros((2, len(z_SN))), np.zeros(len(z_SN))
    for z_S in z_SN.T:
        sum_2S = stepped(sum_2S, z_S)
        peak_S = np.maximum(peak_S, sum_2S.max(0))
    return peak_S


def stepped(sums: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Both sums after one number more: of what lies above, and of what lies below."""
    return np.maximum(sums + np.stack([z, -z]) - SLACK, 0.0)


def largest_excursion(z_N: np.ndarray, limit: float) -> Excursion | None:
    """The excursion whose sum rises highest, of those that pass the limit; None where none does.

    z_N: standardised. The sum's last zero before it is the usual estimate of when a change began
    (Page 1954). NaN changes nothing.
    """
    best: Excursion | None = None
    for side in (1, -1):
        total, began, noticed, peak = 0.0, 0, -1, 0.0
        for at, z in enumerate(np.nan_to_num(side * z_N, nan=SLACK)):
            if total <= 0.0:
                total, began, noticed, peak = 0.0, at, -1, 0.0
            total += z - SLACK
            if total > limit and noticed < 0:
                noticed = at
            peak = max(peak, total)
            if noticed >= 0 and (best is None or peak > best.peak):
                best = Excursion(began, noticed, float(peak), side)
    return best
