"""What `doctor` says of processor, memory, disk and torch."""

import importlib.metadata
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modalloy.machine.fingerprint import cpu_flags
from modalloy.machine.limits import disk_free_bytes, limits
from modalloy.machine.vitals import State, Vital

GB = 1e9
FAST_FLAGS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")


def look_at_torch(facts: dict[str, Any]) -> Iterator[Vital]:
    """Build, threads, number types and accelerator of torch."""
    if not facts:
        return
    build = "CPU build" if facts["cuda"] is None else f"CUDA {facts['cuda']} build"
    accepted = _accepted("torch", facts["version"])
    needless = facts["cuda"] is not None and not facts["gpus"]
    do = "" if accepted else f"pip install '{requirement('torch')}'"
    if needless and not do:
        do = "Works; the CPU build from PyTorch's own index is several GB smaller."
    state: State = "ok" if accepted and not needless else "warn"
    yield Vital("torch", state, f"{facts['version']}, {build}", do)
    allowed = limits().cores
    many = facts["threads"] > max(1.0, allowed) + 0.5
    advice = f"Set OMP_NUM_THREADS={max(1, round(allowed))}: more threads than cores slow it down."
    threads = f"{facts['threads']} for {allowed:g} cores"
    yield Vital("threads", "warn" if many else "ok", threads, advice if many else "")
    yield _number_types(facts)
    gpus = ", ".join(facts["gpus"]) or "none; training runs on the processor"
    yield Vital("GPU", "ok" if facts["gpus"] else "absent", gpus)


def _number_types(facts: dict[str, Any]) -> Vital:
    """What the processor multiplies fast; `precision: auto` measures it anyway."""
    flags = cpu_flags()
    fast = [flag for flag in FAST_FLAGS if flag in flags] or [facts["capability"].lower()]
    bf16 = "bfloat16 in hardware" if {"amx_bf16", "avx512_bf16"} & set(fast) else "no bfloat16 unit"
    ratio = f"; a bfloat16 product takes {facts['bf16_ratio']:.2f} of the float32 time"
    return Vital("number types", "ok", f"{' '.join(fast)} ({bf16}){ratio}")


def look_at_machine() -> Iterator[Vital]:
    """Cores, memory and disk that this process may use."""
    allowed = limits()
    where = "container's limit" if allowed.container else "the whole machine"
    yield Vital("cores", "ok", f"{allowed.cores:g}, {where}")
    memory = allowed.memory_bytes / GB
    few = "Choose a small batch and pixels; 4 GB are a comfortable least."
    state: State = "ok" if memory >= 4 else "warn"
    yield Vital("memory", state, f"{memory:.1f} GB, {where}", "" if state == "ok" else few)
    for name, folder in (("disk here", Path()), ("disk for caches", Path(tempfile.gettempdir()))):
        free = disk_free_bytes(folder) / GB
        full = "Free some, or lower train.cache_gb (a training keeps 8 GB at most, unless told)."
        state = "ok" if free >= 10 else "warn"
        yield Vital(name, state, f"{free:.0f} GB free", "" if state == "ok" else full)


def requirement(name: str) -> str:
    """The version range that this installation of Modalloy asks of a package."""
    for line in importlib.metadata.requires("modalloy") or []:
        if re.match(rf"{re.escape(name)}(?![\w.-])", line) and "extra ==" not in line:
            return line.replace(" ", "")
    return name


def _accepted(name: str, version: str) -> bool:
    """Whether a version lies in the range that Modalloy was tested with."""
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    for sign, major, minor in re.findall(r"(>=|<)(\d+)\.(\d+)", requirement(name)):
        bound = (int(major), int(minor))
        if (sign == ">=" and found < bound) or (sign == "<" and found >= bound):
            return False
    return True
