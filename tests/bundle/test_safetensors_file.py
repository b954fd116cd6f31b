"""Headers of safetensors: those of the library pass, and what passes the library reads."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import deserialize
from safetensors.numpy import save

from modalloy.bundle.safetensors_file import refuse_safetensors
from modalloy.errors import BundleError

TWO = save({"a": np.ones((2, 3), np.float32), "b": np.arange(3)}, {"made": "here"})


def with_header(told: Any, data: bytes = bytes(8)) -> bytes:
    header = told if isinstance(told, bytes) else json.dumps(told).encode()
    return len(header).to_bytes(8, "little") + header + data


def tensor(dtype: Any = "F32", shape: Any = (2,), span: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": span}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint16, bool])
def test_files_of_the_library_pass(dtype: type) -> None:
    data = save({"a": np.ones((2, 0, 3), dtype), "b": np.ones((), dtype), "c": np.ones(5, dtype)})
    refuse_safetensors(data, "w.safetensors")
    refuse_safetensors(save({}), "w.safetensors")
    refuse_safetensors(TWO, "w.safetensors")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut off in its header"),
        (TWO[:7], "cut off in its header"),
        (TWO[:60], "cut off in its header"),
        (b"\xff" * 8 + bytes(99), "cut off in its header"),
        (TWO[:-1], "take 48 bytes, and 47 follow its header"),
        (TWO + b"x", "take 48 bytes, and 49 follow its header"),
        (with_header(b"{"), "cannot be read as JSON"),
        (with_header(b"[" * 9), "more than 4 deep"),
        (with_header([]), "no JSON object"),
        (with_header({"__metadata__": {"a": 1}}, b""), "no table of texts"),
        (with_header({"__metadata__": []}, b""), "no table of texts"),
        (with_header({"a": []}), "what its header says of 'a' cannot be"),
        (with_header({"a": {"dtype": "F32"}}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor() | {"more": 1}}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(dtype="O")}), "'a' has a type that is not read here"),
        (with_header({"a": tensor(dtype=4)}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(shape=[3])}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(shape=[-2])}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(shape=[2.0])}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(shape=[True, 2])}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(shape=[1 << 60])}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(shape=[1] * 16 + [2])}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(shape=2)}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(span=[8, 0])}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(span=[0, 8, 8])}), "what its header says of 'a' cannot be"),
        (with_header({"a": tensor(span=[8, 16])}), "'a' lies over another tensor, or behind a gap"),
        (with_header({"a": tensor(), "b": tensor()}), "'b' lies over another tensor"),
    ],
)
def test_refusals(data: bytes, said: str) -> None:
    with pytest.raises(BundleError, match=said) as caught:
        refuse_safetensors(data, "w.safetensors")
    assert str(caught.value).startswith("w.safetensors: ")


def test_a_header_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modalloy.bundle.safetensors_file.LARGEST_HEADER", 20)
    with pytest.raises(BundleError, match=r"its header says .* at most 20 are read"):
        refuse_safetensors(TWO, "w.safetensors")


@given(st.integers(0, len(TWO) - 1), st.binary(min_size=1, max_size=3))
def test_whatever_passes_the_library_reads(at: int, put: bytes) -> None:
    data = (TWO[:at] + put + TWO[at + len(put) :])[: len(TWO)]
    try:
        refuse_safetensors(data, "w.safetensors")
    except BundleError:
        return
    assert sum(len(t["data"]) for _, t in deserialize(data)) == 48
