"""The most that this machine can compute and copy, measured once and remembered: what reports mean
by `% of peak`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from modalloy.machine.confined import Confined, run_confined
from modalloy.machine.fingerprint import fingerprint
from modalloy.machine.limits import cache_folder, cores
from modalloy.machine.remembered import keep, read

PRODUCTS = {  # number types whose products are tried, by engine
    "numpy": ("float32",),
    "torch": ("float32", "bfloat16", "int8"),
    "openvino": ("float32", "bfloat16", "float16", "int8"),
}
TIMED_S = 0.2  # seconds of products, or of copies
PATIENCE_S = 20.0  # for one process, the import of its engine included
MEMORY_BYTES = 2_000_000_000
HOME = "modalloy.machine.products"


@dataclass(frozen=True)
class Peak:
    """operations: the most a second by number type, and `engines` by `engine/type`; two operations
    for each product of two numbers. copied: bytes read and written a second. refused: why an engine
    gave none, by `engine/type`. threads: used by all of them. seconds: that it took to measure.
    """

    threads: int
    operations: Mapping[str, float]
    engines: Mapping[str, float]
    copied: float | None
    refused: Mapping[str, str]
    seconds: float

    def share(self, operations: float, seconds: float, kind: str = "float32") -> float | None:
        """Part of the peak of a number type that work reaches; None where nothing gave one."""
        most = self.operations.get(kind)
        return None if most is None else operations / seconds / most

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The peak whose `state` this is. TypeError for what is none."""
        return cls(**state)

    def text(self) -> str:
        """One line for a terminal or a page."""
        rates = [f"{kind} {rate / 1e9:.3g} GFLOP/s" for kind, rate in self.operations.items()]
        copied = [] if self.copied is None else [f"copies {self.copied / 1e9:.1f} GB/s"]
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{', '.join([*rates, *copied])} with {threads}"


def peaks_file() -> Path:
    """Where peaks are remembered, in the user's cache folder."""
    return cache_folder() / "peaks.json"


def peak(
    *,
    threads: int | None = None,
    kept: Path | None = None,
    products: Mapping[str, Sequence[str]] = PRODUCTS,
) -> Peak:
    """This machine's peak: remembered, or measured now, each engine in a process of its own.

    threads: for None all cores that this process may use. kept: the file that answers are
    remembered in; None neither asks nor keeps. products: number types to try, by engine.
    """
    threads = threads or cores()
    tried = " ".join(f"{engine}:{','.join(kinds)}" for engine, kinds in products.items())
    key = f"{fingerprint().key} {threads} {tried}"
    known = read(kept).get(key)
    if known is not None:
        try:
            return Peak.from_state(known)
        except TypeError:  # of another version
            pass
    found = measure(threads, products)
    keep(kept, key, found.state())
    return found


def measure(threads: int, products: Mapping[str, Sequence[str]]) -> Peak:
    """The peak, from processes that may hang or crash alone."""
    begin = time.monotonic()
    engines: dict[str, float] = {}
    refused: dict[str, str] = {}
    for engine, kinds in products.items():
        if find_spec(engine) is None:
            continue
        for kind, said in rates(engine, list(kinds), threads).items():
            if isinstance(said, str):
                refused[f"{engine}/{kind}"] = said
            else:
                engines[f"{engine}/{kind}"] = said
    best: dict[str, float] = {}
    for name, rate in engines.items():
        kind = name.partition("/")[2]
        best[kind] = max(rate, best.get(kind, 0.0))
    copies = apart("copy_rate", {}, threads)
    if copies.why is not None:
        refused["copy"] = copies.why
    return Peak(threads, best, engines, copies.result, refused, time.monotonic() - begin)


def rates(engine: str, kinds: list[str], threads: int) -> dict[str, float | str]:
    """Operations a second of an engine's number types, or why there is none.

    All in one process, which imports the engine once; where that one fails, each in its own.
    """
    done = apart("product_rates", {"engine": engine, "kinds": kinds}, threads)
    if done.why is None:
        return done.result
    if len(kinds) == 1:
        return {kinds[0]: done.why}
    return {kind: rates(engine, [kind], threads)[kind] for kind in kinds}


def apart(name: str, given: Mapping[str, Any], threads: int) -> Confined:
    """What a function of `products.py` returns in a process of its own."""
    asked = {**given, "threads": threads, "seconds": TIMED_S}
    limits = {"seconds": PATIENCE_S, "memory_bytes": MEMORY_BYTES}
    return run_confined(f"{HOME}:{name}", asked, threads=threads, **limits)
