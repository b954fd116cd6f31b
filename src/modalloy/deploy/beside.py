"""Where pages and folders lie that are written beside a bundle, under its name."""

from pathlib import Path

ZIP = ".zip"


def beside(bundle: Path, ending: str) -> Path:
    """The place of what belongs to a bundle: `model.zip` and the ending `-parity.html` give
    `model-parity.html`. Those of a folder `model` begin with `model.folder`, so that a zip file and
    a folder of one name have each their own.
    """
    name = bundle.name
    stem = name.removesuffix(ZIP) if name.endswith(ZIP) else f"{name}.folder"
    return bundle.with_name(f"{stem}{ending}")
