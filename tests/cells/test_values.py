"""Cells are spelled alike wherever they come from."""

import pytest

from modalloy.cells.values import spelled, to_mixed, to_python


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"ab", "ab"), ("Öl".encode(), "Öl"), (b" x ", "x"), (b"\xff\x00", "ff00"), (b"", None)],
)
def test_raw_bytes_are_the_text_that_they_are(raw: bytes, text: str | None) -> None:
    assert spelled(raw) == text
    assert to_python(to_mixed([raw, 1.5])) == [text, 1.5]
