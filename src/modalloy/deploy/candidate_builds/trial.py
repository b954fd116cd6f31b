"""Runs what was just built once, where it may hang or crash alone."""

import time
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from modalloy.graphs.branch import EngineName, Precision, Variant
from modalloy.graphs.open import session_of
from modalloy.readers.batch import Arrays


def packed(values: Arrays) -> bytes:
    """Arrays by name as bytes."""
    return save({n: np.ascontiguousarray(x) for n, x in values.items()})


def unpacked(data: bytes) -> Arrays:
    """What `packed` packed."""
    return load(data)


def tried(
    files: list[bytes],
    engine: EngineName,
    precision: Precision,
    feeds: list[bytes],
    threads: int,
    **more: Any,
) -> dict[str, Any]:
    """What a build returns: its files, and seconds of one run of each feed after a first one."""
    names = tuple(str(i) for i in range(len(files)))
    session = session_of(Variant(engine, names, precision), files, threads=threads)
    seconds = []
    for feed in feeds:
        values = unpacked(feed)
        session.run(values)
        begin = time.perf_counter()
        session.run(values)
        seconds.append(time.perf_counter() - begin)
    return {"files": files, "seconds": seconds, **more}
