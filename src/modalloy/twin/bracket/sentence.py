"""A specification in a sentence or two: the metal, the load case and rounded dimensions."""

import numpy as np

from modalloy.twin.bracket.bracket import FIRST, LOAD_N, PAYLOAD_KG, REACH_M, SECOND, Design

METALS = {
    "steel": ("steel", "structural steel", "steel S355"),
    "aluminium": ("aluminium", "aluminium alloy", "aluminium 6082-T6"),
    "titanium": ("titanium", "titanium alloy", "titanium grade 5"),
}
LOADS = (
    f"{LOAD_N / 1e3:g} kN downwards at {1e3 * REACH_M:g} mm from the wall",
    f"a belt pull of {LOAD_N:g} N on a pulley of {PAYLOAD_KG:g} kg",
    f"{LOAD_N / 1e3:g} kN at the tip and a pulley of {PAYLOAD_KG:g} kg",
)
WORDINGS = (
    "Bracket of {metal} for {load}, {sizes}.",
    "Wall bracket, six tubes of {metal}; carries {load}; {sizes}.",
    "Make in {metal}: {sizes}. Load case is {load}.",
    "For {load} a welded bracket of {metal} is wanted, {sizes}.",
    "{load_first}; tubes of {metal}, {sizes}.",
)
TUBE_STEP_MM, PLACE_STEP_MM = 2.0, 20.0  # that dimensions are rounded to


def sentence(of: Design, *, seed: int) -> str:
    """What an engineer could have ordered; wording and dimensions named are drawn from `seed`."""
    draw = np.random.default_rng(seed)
    sizes = dimensions(of)
    named = draw.choice(len(sizes), size=draw.integers(1, 3), replace=False)
    load = str(draw.choice(LOADS))
    return str(draw.choice(WORDINGS)).format(
        metal=draw.choice(METALS[of.material.name]),
        load=load,
        load_first=load[0].upper() + load[1:],
        sizes=" and ".join(sizes[i] for i in named),
    )


def dimensions(of: Design) -> tuple[str, ...]:
    """What can be said of the shape; nothing of the walls, which a drawing does not show either."""
    wide_mm_M = 1e3 * of.tubes.diameter_m_M
    upper_mm, lower_mm = 1e3 * of.joints_m_J2[FIRST], 1e3 * of.joints_m_J2[SECOND]
    return (
        f"largest tube about {near(wide_mm_M.max(), TUBE_STEP_MM)} mm",
        f"smallest tube about {near(wide_mm_M.min(), TUBE_STEP_MM)} mm",
        f"upper joint about {near(upper_mm[0], PLACE_STEP_MM)} mm out",
        f"lower joint about {near(lower_mm[0], PLACE_STEP_MM)} mm out",
        f"joints about {near(upper_mm[1] - lower_mm[1], PLACE_STEP_MM)} mm apart in height",
    )


def near(value: float, step: float) -> str:
    """A dimension, rounded."""
    return f"{step * np.rint(value / step):g}"
