"""One run of the bracket twin: variables and hidden parameters in, figures and media out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.twin.bracket import bracket, drawing, tap
from modalloy.twin.bracket.bracket import Behaviour, Design
from modalloy.twin.bracket.drawing import Sheet
from modalloy.twin.bracket.frame import FREEDOMS, lines
from modalloy.twin.bracket.sentence import sentence
from modalloy.twin.bracket.tap import Tap

SHEET = Sheet(wall_m=(0.3, 0.012), origin_m=(0.015, 0.0))
STRUCK, HEARD = 5, 4  # tubes: the tap falls on the middle of one and is heard at that of the other


def simulate(values: Mapping[str, Any], *, seed: int, folder: Path) -> dict[str, Any]:
    """Mass in kg, deflection in mm, f1 and f2 in Hz, stress in MPa, verdict, and three media.

    From `seed`: wording of the specification, strength of the tap and noise of the recording;
    figures do not depend on it. Raises ValueError for what cannot be built.
    """
    of = bracket.design(values)
    found = bracket.behaviour(of)
    words, noise = np.random.SeedSequence(seed).generate_state(2).tolist()
    picture = drawing.draw(of.joints_m_J2, bracket.ENDS, of.tubes.diameter_m_M, sheet=SHEET)
    drawing.write_png(folder / "drawing.png", picture)
    tap.write_wav(folder / "tap.wav", sound_of(of, found, seed=noise))
    f1_hz, f2_hz = found.modes.frequency_hz_K[:2].tolist()
    return {
        "mass": found.mass_kg,
        "deflection": found.deflection_mm,
        "f1": f1_hz,
        "f2": f2_hz,
        "stress": found.stress_mpa,
        "verdict": "good" if found.good else "bad",
        "drawing": "drawing.png",
        "tap": "tap.wav",
        "specification": sentence(of, seed=words),
    }


def sound_of(of: Design, found: Behaviour, *, seed: int) -> np.ndarray:
    """A tap across the middle of one tube, heard across the middle of another, (L,)."""
    places = Tap(across(of, STRUCK), across(of, HEARD))
    return tap.tap_sound(found.modes, places, damping=of.material.damping, seed=seed)


def across(of: Design, member: int) -> np.ndarray:
    """The direction across a tube at its middle, among the frame's freedoms, (F,)."""
    mesh = bracket.mesh()
    along_2 = lines(of.joints_m_J2, bracket.ENDS)[member]
    node = mesh.inside(member, mesh.each // 2)
    across_F = np.zeros(FREEDOMS * mesh.nodes)
    across_F[FREEDOMS * node : FREEDOMS * node + 2] = -along_2[1], along_2[0]
    return across_F / np.hypot(*along_2)
