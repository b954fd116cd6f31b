"""Names of the parts of a bundle, and of what else may lie in its file or folder."""

import re
from collections.abc import Collection

from modalloy.errors import BundleError
from modalloy.runs.parts import NAME, PASSING, STAGED

MANIFEST = "manifest.json"  # what the bundle is, with the hash and size of each part
SIGNATURE = "manifest.sig"  # Ed25519 over the bytes of the manifest: 64 bytes
OURS = (MANIFEST, SIGNATURE)
LOCK = "writing.part"  # held while a folder is written
WRITING = "manifest.json.part"  # until it is whole
LONGEST = 200  # characters
MOST = 4096  # parts of one bundle
DEVICES = re.compile(r"con|prn|aux|nul|com\d|lpt\d")  # no file of Windows can be called so
RUNS_CODE = (
    ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".py", ".pyc", ".so", ".dll", ".dylib",
    ".exe", ".sh", ".bat",
)  # fmt: skip


def refuse_part(name: str) -> None:
    """BundleError where a part cannot be called so; `graphs/photo.onnx` is a name."""
    refuse_form(name, "it")
    if name.lower() in OURS:
        raise BundleError(f"'{name}' cannot name a part of a bundle: the bundle itself writes it.")
    if name.lower().endswith(RUNS_CODE):
        raise BundleError(
            f"'{name}' cannot be a part of a bundle: files of its kind run code when they are "
            "opened; write arrays as safetensors and facts as JSON."
        )


def refuse_names(files: Collection[str], folders: Collection[str], where: str) -> None:
    """BundleError where names that lie in a bundle have a wrong form, clash, or are too many."""
    if len(files) > MOST:
        raise BundleError(f"{where}: holds more than {MOST} files; no bundle has so many.")
    for name in (*files, *folders):
        refuse_form(name, where)
    above = {name.rpartition("/")[0] for name in files} | set(folders)
    inner = {"/".join(a.split("/")[:n]) for a in above for n in range(1, a.count("/") + 2)}
    taken = {name.lower() for name in inner}
    for name in files:
        if name.lower() in taken:
            raise BundleError(
                f"{where}: has two members that are called '{name}', or would be where capitals "
                "do not count; it cannot be used."
            )
        taken.add(name.lower())


def refuse_form(name: str, where: str) -> None:
    """BundleError for a name that would leave the bundle's folder, or that not every system has."""
    pieces = name.split("/")
    if (
        not NAME.fullmatch(name)
        or len(name) > LONGEST
        or name.lower().endswith(PASSING)
        or any(p.endswith(".") or DEVICES.fullmatch(p.lower().split(".")[0]) for p in pieces)
    ):
        shown = ascii(name if len(name) <= LONGEST else name[:LONGEST] + "...")
        raise BundleError(
            f"{where}: {shown} cannot name a part of a bundle; names are letters, digits, '_', '-' "
            "and '.', with '/' between folders, as in graphs/photo.onnx."
        )


def staged(name: str, identity: str = "") -> str:
    """Where a part of a folder lies until it takes the place of the older one.

    identity: of the manifest that a signature belongs to, since nothing else tells whose it is.
    """
    return f"{name}.{identity[:16]}{STAGED}" if identity else name + STAGED


def is_waiting(name: str) -> bool:
    """Whether a file of a folder was left by a writer, on its way to another name, and no part."""
    return name.endswith(STAGED) or name in (LOCK, WRITING)
