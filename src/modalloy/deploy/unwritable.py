"""Operations that a backend cannot write: which one it is, in a sentence that says what to do."""

import re
from collections.abc import Collection, Iterator

from modalloy.errors import RunError

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


def no_onnx(name: str, change: str, error: BaseException) -> RunError:
    """What to say where the exporter fails. name: of the input, none for fusion and heads. change:
    of the job, in words, if any helps.
    """
    chain = list(causes(error))
    found = [m[1] for e in reversed(chain) for form in NAMED if (m := form.search(str(e)))]
    if found:
        why = f"it has no operation '{found[0]}'"
    elif any(BY_CONTENT in str(e) for e in chain):
        why = f"a size in it depends on what a cell holds ({first_line(chain[-1])})"
    else:
        why = first_line(chain[-1])
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
