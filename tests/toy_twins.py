"""A small twin of a plate, with its simulator: for tests of whatever runs twins."""

from pathlib import Path
from typing import Any

TWIN = """\
name: plate
variables:
  width:    {type: continuous, low: 10, high: 40, unit: mm}
  load:     {type: continuous, low: 1, high: 100, log: true, unit: N}
  teeth:    {type: integer, low: 3, high: 9}
  material: {type: categorical, choices: [steel, brass]}
  area:     {type: linked, is: "width ** 2", unit: mm2}
hidden:
  wear: {type: continuous, low: 0, high: 1, unit: mm, default: 0.25, deviation: 0.2}
outputs:
  mass:  {type: number, unit: g}
  sag:   {type: number, unit: mm}
  grade: {type: category, labels: [good, bad]}
  note:  {type: text}
  trace: {type: series}
simulator: {type: python, use: "plate.py:simulate"}
limits: {seconds: 20}
seed: 3
"""
SIMULATOR = '''\
"""A plate: its mass, how far it sags, and what is said of it."""
import random
import time

DENSITY = {"steel": 7.8e-3, "brass": 8.5e-3}
PAUSE_S = 0.0


def simulate(values, *, seed, folder):
    time.sleep(PAUSE_S)
    if values["teeth"] == 7:
        raise ValueError("seven teeth do not mesh")
    draw = random.Random(seed)
    sag = values["load"] * (1 + values["wear"]) / values["width"] + 0.01 * draw.gauss(0, 1)
    (folder / "trace.csv").write_text("".join(f"{draw.random()},{i}\\n" for i in range(40)))
    return {
        "mass": values["area"] * DENSITY[values["material"]],
        "sag": sag,
        "grade": "good" if sag < 1 else "bad",
        "note": f"{values['teeth']} teeth of {values['material']}",
        "trace": "trace.csv",
    }
'''


def write_twin(folder: Path, *, pause_s: float = 0.0, **changes: str) -> Path:
    """The twin file and its simulator in a folder. changes: words of the twin file by others.

    pause_s: that each run takes at least.
    """
    text = TWIN
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plate.py").write_text(SIMULATOR.replace("PAUSE_S = 0.0", f"PAUSE_S = {pause_s}"))
    (folder / "plate.yaml").write_text(text)
    return folder / "plate.yaml"


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without how long their runs took."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
