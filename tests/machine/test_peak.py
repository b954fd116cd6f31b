"""This machine's peak is measured apart, remembered by fingerprint, and what hangs is named."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modalloy.machine import peak as module
from modalloy.machine import products
from modalloy.machine.confined import Confined
from modalloy.machine.fingerprint import fingerprint
from modalloy.machine.peak import Peak, peak, peaks_file
from modalloy.machine.remembered import read

NUMPY = {"numpy": ("float32",)}


def test_a_peak_is_what_products_reach_here() -> None:
    found = peak(threads=1, products=NUMPY)
    assert found.refused == {}
    assert found.copied is not None
    assert 1e8 < found.copied < 1e12
    x = np.ones((256, 256), np.float32)
    start = time.perf_counter()
    for _ in range(20):
        x @ x
    share = found.share(20 * 2 * 256**3, time.perf_counter() - start)
    assert share is not None
    assert 0.01 < share < 5  # neighbours may have come or gone
    assert found.share(1.0, 1.0, "int8") is None
    assert "float32" in found.text()
    assert found.text().endswith("with 1 thread")


def confined(rates: dict[str, Any], asked: list[str]) -> Callable[..., Confined]:
    """A process that measures nothing: a rate by engine and type, or why there is none."""

    def run(function: str, given: dict[str, Any], **limits: Any) -> Confined:
        assert limits["memory_bytes"] == module.MEMORY_BYTES
        if function.endswith(":copy_rate"):
            return Confined(5e9, None, 0.1, None)
        asked.append(f"{given['engine']}/{','.join(given['kinds'])}")
        own = {kind: rates[f"{given['engine']}/{kind}"] for kind in given["kinds"]}
        if None in own.values():
            return Confined(None, "It took longer than 20 s and was stopped.", 20.0, None)
        return Confined(own, None, 0.1, None)

    return run


RATES = {
    "numpy/float32": 2e9,
    "torch/float32": 3e9,
    "torch/bfloat16": None,  # hangs
    "torch/int8": "RuntimeError: not here",
}
TRIED = {"numpy": ("float32",), "torch": ("float32", "bfloat16", "int8"), "no_engine": ("int8",)}


def test_the_best_engine_counts_and_what_hangs_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(module, "run_confined", confined(RATES, asked))
    found = peak(threads=2, products=TRIED)
    assert asked == [
        "numpy/float32",
        "torch/float32,bfloat16,int8",
        "torch/float32",
        "torch/bfloat16",
        "torch/int8",
    ]
    assert found.operations == {"float32": 3e9}
    assert found.engines == {"numpy/float32": 2e9, "torch/float32": 3e9}
    assert found.refused == {
        "torch/bfloat16": "It took longer than 20 s and was stopped.",
        "torch/int8": "RuntimeError: not here",
    }
    assert found.share(3e8, 0.2) == pytest.approx(0.5)


def test_it_is_remembered_for_this_machine_and_these_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept, asked = peaks_file(), []
    assert kept == tmp_path / "modalloy" / "peaks.json"
    monkeypatch.setattr(module, "run_confined", confined(RATES, asked))

    def measured(threads: int = 2) -> tuple[Peak, bool]:
        asked.clear()
        found = peak(threads=threads, kept=kept, products=NUMPY)
        return found, bool(asked)

    first, anew = measured()
    assert anew
    assert measured() == (first, False)
    assert measured(3)[1]
    other = replace(fingerprint(), processor="another")
    with monkeypatch.context() as patch:
        patch.setattr(module, "fingerprint", lambda: other)
        assert measured()[1]
    assert len(read(kept)) == 3
    kept.write_text(kept.read_text().replace('"operations"', '"of another version"'))
    again, anew = measured()
    assert anew
    assert measured() == (again, False)


def test_products_grow_until_one_takes_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def made(kind: str, threads: int, size: int) -> Callable[[], None]:
        sizes.append(size)
        return lambda: time.sleep(0.0001 * size / 16)

    monkeypatch.setattr(products, "numpy_product", made)
    rate = products.product_rate("numpy", "float32", 1, 0.01)
    assert sizes == [256, 512, 1024, 2048]
    assert rate == pytest.approx(2 * 2048**3 / 0.0128, rel=0.5)
    sizes.clear()
    monkeypatch.setattr(products, "WHILE_S", 0.001)
    products.product_rate("numpy", "float32", 1, 0.01)
    assert sizes == [256]


def test_what_an_engine_raises_is_said_of_its_type_alone() -> None:
    found = products.product_rates("numpy", ["float32", "no type"], 1, 0.001)
    assert isinstance(found["float32"], float)
    assert found["no type"] == "TypeError: data type 'no type' not understood"
