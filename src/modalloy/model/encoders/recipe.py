"""What decides, bit for bit, which features an encoder makes of arrays, as one short name."""

import functools
import hashlib
import importlib.metadata
from pathlib import Path

import torch

from modalloy.machine.fingerprint import fingerprint
from modalloy.model.encoders.encoder import Encoder

# Parts of encoders that only `embed` reads. What is not named here counts: at worst a name is
# another one than it need be.
BEHIND = (
    "absent_D",
    "scale.",
    "project.",
    "summarise.",
    "layer_TD",
    "channel_CD",
    "heads.",
    "unknown_D",
    "join.",
    "last.",
    "step.",
    "pool.",
)
ROOM = Path(__file__).parent.parent  # all files that say how encoders compute


def recipe_of(encoder: Encoder, at_once: int) -> bytes:
    """Weights before the features, options that are no weights, code, engines and processor.

    at_once: rows that run together, by which kernels choose their order of summation.
    """
    seen = hashlib.blake2b(code(), digest_size=32)
    device = next(encoder.parameters()).device.type
    facts = [type(encoder).__name__, at_once, device, torch.get_num_threads(), fingerprint().key]
    if device == "cuda":
        facts.append(torch.cuda.get_device_name())
    facts += [encoder.frozen, encoder.held, *(f"{n} {v!r}" for n, v in plain(encoder))]
    seen.update(repr(facts).encode())
    for name, tensor in [*encoder.state_dict().items(), *encoder.named_buffers()]:
        if not name.startswith(BEHIND):
            seen.update(repr((name, tensor.dtype, tuple(tensor.shape))).encode())
            whole = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
            seen.update(whole.numpy().data)
    return seen.digest()


def plain(encoder: Encoder) -> list[tuple[str, object]]:
    """What an encoder remembers beside tensors and modules: flags, sizes, its options."""
    passing = ("width", "training", "adapted", "opened", "together", "guest")
    return sorted(
        (name, value)
        for name, value in vars(encoder).items()
        if not name.startswith("_") and name not in (*passing, "blocks")
    )


@functools.cache
def code() -> bytes:
    """All code of models, and the version of the library that many trunks come from."""
    seen = hashlib.blake2b(digest_size=32)
    for path in sorted(ROOM.rglob("*.py")):
        seen.update(path.read_bytes())
    try:
        seen.update(importlib.metadata.version("transformers").encode())
    except importlib.metadata.PackageNotFoundError:
        seen.update(b"none")
    return seen.digest()
