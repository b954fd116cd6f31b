"""Plane frames of straight members: displacements under a load, stresses, and lowest modes.

Members are cut into equal beam elements and joined rigidly at joints (Przemieniecki 1968,
chapters 6 and 12). Node numbers: joints first, then what lies inside members, member by member.
"""

import functools
from typing import NamedTuple

import numpy as np
import scipy.linalg

from modalloy.twin.bracket import beams
from modalloy.twin.bracket.beams import Beams
from modalloy.twin.bracket.tubes import Tubes

Ends = tuple[tuple[int, int], ...]  # of each member, the joints where it begins and ends
FREEDOMS = 3  # of a node: along x, along y, turning


class Mesh(NamedTuple):
    """Which elements there are. nodes_E2: of each element. freedoms_E6: of its ends, in the whole
    frame. member_E: the member it is part of. places: of each number of all elements' matrices in
    the frame's matrix, flat."""

    nodes_E2: np.ndarray
    freedoms_E6: np.ndarray
    member_E: np.ndarray
    places: np.ndarray
    nodes: int
    each: int

    def inside(self, member: int, step: int) -> int:
        """The node of a member after so many of its elements, its ends left out."""
        assert 0 < step < self.each
        return int(self.nodes_E2[member * self.each + step, 0])


class Frame(NamedTuple):
    """A frame. stiffness_FF, mass_FF: of all freedoms, fixed ones too. free: those that move."""

    mesh: Mesh
    beams: Beams
    stiffness_E66: np.ndarray
    stiffness_FF: np.ndarray
    mass_FF: np.ndarray
    free: np.ndarray


class Modes(NamedTuple):
    """Natural frequencies, rising, (K,), and shapes of unit modal mass, (F, K)."""

    frequency_hz_K: np.ndarray
    shape_FK: np.ndarray


@functools.lru_cache(maxsize=16)
def mesh(ends: Ends, joints: int, each: int) -> Mesh:
    """The elements of members between such joints, `each` a member."""
    inner = joints + np.arange(len(ends) * (each - 1)).reshape(len(ends), each - 1)
    both = np.array(ends)
    along = np.concatenate([both[:, :1], inner, both[:, 1:]], axis=1)
    nodes_E2 = np.stack([along[:, :-1], along[:, 1:]], axis=-1).reshape(-1, 2)
    freedoms_E6 = (FREEDOMS * nodes_E2[:, :, None] + np.arange(FREEDOMS)).reshape(-1, 6)
    nodes = joints + inner.size
    places = freedoms_E6[:, :, None] * FREEDOMS * nodes + freedoms_E6[:, None, :]
    member_E = np.repeat(np.arange(len(ends)), each)
    return Mesh(nodes_E2, freedoms_E6, member_E, places.ravel(), nodes, each)


def frame(
    joints_m_J2: np.ndarray,
    ends: Ends,
    tubes: Tubes,
    *,
    youngs_pa: float,
    density_kg_m3: float,
    fixed: tuple[int, ...],
    each: int = 4,
) -> Frame:
    """The frame of such tubes. fixed: joints that neither move nor turn; each: elements a member.

    Members must have a length; who builds the joints sees to that.
    """
    found = mesh(ends, len(joints_m_J2), each)
    line_M2 = lines(joints_m_J2, ends)
    length_m_M = np.hypot(line_M2[:, 0], line_M2[:, 1])
    assert (length_m_M > 0).all()
    member_E = found.member_E
    parts = Beams(
        length_m_M[member_E] / each,
        (line_M2 / length_m_M[:, None])[member_E],
        tubes.area_m2_M[member_E],
        tubes.second_moment_m4_M[member_E],
        tubes.diameter_m_M[member_E] / 2.0,
    )
    turn_E66 = beams.turns(parts)
    back_E66 = turn_E66.transpose(0, 2, 1)
    k_E66 = back_E66 @ beams.stiffness(parts, youngs_pa) @ turn_E66
    m_E66 = back_E66 @ beams.mass(parts, density_kg_m3) @ turn_E66
    moves = np.ones((found.nodes, FREEDOMS), bool)
    moves[list(fixed)] = False
    return Frame(
        found, parts, k_E66, _joined(found, k_E66), _joined(found, m_E66), np.flatnonzero(moves)
    )


def with_payload(bare: Frame, joint: int, payload_kg: float) -> Frame:
    """The frame with a mass at a joint that has no size of its own."""
    mass_FF = bare.mass_FF.copy()
    for freedom in (FREEDOMS * joint, FREEDOMS * joint + 1):
        mass_FF[freedom, freedom] += payload_kg
    return bare._replace(mass_FF=mass_FF)


def displacements(loaded: Frame, force_F: np.ndarray) -> np.ndarray:
    """Where each freedom goes under forces, in N (N m for turns) -> m (rad), (F,)."""
    free = loaded.free
    u_F = np.zeros(len(force_F))
    u_F[free] = scipy.linalg.solve(
        loaded.stiffness_FF[np.ix_(free, free)], force_F[free], assume_a="pos", check_finite=False
    )
    return u_F


def stress_pa(loaded: Frame, u_F: np.ndarray) -> np.ndarray:
    """The largest normal stress of each element, (E,)."""
    forces_E6 = np.einsum("eij,ej->ei", loaded.stiffness_E66, u_F[loaded.mesh.freedoms_E6])
    own_E6 = np.einsum("eij,ej->ei", beams.turns(loaded.beams), forces_E6)
    return beams.stress_pa(loaded.beams, own_E6)


def modes(loaded: Frame, count: int) -> Modes:
    """The lowest modes without damping: K x = (2 pi f)^2 M x."""
    free = loaded.free
    square_K, own_K = scipy.linalg.eigh(
        loaded.stiffness_FF[np.ix_(free, free)],
        loaded.mass_FF[np.ix_(free, free)],
        subset_by_index=[0, count - 1],
        check_finite=False,
    )
    shape_FK = np.zeros((len(loaded.stiffness_FF), count))
    shape_FK[free] = own_K
    return Modes(np.sqrt(np.maximum(square_K, 0.0)) / (2.0 * np.pi), shape_FK)


def lines(joints_m_J2: np.ndarray, ends: Ends) -> np.ndarray:
    """Each member from its first joint to its second, (M, 2)."""
    both = np.array(ends)
    return joints_m_J2[both[:, 1]] - joints_m_J2[both[:, 0]]


def _joined(found: Mesh, of_elements_E66: np.ndarray) -> np.ndarray:
    """The frame's matrix, (F, F)."""
    freedoms = FREEDOMS * found.nodes
    flat = np.bincount(found.places, of_elements_E66.ravel(), freedoms * freedoms)
    return flat.reshape(freedoms, freedoms)
