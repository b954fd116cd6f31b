"""What this machine is, as far as answers may depend on it: processor, cores, engines."""

import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from modalloy.machine.limits import cores

CPUINFO = Path("/proc/cpuinfo")
ENGINES = ("torch", "onnxruntime", "openvino", "numpy")
# Instruction sets that kernels are chosen by: vectors, fused sums, half and 8-bit products.
CHOOSES_KERNELS = re.compile(r"avx.*|amx.*|fma|f16c|sve.*|sme.*|asimd(dp|hp)?|i8mm|bf16|neon")


@dataclass(frozen=True)
class Fingerprint:
    """processor: its model. flags: instruction sets that kernels are chosen by, sorted. cores:
    processors that this process may use. versions: of the engines that are installed.
    """

    processor: str
    flags: tuple[str, ...]
    cores: int
    versions: Mapping[str, str]

    @property
    def key(self) -> str:
        """Names it in a file or its name."""
        text = json.dumps(self.state(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON."""
        return {**asdict(self), "flags": list(self.flags), "versions": dict(self.versions)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The fingerprint whose `state` this is."""
        own: dict[str, Any] = {**state, "flags": tuple(state["flags"])}
        return cls(**own)


class Likeness(NamedTuple):
    """Whether two machines choose the same kernels, and in a sentence what follows of it."""

    same: bool
    why: str


def fingerprint() -> Fingerprint:
    """Of this machine, for this process; no engine is imported for it."""
    return Fingerprint(processor(), kernel_flags(), cores(), engine_versions())


def same_kind(then: Fingerprint, now: Fingerprint) -> Likeness:
    """Whether answers of the first machine hold on the second one.

    With other instruction sets or other versions of an engine its kernels round in other places,
    and 8-bit ones may even saturate (onnxruntime issues 14642, 5849): answers are to be compared.
    """
    differ = [*flag_changes(then, now), *version_changes(then, now)]
    if then.processor != now.processor:
        differ.insert(0, f"the processor was {then.processor} and is {now.processor}")
    if differ:
        return Likeness(False, f"Answers may differ here: {'; '.join(differ)}.")
    if then.cores != now.cores:
        count = f"{then.cores} cores then, {now.cores} now"
        return Likeness(True, f"Answers may differ in their last bits alone: {count}.")
    return Likeness(True, "Answers are the same here: same processor, cores and versions.")


def flag_changes(then: Fingerprint, now: Fingerprint) -> list[str]:
    """Instruction sets that are gone or new, in words."""
    gone = sorted({*then.flags} - {*now.flags})
    new = sorted({*now.flags} - {*then.flags})
    said = [f"it lacks {', '.join(gone)}"] if gone else []
    return said + ([f"it has {', '.join(new)} besides"] if new else [])


def version_changes(then: Fingerprint, now: Fingerprint) -> list[str]:
    """Engines of another version; one that only one of the two has computes nothing in common."""
    both = [name for name in then.versions if name in now.versions]
    return [
        f"{name} was {then.versions[name]} and is {now.versions[name]}"
        for name in both
        if then.versions[name] != now.versions[name]
    ]


def engine_versions() -> dict[str, str]:
    """Versions of the engines that are installed."""
    found = {}
    for name in ENGINES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def kernel_flags(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """Instruction sets that kernels are chosen by, sorted; none where the system does not tell."""
    return tuple(sorted(f for f in cpu_flags(cpuinfo) if CHOOSES_KERNELS.fullmatch(f)))


def cpu_flags(cpuinfo: Path = CPUINFO) -> set[str]:
    """All instruction sets of the processor, where Linux tells."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text_of(cpuinfo), re.MULTILINE)
    return set(found[1].split()) if found else set()


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The model of the processor, as far as the system tells."""
    found = re.search(r"^model name\s*:\s*(.*)$", text_of(cpuinfo), re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def text_of(file: Path) -> str:
    """A system file; empty where it is absent or not for us."""
    try:
        return file.read_text()
    except OSError:
        return ""
