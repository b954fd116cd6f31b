"""What bounds the twin: stress of stiff brackets, how its two limits hang together, the mesh."""

from typing import NamedTuple

import numpy as np
from scipy.stats import qmc

from bench.bracket.search import Variables
from modalloy.twin.bracket import bracket, frame
from modalloy.twin.bracket.bracket import Behaviour, Design

FINE = 20  # elements a tube that count as exact


class Tied(NamedTuple):
    """power: of f1 that deflection goes by. explained: share of its logarithm's variance.
    stress_mpa: the largest of any bracket that is stiff enough; 0 where none is."""

    power: float
    explained: float
    stress_mpa: float


def tied(found: list[Behaviour]) -> Tied:
    """How deflection hangs on f1 over a plan, and how much stiff brackets bear."""
    f1_N = np.log([b.modes.frequency_hz_K[0] for b in found])
    deflection_N = np.log([b.deflection_mm for b in found])
    stiff = [b.stress_mpa for b in found if b.deflection_mm <= bracket.DEFLECTION_MM]
    return Tied(
        float(np.polyfit(f1_N, deflection_N, 1)[0]),
        float(np.corrcoef(f1_N, deflection_N)[0, 1] ** 2),
        max(stiff, default=0.0),
    )


def too_high(of: Design) -> np.ndarray:
    """By what share each frequency is above that of a fine mesh, (K,)."""
    fine = frame.frame(
        of.joints_m_J2,
        bracket.ENDS,
        of.tubes,
        youngs_pa=of.material.youngs_pa,
        density_kg_m3=of.material.density_kg_m3,
        fixed=(bracket.UPPER, bracket.LOWER),
        each=FINE,
    )
    exact = frame.modes(frame.with_payload(fine, bracket.TIP, bracket.PAYLOAD_KG), bracket.MODES)
    return bracket.behaviour(of).modes.frequency_hz_K / exact.frequency_hz_K - 1.0


def designs(own: Variables, metal: str, count: int) -> list[Design]:
    """Those of a Latin hypercube that can be built."""
    found = []
    for u_D in qmc.LatinHypercube(len(own.names), rng=0).random(count):
        try:
            found.append(bracket.design(own.values(u_D, metal)))
        except ValueError:
            continue
    return found
