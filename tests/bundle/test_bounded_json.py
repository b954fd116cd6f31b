"""JSON within bounds is read as Python reads it; all else is refused, in little time."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import refusal
from modalloy.bundle.bounded_json import DEEPEST, parse_json, refuse_depth
from modalloy.errors import BundleError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.sampled_from('[]{}",\\aé\n:')),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def depth(value: Any) -> int:
    """How deep lists and objects lie in one another, the slow way."""
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@settings(max_examples=40)
@given(VALUES, st.sampled_from([None, 1]))
def test_what_json_says(value: Any, indent: int | None) -> None:
    data = json.dumps(value, indent=indent).encode()
    assert parse_json(data, "x.json") == value
    refuse_depth(data, "x.json", depth(value))
    if depth(value):
        with pytest.raises(BundleError, match="deep in one another"):
            refuse_depth(data, "x.json", depth(value) - 1)


@given(st.binary(max_size=40) | st.text(alphabet='[]{}",\\1e.-', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    said = refusal(lambda: parse_json(data, "x.json"))
    assert said.startswith("x.json: ") or not said
    if not said:
        assert parse_json(data, "x.json") == json.loads(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": 1, "a": 2}', "an object has a name twice"),
        (b"NaN", "NaN is no number of JSON"),
        (b"[-Infinity]", "-Infinity is no number of JSON"),
        (b"1e999", "a number is too large"),
        (b"1" * 401, "a number has 401 digits"),
        (b"0." + b"1" * 5000, "too many digits"),
        (b"\xff\xfe", "cannot be read as JSON"),
        (b"\xef\xbb\xbf{}", "cannot be read as JSON"),
        (b"", "cannot be read as JSON"),
        (b"[" * (DEEPEST + 1), "more than 32 deep"),
    ],
)
def test_refusals(data: bytes, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        parse_json(data, "x.json")


def test_size() -> None:
    assert parse_json(b"[1]", "x.json", largest=3) == [1]
    with pytest.raises(BundleError, match="has 4 bytes of JSON, and at most 3 are read"):
        parse_json(b"[12]", "x.json", largest=3)


def test_too_many_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modalloy.bundle.bounded_json.MOST", 3)
    assert parse_json(b'[{}, "[]", {}]', "x.json") == [{}, "[]", {}]
    with pytest.raises(BundleError, match="has more than 3 lists and objects"):
        parse_json(b"[{}, [], {}]", "x.json")


@pytest.mark.parametrize("data", [b'"' + b'\\"' * 1_000_000, b'"\\' * 1_000_000, b"[]" * 1_000_000])
def test_no_text_is_looked_at_twice(data: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(BundleError):
        parse_json(data + b"\\", "x.json")
    assert time.perf_counter() - began < 4
