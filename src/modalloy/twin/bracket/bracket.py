"""The bracket: two anchors in a wall, two free joints, a load point, six tubes between them.

A belt pulls down on a pulley at the load point; the pulley's mass moves with it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from modalloy.twin.bracket import frame
from modalloy.twin.bracket.frame import Frame, Mesh, Modes
from modalloy.twin.bracket.materials import Material, material
from modalloy.twin.bracket.tubes import Tubes, tubes

UPPER, LOWER, FIRST, SECOND, TIP = range(5)  # joints: anchors, free joints, load point
ANCHOR_M = 0.1  # of each anchor above or below the load point's level
REACH_M = 0.45  # of the load point, from the wall
ENDS = (
    (UPPER, FIRST),
    (LOWER, SECOND),
    (UPPER, SECOND),
    (FIRST, SECOND),
    (FIRST, TIP),
    (SECOND, TIP),
)
JOINTS, MEMBERS = 5, len(ENDS)
ELEMENTS = 4  # a member
LOAD_N = 3000.0  # straight down at the load point
PAYLOAD_KG = 0.33  # of the pulley, a point
MODES = 12  # that are worked out, and heard where they are low enough
DEFLECTION_MM = 0.6  # at most, for a good bracket
F1_HZ = 520.0  # at least, for a good bracket


class Design(NamedTuple):
    """joints_m_J2: all five joints. tubes: as they are, scatter included."""

    joints_m_J2: np.ndarray
    tubes: Tubes
    material: Material


class Behaviour(NamedTuple):
    """What a bracket does. mass_kg: of its tubes. deflection_mm: of the load point under the load,
    whichever way. stress_mpa: the largest, anywhere."""

    mass_kg: float
    deflection_mm: float
    stress_mpa: float
    modes: Modes

    @property
    def good(self) -> bool:
        """Stiff enough, and its lowest mode above what the belt's drive excites."""
        f1_hz = float(self.modes.frequency_hz_K[0])
        return self.deflection_mm <= DEFLECTION_MM and f1_hz >= F1_HZ


def design(values: Mapping[str, Any]) -> Design:
    """The bracket that variables describe, in mm, and that hidden parameters change.

    `wall_scatter_1` to `_6`: by what share of itself each tube's wall is thicker than ordered.
    Raises ValueError with a sentence where no such bracket can be built.
    """
    free = np.array([[values["x1"], values["y1"]], [values["x2"], values["y2"]]], float)
    joints_m_J2 = np.array([[0.0, ANCHOR_M], [0.0, -ANCHOR_M], *(free / 1e3), [REACH_M, 0.0]])
    ordered_m_M = numbers(values, "wall") / 1e3
    wall_m_M = ordered_m_M * (1.0 + numbers(values, "wall_scatter"))
    found = tubes(numbers(values, "diameter") / 1e3, wall_m_M)
    refuse_short(joints_m_J2, found)
    return Design(joints_m_J2, found, material(values["material"]))


def behaviour(of: Design) -> Behaviour:
    """Mass, deflection, stress and modes of a bracket."""
    loaded = built(of)
    force_F = np.zeros(len(loaded.stiffness_FF))
    force_F[frame.FREEDOMS * TIP + 1] = -LOAD_N
    u_F = frame.displacements(loaded, force_F)
    tip_m = np.hypot(*u_F[frame.FREEDOMS * TIP :][:2])
    along_M2 = frame.lines(of.joints_m_J2, ENDS)
    return Behaviour(
        of.tubes.mass_kg(np.hypot(along_M2[:, 0], along_M2[:, 1]), of.material.density_kg_m3),
        float(1e3 * tip_m),
        float(frame.stress_pa(loaded, u_F).max() / 1e6),
        frame.modes(loaded, MODES),
    )


def mesh() -> Mesh:
    """The elements that every bracket has."""
    return frame.mesh(ENDS, JOINTS, ELEMENTS)


def built(of: Design) -> Frame:
    """The frame, welded into the wall, with the pulley."""
    bare = frame.frame(
        of.joints_m_J2,
        ENDS,
        of.tubes,
        youngs_pa=of.material.youngs_pa,
        density_kg_m3=of.material.density_kg_m3,
        fixed=(UPPER, LOWER),
        each=ELEMENTS,
    )
    return frame.with_payload(bare, TIP, PAYLOAD_KG)


def numbers(values: Mapping[str, Any], name: str) -> np.ndarray:
    """`name_1` to `name_6`, (M,)."""
    return np.array([values[f"{name}_{m}"] for m in range(1, MEMBERS + 1)], float)


def refuse_short(joints_m_J2: np.ndarray, found: Tubes) -> None:
    """ValueError where a tube would be shorter than it is wide: its joints coincide, or nearly."""
    along_M2 = frame.lines(joints_m_J2, ENDS)
    length_m_M = np.hypot(along_M2[:, 0], along_M2[:, 1])
    short_M = length_m_M <= found.diameter_m_M
    if short_M.any():
        m = int(np.argmax(short_M))
        raise ValueError(
            f"tube {m + 1} would be {1e3 * length_m_M[m]:.1f} mm long and "
            f"{1e3 * found.diameter_m_M[m]:.1f} mm wide; move the joints at its ends apart."
        )
