"""Golden rows as a bundle's manifest speaks of them: how many there are, or why there are none."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from modalloy.bundle.told import ToldGolden
from modalloy.errors import BundleError

GOLDEN = "golden.safetensors"  # the part that holds them
NOTE = "golden"  # of the manifest's notes
WHY = {
    "asked": "they were left out when it was exported (--without-rows)",
    "large": "one row alone was too large to be kept",
}


def golden_note(rows: int, *, asked: bool) -> dict[str, Any]:
    """What the manifest says. rows: that lie in the bundle. asked: whether they were to be left
    out.
    """
    return {NOTE: {"rows": rows, "without": None if rows else "asked" if asked else "large"}}


def why_without(told: ToldGolden | None, parts: Collection[str], path: Path) -> str | None:
    """Why a bundle holds no golden rows, in words; None where it holds them.

    told: what its manifest says; None in a bundle of a version that always wrote the part.
    BundleError where the part is missing and the manifest does not say why, or is there although it
    says that it is not: then nobody could see any more whether the bundle answers rightly.
    """
    if told is None or told.without is None:
        if GOLDEN in parts and (told is None or told.rows > 0):
            return None
        raise BundleError(
            f"{path}: lacks {GOLDEN}, the rows that tell on another machine whether it still "
            "answers as its run, and does not say that they were left out; somebody has removed "
            "them. Export the bundle again."
        )
    if told.rows or GOLDEN in parts:
        raise BundleError(
            f"{path}: says that it holds no golden rows, and holds some; export the bundle again."
        )
    return WHY[told.without]
