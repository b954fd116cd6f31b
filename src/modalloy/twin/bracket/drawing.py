"""A drawing of the frame: each tube as a band as wide as it is; its wall cannot be seen."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from modalloy.twin.bracket.frame import Ends, lines

SIZE = (160, 128)  # pixels
FINER = 4  # drawn this much larger and averaged, so that edges may lie between pixels
M_PER_PIXEL = 0.003
PAPER, METAL, AXIS, WALL = 255, 90, 200, 150
AXIS_M = 0.0015  # width of a tube's middle line


class Sheet(NamedTuple):
    """Where things lie. wall_m: height and thickness of the wall. origin_m: the plane's origin,
    from the sheet's left edge and up from its middle."""

    wall_m: tuple[float, float]
    origin_m: tuple[float, float]


def draw(
    joints_m_J2: np.ndarray, ends: Ends, diameter_m_M: np.ndarray, *, sheet: Sheet
) -> Image.Image:
    """The frame on white paper with the wall at its left, grey, at one scale for all designs."""
    scale = FINER / M_PER_PIXEL
    picture = Image.new("L", (SIZE[0] * FINER, SIZE[1] * FINER), PAPER)
    pen = ImageDraw.Draw(picture)
    right, down = sheet.origin_m[0] * scale, picture.height / 2 - sheet.origin_m[1] * scale
    high, thick = (scale * m for m in sheet.wall_m)
    pen.rectangle((right - thick, down - high / 2, right, down + high / 2), fill=WALL)
    xy_J2 = np.array([right, down]) + joints_m_J2 * (scale, -scale)
    along_M2 = lines(xy_J2, ends)
    along_M2 /= np.hypot(along_M2[:, 0], along_M2[:, 1])[:, None]
    for grey, width_M in ((METAL, diameter_m_M), (AXIS, np.full(len(ends), AXIS_M))):
        for (a, b), along_2, width_m in zip(ends, along_M2, width_M, strict=True):
            across_2 = np.array([-along_2[1], along_2[0]]) * width_m * scale / 2
            corners_42 = [
                xy_J2[a] + across_2,
                xy_J2[b] + across_2,
                xy_J2[b] - across_2,
                xy_J2[a] - across_2,
            ]
            pen.polygon([tuple(corner_2) for corner_2 in corners_42], fill=grey)
    return picture.reduce(FINER)


def write_png(path: Path, picture: Image.Image) -> None:
    """Losslessly, at little effort: these pictures are small."""
    picture.save(path, format="PNG", compress_level=3)
