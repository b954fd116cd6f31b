"""What a tap tells of brackets whose walls are not as ordered: of one design, and of many."""

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from bench.bracket.search import Variables
from modalloy.twin.bracket import bracket
from modalloy.twin.bracket.bracket import Behaviour, Design
from modalloy.twin.bracket.simulator import sound_of
from modalloy.twin.bracket.tap import RATE_HZ

SCATTER, MOST = 0.08, 0.25  # of walls, as bracket.yaml has it
FINE = 16_384  # points of the transform: peaks are read between its natural steps
HEARD_HZ = (120.0, 1000.0)  # where the lowest mode of a bracket lies
STRONG = 0.1  # of the largest peak there


class Made(NamedTuple):
    """Brackets as they were made. x_ND: the numbers they were ordered by, sizes as logarithms.
    y_N: logarithm of deflection. heard_hz_N: the lowest peak of the tap."""

    x_ND: np.ndarray
    y_N: np.ndarray
    heard_hz_N: np.ndarray


def copies(own: Variables, draw: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of deflection, (C,), and of the frequencies, (C, K), of copies of a steel design
    that is drawn: all that differs is how thick walls became."""
    u_D = buildable(own, draw)
    found = [behave(own, u_D, draw)[1] for _ in range(count)]
    deflection_C = np.log([b.deflection_mm for b in found])
    return deflection_C, np.log([b.modes.frequency_hz_K for b in found])


def of_copies(y_C: np.ndarray, x_CK: np.ndarray) -> tuple[float, float, float]:
    """What is left unexplained with no frequency, with the lowest, and with all."""
    return unexplained(y_C, x_CK[:, :0]), unexplained(y_C, x_CK[:, :1]), unexplained(y_C, x_CK)


def unexplained(y_C: np.ndarray, x_CK: np.ndarray) -> float:
    """Deviation that a linear fit to the first half of copies leaves in the second."""
    with_one = np.column_stack([np.ones(len(y_C)), x_CK])
    half = len(y_C) // 2
    weight_K = np.linalg.lstsq(with_one[:half], y_C[:half], rcond=None)[0]
    return float(np.std(y_C[half:] - with_one[half:] @ weight_K))


def made(own: Variables, seed: int, count: int) -> Made:
    """Steel brackets, each of another design, struck once."""
    draw = np.random.default_rng(seed)
    x, y, heard_hz = [], [], []
    for n in range(count):
        u_D = buildable(own, draw)
        of, found = behave(own, u_D, draw)
        ordered = own.low_D + (own.high_D - own.low_D) * u_D
        x.append(np.concatenate([ordered[:4], np.log(ordered[4:])]))
        y.append(np.log(found.deflection_mm))
        heard_hz.append(lowest_peak_hz(sound_of(of, found, seed=n)))
    return Made(np.array(x), np.array(y), np.array(heard_hz))


def learned(found: Made, training: int) -> tuple[float, float]:
    """Error of the logarithm of deflection on the later rows, of a quadratic ridge regression:
    by the numbers alone, and with the lowest peak."""
    with_sound = np.column_stack([found.x_ND, np.log(found.heard_hz_N)])
    return error(found.x_ND, found.y_N, training), error(with_sound, found.y_N, training)


def error(x_ND: np.ndarray, y_N: np.ndarray, training: int) -> float:
    """Root mean square on the rows after the first `training`."""
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(2), StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))
    )
    model.fit(x_ND[:training], y_N[:training])
    return float(np.sqrt(np.mean((model.predict(x_ND[training:]) - y_N[training:]) ** 2)))


def lowest_peak_hz(wave_L: np.ndarray) -> float:
    """The lowest strong peak of a recording."""
    power = np.abs(np.fft.rfft(wave_L * np.hanning(len(wave_L)), FINE))
    hz = np.arange(len(power)) * RATE_HZ / FINE
    within = (hz > HEARD_HZ[0]) & (hz < HEARD_HZ[1])
    power, hz = power[within], hz[within]
    top = (power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:])
    top &= power[1:-1] >= STRONG * power.max()
    return float(hz[1:-1][top][0]) if top.any() else float(hz[np.argmax(power)])


def buildable(own: Variables, draw: np.random.Generator) -> np.ndarray:
    """A design that can be built, (D,)."""
    while True:
        u_D = draw.random(len(own.names))
        try:
            bracket.design(own.values(u_D, "steel"))
        except ValueError:
            continue
        return u_D


def behave(own: Variables, u_D: np.ndarray, draw: np.random.Generator) -> tuple[Design, Behaviour]:
    """A copy in steel, its walls drawn."""
    drawn_M = np.clip(draw.normal(0.0, SCATTER, bracket.MEMBERS), -MOST, MOST)
    of = bracket.design(own.values(u_D, "steel", drawn_M.tolist()))
    return of, bracket.behaviour(of)
