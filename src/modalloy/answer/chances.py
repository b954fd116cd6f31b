"""How likely counts are by chance: tails of the binomial distribution."""

from math import exp, lgamma, log, log1p

TINY = 1e-300
CLOSE = 1e-15
MOST = 100_000  # steps; some square root of the larger argument is needed


def at_least(hits: int, tries: int, share: float) -> float:
    """Chance of so many hits or more where each try hits with this chance."""
    if hits <= 0:
        return 1.0
    return incomplete_beta(hits, tries - hits + 1.0, share) if hits <= tries else 0.0


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) of positive a and b.

    By its continued fraction, evaluated from the front (Lentz 1976; DLMF 8.17.22).
    """
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):  # there the fraction of the other tail is the quick one
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    return front * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22."""
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0) or TINY)
    value = d
    for m in range(1, MOST):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1.0 / (1.0 + step * d or TINY)
            c = 1.0 + step / c or TINY
            value *= c * d
        if abs(c * d - 1.0) < CLOSE:
            break
    return value
