"""One weld as it is simulated: its depth, width, cooling, picture, sound, note and verdict."""

import io
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from modalloy.twin.weld.burst import RATE_HZ, burst_of
from modalloy.twin.weld.heat import cooling_rate
from modalloy.twin.weld.keyhole import Beam, Keyhole, heat_of, keyhole_of
from modalloy.twin.weld.metals import METALS
from modalloy.twin.weld.picture import picture_of
from modalloy.twin.weld.pool_shape import cross_section
from modalloy.twin.weld.sentence import sentence_of

WINDOW_MM = (0.85, 1.15)  # of depth, in which a weld is good
COOLS_C = 800.0  # where cooling is told: steels change from here on


class Weld(NamedTuple):
    """One weld as it is simulated. picture_PP: (64, 64) uint8; burst_L: (1024,) int16, 8 kHz."""

    keyhole: Keyhole
    depth_mm: float
    width_mm: float
    cooling_k_s: float
    picture_PP: np.ndarray
    burst_L: np.ndarray
    note: str


def simulate(values: Mapping[str, Any], *, seed: int, folder: Path) -> dict[str, Any]:
    """The outputs of weld.yaml for its variables and hidden parameters, in the units given there.

    Writes `thermal.png` (8-bit grey) and `burst.wav` (16 bit) into `folder`.
    """
    made = weld(beam_of(values), seed=seed)
    (folder / "thermal.png").write_bytes(png_of(made.picture_PP))
    (folder / "burst.wav").write_bytes(wav_of(made.burst_L))
    return {
        "depth": made.depth_mm,
        "width": made.width_mm,
        "cooling_rate": made.cooling_k_s,
        "thermal": "thermal.png",
        "burst": "burst.wav",
        "log": made.note,
        "verdict": verdict(made.depth_mm),
    }


def weld(beam: Beam, *, seed: int) -> Weld:
    """The same without files."""
    draw = np.random.default_rng(seed)
    metal, keyhole = METALS[beam.grade], keyhole_of(beam)
    heat = heat_of(beam, keyhole)
    section = cross_section(heat, metal.melts_c)
    return Weld(
        keyhole,
        1e3 * section.depth_m,
        1e3 * section.width_m,
        cooling_rate(heat, COOLS_C),
        picture_of(heat, metal.boils_c, draw),
        burst_of(beam, keyhole, draw),
        sentence_of(beam, keyhole, draw),
    )


def verdict(depth_mm: float) -> str:
    """`shallow`, `good` or `deep`, by the window of depth."""
    low, high = WINDOW_MM
    return "shallow" if depth_mm < low else "deep" if depth_mm > high else "good"


def png_of(picture_PP: np.ndarray) -> bytes:
    """A grey picture as a file; quickly rather than small."""
    file = io.BytesIO()
    Image.fromarray(picture_PP).save(file, "PNG", compress_level=1)
    return file.getvalue()


def wav_of(burst_L: np.ndarray) -> bytes:
    """Samples as a file of one channel, 16 bit."""
    file = io.BytesIO()
    with wave.open(file, "wb") as into:
        into.setnchannels(1)
        into.setsampwidth(2)
        into.setframerate(RATE_HZ)
        into.writeframes(burst_L.tobytes())
    return file.getvalue()


def beam_of(values: Mapping[str, Any]) -> Beam:
    """Values in the twin's units as SI units."""
    return Beam(
        power_w=float(values["power"]),
        speed_m_s=1e-3 * float(values["speed"]),
        plate_c=float(values["preheat"]),
        spot_m=1e-3 * float(values["spot"]),
        grade=str(values["grade"]),
        absorptivity=float(values["absorptivity"]),
        conductivity_factor=float(values["conductivity_factor"]),
    )
