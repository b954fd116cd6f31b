"""Operations that a backend cannot write: which one it is, and what of the job to change."""

import re
from collections.abc import Collection, Iterator

from torch import nn

from modalloy.deploy.modules import EncoderGraph, HeadsGraph
from modalloy.errors import RunError
from modalloy.model.encoders.audio import AudioEncoder
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.encoders.text import TextEncoder

# How the exporter names operations: `OpOverload(op='aten.digamma', ...)`, `torch.ops.aten.digamma`.
NAMED = (re.compile(r"OpOverload\(op='\w+\.(\w+)'"), re.compile(r"torch\.ops\.\w+\.(\w+)"))
BY_CONTENT = "data-dependent"  # what torch says of a shape that hangs on what cells hold
LONGEST = 200  # characters of another program's words
TORCH = (
    "`modalloy export --backend torch` keeps the network itself, which answers where torch is "
    "installed"
)


def where_of(name: str) -> str:
    """What a graph is called in sentences."""
    return f"the encoder of '{name}'" if name else "fusion and heads"


def no_onnx(name: str, module: nn.Module, error: BaseException) -> RunError:
    """What to say where the exporter fails. name: of the input, none for fusion and heads."""
    chain = list(causes(error))
    found = [m[1] for e in reversed(chain) for form in NAMED if (m := form.search(str(e)))]
    if found:
        why = f"it has no operation '{found[0]}'"
    elif any(BY_CONTENT in str(e) for e in chain):
        why = f"a size in it depends on what a cell holds ({first_line(chain[-1])})"
    else:
        why = first_line(chain[-1])
    change = change_of(name, module)
    other = f"{change}, and train again; or {TORCH}" if change else TORCH
    return RunError(f"{where_of(name)} cannot be written as ONNX: {why}. {capital(other)}.")


def no_openvino(where: str, operations: Collection[str], error: Exception) -> RunError:
    """What to say where OpenVINO does not take a graph in ONNX. where: which graph. operations:
    kinds of its nodes.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    told = " ".join(line for line in lines if "Frontend Extension" not in line)
    lacks = sorted(op for op in operations if re.search(rf"\b{re.escape(op)}(-\d+)?\b", told))
    why = f"it has no operation {', '.join(map(repr, lacks))}" if lacks else lines[-1][:LONGEST]
    return RunError(
        f"{where} cannot be written in OpenVINO's form: {why}. Export it with --backend onnx, and "
        "for a server with --server triton, which take the graph as it is."
    )


def change_of(name: str, module: nn.Module) -> str:
    """Which option of the job decides what a graph computes; nothing where none does."""
    match module:
        case EncoderGraph(encoder=SeriesEncoder() as encoder):
            fronts = ", ".join(encoder.options.front)
            other = "" if encoder.options.encoder == "scratch" else " or `encoder: scratch`"
            return f"choose others than `front: [{fronts}]`{other} for column '{name}'"
        case EncoderGraph(encoder=TextEncoder() | ImageEncoder() | AudioEncoder() as encoder):
            such = "" if encoder.trunk is None else ", such as scratch,"
            return f"choose another `encoder:`{such} for column '{name}'"
        case EncoderGraph(encoder=TableEncoder()):
            return "choose another `embed:` for its numbers"
        case EncoderGraph():
            return f"leave column '{name}' out"
        case HeadsGraph():
            job = module.model.job
            heads = [n for n, o in job.tasks.items() if getattr(o, "head", None)]
            other = f", or another `head:` of task {', '.join(map(repr, heads))}" if heads else ""
            return f"choose another way to fuse than `fuse: {{type: {job.fuse.type}}}`{other}"
        case _:
            return ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it came from, and so on."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def first_line(error: BaseException) -> str:
    """The first line of what an error says, without its full stop."""
    lines = str(error).strip().splitlines()
    return lines[0][:LONGEST].rstrip(".") if lines else type(error).__name__


def capital(text: str) -> str:
    """A sentence's beginning."""
    return text[:1].upper() + text[1:]
