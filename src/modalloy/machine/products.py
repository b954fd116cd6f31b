"""How fast matrix products and copies are here; called in a process of its own.

Engines are imported by name when they are asked for: none is needed to know that one is absent.
"""

import importlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

SIZES = (256, 512, 1024, 2048)  # rows and columns of what is multiplied, as large as takes a while
WHILE_S = 0.01
FEWEST = 3  # products or copies that the fastest one is taken of
COPIED_BYTES = 256 << 20  # more than any processor's cache
LONGEST = 200  # characters of an error that are told
HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "int8": "f32"}
COMPUTED_IN = HINTS | {"int8": "u8 i8"}


def product_rates(
    engine: str, kinds: list[str], threads: int, seconds: float
) -> dict[str, float | str]:
    """Operations a second of each number type, or why there is none in words."""
    found: dict[str, float | str] = {}
    for kind in kinds:
        try:
            found[kind] = product_rate(engine, kind, threads, seconds)
        except Exception as error:  # whatever an engine raises is the answer
            first = (str(error).strip() or "no reason given").splitlines()[0]
            found[kind] = f"{type(error).__name__}: {first[:LONGEST]}"
    return found


def product_rate(engine: str, kind: str, threads: int, seconds: float) -> float:
    """Operations a second, two for each product of two numbers, in the fastest of some products.

    RuntimeError where an engine computes in another number type than the one that is asked for.
    """
    make = {"numpy": numpy_product, "torch": torch_product, "openvino": openvino_product}[engine]
    rate = 0.0
    for size in SIZES:
        took = fastest(make(kind, threads, size), seconds / len(SIZES))
        rate = max(rate, 2.0 * size**3 / took)
        if took > WHILE_S:
            break
    return rate


def copy_rate(threads: int, seconds: float) -> float:
    """Bytes read and written a second by the fastest of some copies."""
    source, target = (np.ones(COPIED_BYTES, np.uint8) for _ in range(2))
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), parts))

        return 2.0 * COPIED_BYTES / fastest(copy, seconds)


def fastest(do: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest call in so many seconds, after one that warms up."""
    do()
    took, last = [], time.perf_counter() + seconds
    while len(took) < FEWEST or time.perf_counter() < last:
        start = time.perf_counter()
        do()
        took.append(time.perf_counter() - start)
    return min(took)


def numpy_product(kind: str, threads: int, size: int) -> Callable[[], object]:
    """With the threads that its library was started with."""
    x = np.ones((size, size), np.dtype(kind))
    out = np.empty_like(x)
    return lambda: np.matmul(x, x, out=out)


def torch_product(kind: str, threads: int, size: int) -> Callable[[], object]:
    """Plain products; 8-bit ones add up in 32 bits."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    x = torch.ones(size, size, dtype=getattr(torch, kind))
    multiply = torch._int_mm if kind == "int8" else torch.mm
    return lambda: multiply(x, x)


def openvino_product(kind: str, threads: int, size: int) -> Callable[[], object]:
    """From float32 to float32, as encoders are run: 8-bit ones quantise their input first."""
    ov, ops = (importlib.import_module(n) for n in ("openvino", "openvino.opset13"))
    x = ops.parameter([size, size], np.float32)
    w = np.ones((size, size), np.float32)
    if kind == "int8":
        ends = [np.float32(v) for v in (-1.28, 1.27, -1.28, 1.27)]
        near = ops.fake_quantize(x, *ends, levels=256)
        scaled = ops.multiply(ops.convert(ops.constant(w.astype(np.int8)), "f32"), np.float32(0.01))
        product = ops.matmul(near, scaled, False, True)
    else:
        product = ops.matmul(x, ops.constant(w), False, True)
    model = ov.Model([product], [x], "product")
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[kind],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    compiled = ov.Core().compile_model(model, "CPU", settings)
    refuse_other_type(compiled, COMPUTED_IN[kind])
    request, given = compiled.create_infer_request(), np.ones((size, size), np.float32)
    return lambda: request.infer({0: given}, share_inputs=True, share_outputs=True)


def refuse_other_type(compiled: Any, wanted: str) -> None:
    """Engines may take a number type that the processor lacks for another one, without a word."""
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        if info["layerType"].astype(str) in ("FullyConnected", "MatMul"):
            own = info["runtimePrecision"].astype(str)
            if own not in wanted.split():
                raise RuntimeError(f"it computes in {own} on this processor, not in {wanted}")
