"""Numbers that are all so many times as large as they were: another unit, a lost decimal sign."""

import numpy as np

from modalloy.drift.sketch import Sketch

FACTORS = {
    1000.0: "1000", 100.0: "100", 10.0: "10", 60.0: "60", 3600.0: "3600", 25.4: "25.4", 2.20462:
    "2.2", 1.60934: "1.6", 4.44822: "4.4", 6.89476: "6.9", 1e6: "a million",
}  # fmt: skip
NEAR = 0.04  # how far the logarithm of the factor may be off, for the median and both quartiles


def unit_jump(sketch: Sketch, x_N: np.ndarray) -> str | None:
    """`1000 times as large`, or so many times as small, where all quartiles have changed so; None
    where they have not.

    Factors below 10 are named only where both quartiles agree as well, which a mere shift of the
    mean does not do; numbers around zero have no factor.
    """
    x_N = x_N[np.isfinite(x_N)]
    if not len(x_N) or not sketch.count:
        return None
    shares = (0.25, 0.5, 0.75)
    old, new = np.array([sketch.at(s) for s in shares]), np.quantile(x_N, shares)
    if (old == 0).any() or (new == 0).any() or (np.sign(old) != np.sign(new)).any():
        return None
    if abs(np.log(old[2] / old[0])) < 2 * NEAR:
        return _large(float(np.log(new[1] / old[1])))
    logs = np.log(new / old)
    for factor, said in FACTORS.items():
        for sign, words in ((1.0, "large"), (-1.0, "small")):
            if np.abs(logs - sign * np.log(factor)).max() < max(NEAR, 0.1 * np.log(factor) / 2.3):
                return f"{said} times as {words}"
    return None


def _large(log: float) -> str | None:
    """The same of numbers that are nearly all alike, where a small factor may be a mere shift."""
    for factor, said in FACTORS.items():
        if factor >= 100 and abs(abs(log) - np.log(factor)) < NEAR:
            return f"{said} times as {'large' if log > 0 else 'small'}"
    return None
