"""A manifest is read in the one form that it is written in."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.bundle.manifest import Manifest
from modalloy.errors import BundleError

WHOLE = Manifest({"a.json": "0" * 64}, {"a.json": 2}, "2026-11-30T12:00:00+00:00", {"x": [1.5]})


def test_round_trip() -> None:
    found = Manifest.from_json(WHOLE.to_json())
    assert found == WHOLE
    assert found.identity == WHOLE.identity
    assert json.loads(WHOLE.to_json())["bytes"] == {"a.json": 2}


@settings(max_examples=25)
@given(
    st.dictionaries(st.from_regex(r"[a-z]{4}(/[a-z]{4})?\.json", fullmatch=True), st.binary()),
    st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False)),
)
def test_round_trip_of_any_parts_and_notes(parts: dict[str, bytes], notes: dict[str, Any]) -> None:
    made = Manifest(
        {name: data.hex().ljust(64, "0")[:64] for name, data in parts.items()},
        {name: len(data) for name, data in parts.items()},
        WHOLE.created,
        notes,
    )
    found = Manifest.from_json(made.to_json())
    assert found == made
    assert found.to_json() == made.to_json()


DAMAGED = "is not a manifest as modalloy writes it"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "model"}, "is not the manifest of a bundle"),
        ({"format": 2}, r"made by a newer modalloy \(.*, format 2\).*formats up to 1; upgrade"),
        ({"format": 0}, DAMAGED),
        ({"format": True}, DAMAGED),
        ({"format": "1"}, DAMAGED),
        ({"modalloy": None}, DAMAGED),
        ({"modalloy": "1.0\n; curl"}, DAMAGED),
        ({"created": "yesterday"}, DAMAGED),
        ({"created": "2026-11-30T12:00:00"}, DAMAGED),
        ({"created": 5}, DAMAGED),
        ({"signed_by": "0" * 63}, DAMAGED),
        ({"signed_by": 1}, DAMAGED),
        ({"sha256": []}, DAMAGED),
        ({"sha256": {"a.json": "g" * 64}}, DAMAGED),
        ({"sha256": {"b.json": "0" * 64}}, DAMAGED),
        ({"bytes": {"a.json": -1}}, DAMAGED),
        ({"bytes": {"a.json": 2.0}}, DAMAGED),
        ({"bytes": {"a.json": True}}, DAMAGED),
        ({"bytes": {"a.json": 1 << 60}}, DAMAGED),
        ({"notes": []}, DAMAGED),
        ({"more": 1}, DAMAGED),
        ({"sha256": {"../a": "0" * 64}, "bytes": {"../a": 2}}, "'../a' cannot name a part"),
        ({"sha256": {"manifest.sig": "0" * 64}, "bytes": {"manifest.sig": 2}}, "itself writes it"),
        ({"sha256": {"a.pkl": "0" * 64}, "bytes": {"a.pkl": 2}}, "run code when they are opened"),
        (
            {"sha256": {"a": "0" * 64, "a/b": "0" * 64}, "bytes": {"a": 2, "a/b": 2}},
            "two members that are called",
        ),
    ],
)
def test_refusals(change: dict[str, Any], said: str) -> None:
    data = json.dumps(json.loads(WHOLE.to_json()) | change, indent=1).encode()
    with pytest.raises(BundleError, match=said) as caught:
        Manifest.from_json(data, "m.zip: manifest.json")
    assert "\n" not in str(caught.value)


def test_the_same_facts_in_another_form_are_refused() -> None:
    told = json.loads(WHOLE.to_json())
    two = Manifest({"b": "0" * 64, "a": "0" * 64}, {"a": 1, "b": 1}, WHOLE.created)
    unsorted = two.to_json().replace(b'"a"', b'"c"')
    for data in (json.dumps(told).encode(), WHOLE.to_json() + b"\n", unsorted, b"[]", b"3"):
        with pytest.raises(BundleError, match="manifest"):
            Manifest.from_json(data)
