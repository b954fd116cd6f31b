"""`doctor`: what is installed and works here, and what to do about the rest."""

import importlib.metadata
import json
import platform
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from modalloy.errors import JobError
from modalloy.machine.hardware import look_at_machine, look_at_torch, requirement
from modalloy.machine.imports import probe
from modalloy.machine.limits import number_types_file
from modalloy.machine.vitals import Diagnosis, State, Vital

NEEDED = {  # name of the distribution -> what must import
    "torch": "torch",
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow.parquet",
    "scipy": "scipy.signal",
    "scikit-learn": "sklearn.ensemble",
    "pydantic": "pydantic",
    "ruamel.yaml": "ruamel.yaml",
    "pillow": "PIL.Image",
    "soundfile": "soundfile",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors.torch",
    "matplotlib": "matplotlib.backends.backend_agg",
    "openpyxl": "openpyxl",
    "transformers": "transformers.models.bert.modeling_bert",
}
EXTRAS = (  # what it is for, the distribution, the extra that installs it, its licence if special
    ("demo data", "elpv-dataset", "demo", " (CC BY-NC-SA 4.0)"),
    ("explain", "captum", "explain", ""),
    ("tune", "optuna", "tune", ""),
    ("search by a graph", "usearch", "search", ""),
    ("learning between sites", "flwr", "federated", ""),
    ("accounting of privacy", "opacus", "private", ""),
    ("simulators that are FMUs", "fmpy", "twin", ""),
)
UNWANTED = ("torchvision", "torchaudio", "torchcodec", "timm", "open_clip")


def doctor() -> Diagnosis:
    """Look at Python, packages, processor, memory, disk, pretrained encoders and media formats.

    JobError where `modalloy-runtime` was installed, which only answers.
    """
    if find_spec("torch") is None and not installed("modalloy") and installed("modalloy-runtime"):
        raise JobError(
            "doctor looks at what a training needs, and this is modalloy-runtime, which only "
            "answers with bundles; to train, run: pip install modalloy"
        )
    seen = probe(NEEDED.values())
    return Diagnosis(
        [
            _python(),
            *_packages(seen),
            *look_at_torch(seen.get("torch facts", {})),
            *look_at_machine(),
            *_media(seen),
            *_pretrained("torch facts" in seen),
            *_extras(),
            _remembered(),
            *_unwanted(),
        ]
    )


def installed(distribution: str) -> bool:
    """Whether a distribution is installed."""
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _python() -> Vital:
    """The interpreter."""
    state: State = "ok" if sys.version_info >= (3, 11) else "broken"
    do = "" if state == "ok" else "Use Python 3.11 or newer."
    return Vital("python", state, f"{platform.python_version()}, {platform.platform()}", do)


def _packages(seen: dict[str, Any]) -> Iterator[Vital]:
    """Every package that a training needs: absent, broken, or one line for all that import."""
    fine = []
    for name, module in NEEDED.items():
        error = seen.get(module, "the import ended the process or never came to its turn")
        if error is None:
            fine.append(name)
        else:
            install = f"pip install --force-reinstall '{requirement(name)}'"
            yield Vital(name, "broken", f"import {module} fails: {error}", install)
    yield Vital("packages", "ok", f"{len(fine)} of {len(NEEDED)} needed packages import")


def _media(seen: dict[str, Any]) -> Iterator[Vital]:
    """Formats that pictures and recordings may have, and a plot with a font."""
    for what, wanted, do in (
        (
            "picture formats",
            ("JPEG", "PNG", "BMP", "WebP", "TIFF"),
            "Install pillow from its wheel.",
        ),
        ("sound formats", ("WAV", "FLAC", "OGG", "MP3"), "Install soundfile from its wheel."),
    ):
        formats = seen.get(what, [])
        lacking = [name for name in wanted if name not in formats]
        state: State = "warn" if lacking else "ok"
        found = f"without {', '.join(lacking)}" if lacking else " ".join(formats)
        yield Vital(what, state, found, do if lacking else "")
    font = seen.get("font")
    do = "" if font else "Reinstall matplotlib: its own fonts are missing."
    yield Vital("plots", "ok" if font else "warn", font or "no font could be drawn", do)


def _pretrained(torch_works: bool) -> Iterator[Vital]:
    """The encoders that install with pip, each file checked against its hash."""
    if not torch_works:
        yield Vital("pretrained encoders", "warn", "not looked at, because torch is broken")
        return
    from modalloy.model.trunks.pretrained import SOURCES, find_weights

    for name, source in SOURCES.items():
        try:
            importlib.metadata.version(source.package)
        except importlib.metadata.PackageNotFoundError:
            yield Vital(name, "absent", f"{source.package}", "pip install 'modalloy[pretrained]'")
            continue
        try:
            path = find_weights(source, name)
        except JobError as error:
            yield Vital(name, "warn", str(error))
        else:
            size = path.stat().st_size / 1e6
            yield Vital(name, "ok", f"{size:.0f} MB, hash as pinned ({source.sha256[:12]})")


def _extras() -> Iterator[Vital]:
    """Packages that single verbs need beside those of every training."""
    for what, package, extra, licence in EXTRAS:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield Vital(what, "absent", package, f"pip install 'modalloy[{extra}]'")
        else:
            yield Vital(what, "ok", f"{package} {version}{licence}")


def _remembered() -> Vital:
    """What trainings found out about number types on this machine, and the file it is kept in."""
    path = number_types_file()
    try:
        found = json.loads(path.read_text())
        count = len(found) if isinstance(found, dict) else 0
    except OSError:
        return Vital("number types tried", "ok", f"none yet; they will be kept in {path}")
    except ValueError:
        count = 0
    if not count:
        do = f"Trainings try anew and write it again; rm '{path}' does no harm."
        return Vital("number types tried", "warn", f"{path} is damaged", do)
    return Vital("number types tried", "ok", f"{count} kept in {path}, which may be removed")


def _unwanted() -> Iterator[Vital]:
    """Packages that Modalloy never uses; one that cannot be imported breaks transformers."""
    present = [name for name in UNWANTED if find_spec(name) is not None]
    if not present:
        yield Vital("torchvision and the like", "ok", "none installed, none needed")
        return
    for name, error in probe(present).items():
        if name not in present:
            continue
        if error is None:
            yield Vital(name, "ok", "imports; Modalloy does not use it")
        else:
            why = "Not made for this torch; transformers imports it and fails with it."
            yield Vital(name, "broken", f"{error}", f"{why} pip uninstall {name}")
