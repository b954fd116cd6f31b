"""Stiffness and mass of straight beam elements in a plane, many at once.

Euler-Bernoulli beams with axial stiffness: two nodes, each free to move along x, along y and to
turn, in this order. Cubic shapes across the beam and linear ones along it (Przemieniecki 1968,
chapters 5 and 11; Cook et al. 2002, chapters 2 and 11).
"""

from typing import NamedTuple

import numpy as np

ACROSS = np.array([1, 2, 4, 5])  # move across and turn, at both ends
BENDING = np.array([[12, 6, -12, 6], [6, 4, -6, 2], [-12, -6, 12, -6], [6, 2, -6, 4]], float)
INERTIA = np.array(
    [[156, 22, 54, -13], [22, 4, 13, -3], [54, 13, 156, -22], [-13, -3, -22, 4]], float
)


class Beams(NamedTuple):
    """Elements, (E,). along_E2: unit vectors from the first node to the second.
    radius_m_E: distance of the outermost fibre from the middle."""

    length_m_E: np.ndarray
    along_E2: np.ndarray
    area_m2_E: np.ndarray
    second_moment_m4_E: np.ndarray
    radius_m_E: np.ndarray


def stiffness(beams: Beams, youngs_pa: float) -> np.ndarray:
    """Forces by displacements in each element's own axes, (E, 6, 6)."""
    axial_E = youngs_pa * beams.area_m2_E / beams.length_m_E
    bending_E = youngs_pa * beams.second_moment_m4_E / beams.length_m_E**3
    k_E66 = np.zeros((len(axial_E), 6, 6))
    k_E66[:, 0, 0] = k_E66[:, 3, 3] = axial_E
    k_E66[:, 0, 3] = k_E66[:, 3, 0] = -axial_E
    k_E66[:, ACROSS[:, None], ACROSS] = bending_E[:, None, None] * _by_length(BENDING, beams)
    return k_E66


def mass(beams: Beams, density_kg_m3: float) -> np.ndarray:
    """The consistent mass in each element's own axes, (E, 6, 6)."""
    mass_E = density_kg_m3 * beams.area_m2_E * beams.length_m_E
    m_E66 = np.zeros((len(mass_E), 6, 6))
    m_E66[:, 0, 0] = m_E66[:, 3, 3] = mass_E / 3.0
    m_E66[:, 0, 3] = m_E66[:, 3, 0] = mass_E / 6.0
    m_E66[:, ACROSS[:, None], ACROSS] = mass_E[:, None, None] / 420.0 * _by_length(INERTIA, beams)
    return m_E66


def turns(beams: Beams) -> np.ndarray:
    """The plane's axes to each element's own, (E, 6, 6)."""
    c_E, s_E = beams.along_E2.T
    t_E66 = np.zeros((len(c_E), 6, 6))
    for at in (0, 3):
        t_E66[:, at, at] = t_E66[:, at + 1, at + 1] = c_E
        t_E66[:, at, at + 1], t_E66[:, at + 1, at] = s_E, -s_E
        t_E66[:, at + 2, at + 2] = 1.0
    return t_E66


def stress_pa(beams: Beams, forces_E6: np.ndarray) -> np.ndarray:
    """The largest normal stress in each element by the forces at its ends, (E,).

    Pull or push over the area, and bending at the end where it is larger; no load acts between.
    """
    bending_E = np.maximum(np.abs(forces_E6[:, 2]), np.abs(forces_E6[:, 5]))
    pull_pa_E = np.abs(forces_E6[:, 3]) / beams.area_m2_E
    return pull_pa_E + bending_E * beams.radius_m_E / beams.second_moment_m4_E


def _by_length(of_one: np.ndarray, beams: Beams) -> np.ndarray:
    """A matrix of a beam of length 1 for each beam: turns count its length, (E, 4, 4)."""
    times_E4 = np.ones((len(beams.length_m_E), 4))
    times_E4[:, [1, 3]] = beams.length_m_E[:, None]
    return of_one * times_E4[:, :, None] * times_E4[:, None, :]
