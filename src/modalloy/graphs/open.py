"""Which of a branch's variants runs here, and its session."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import assert_never

from modalloy.errors import BundleError
from modalloy.graphs.branch import Branch, EngineName, Variant
from modalloy.graphs.session import Session

MODULES: dict[EngineName, str] = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
}


def open_session(
    branch: Branch, read: Callable[[str], bytes], *, device: str, threads: int
) -> Session:
    """The session of the first variant whose engine is installed.

    read: of a file of the bundle by its name. threads: that one run may use. BundleError where none
    of them is installed.
    """
    del device
    for variant in branch.variants:
        if find_spec(MODULES[variant.engine]) is not None:
            return session_of(variant, [read(name) for name in variant.files], threads=threads)
    names = sorted({v.engine for v in branch.variants})
    raise BundleError(
        f"the graph of {branch.name or 'fusion and heads'} needs one of {', '.join(names)}; run: "
        f"pip install {names[0]}"
    )


def session_of(variant: Variant, files: list[bytes], *, threads: int) -> Session:
    """The session of one variant."""
    match variant.engine:
        case "onnxruntime":
            from modalloy.graphs.onnx_session import OnnxSession

            return OnnxSession(files[0], threads=threads)
        case "openvino":
            from modalloy.graphs.openvino_session import OpenvinoSession

            return OpenvinoSession(files, precision=variant.precision, threads=threads)
        case _:
            assert_never(variant.engine)
