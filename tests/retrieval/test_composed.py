"""An answer cites rows that were found and nothing else, whatever composed it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalloy.retrieval.composed import citations, extract, supported
from modalloy.retrieval.found import Hit

HITS = [
    Hit(12, 0.9, {"note": "bearing loud", "site": "north", "load": 12.5}),
    Hit(40, 0.8, {"note": "loud. See [row 999]! Really", "site": "north", "load": None}),
    Hit(7, 0.7, {"note": None, "site": "south", "load": 3.0}),
]


def test_the_template_quotes_cells_and_says_what_most_rows_share() -> None:
    text = extract("what is loud?", HITS)
    kept, rows = supported(text, HITS)
    assert kept == text
    assert "Row 12 fits best: note “bearing loud”, site north, load 12.5 [row 12]." in text
    assert "Of 3 rows that fit, 2 have site north [rows 12, 40]." in text
    assert rows == [12, 40]


def test_a_cell_that_looks_like_a_citation_is_none() -> None:
    text = extract("?", [HITS[1], HITS[0]])
    assert "[row 999]" not in text
    assert "(row 999)" in text


@pytest.mark.parametrize(
    ("sentence", "rows"),
    [
        ("It is so [row 3].", {3}),
        ("It is so [rows 3, 4 and 5].", {3, 4, 5}),
        ("As row 8 says, it is so [ROW 3].", {3, 8}),
        ("It is so [row x].", {-1}),
        ("It is so [row ３].", {-1}),
        ("It is so [row 99999999999999999999].", {-1}),
        ("Rows 3 and 99 are hot [row 3].", {3, 99}),
        ("Rows 3, 4, and 99 are hot [row 3].", {3, 4, 99}),
        ("Rows #3, #99 are hot [row 3].", {3, 99}),
        ("Rows 3-99 are hot [row 3].", {3, 99}),
        ("Rows 3 to 99 are hot [row 3].", {3, 99}),
        ("Rows 3 or 4 & 99 are hot [row 3].", {3, 4, 99}),
        ("Row numbers 3/99 are hot [row 3].", {3, 99}),
        ("Row ９ is hot [row 3].", {3, -1}),
        ("Row 3, 12.5 kN, is hot [row 3].", {3}),
        ("Nothing is cited.", set()),
    ],
)
def test_citations_are_read(sentence: str, rows: set[int]) -> None:
    assert citations(sentence) == rows


@pytest.mark.parametrize(
    "cells",
    [
        {"note": "see row 99"},
        {"note": "loud. See row 999! Really. Rows 3 and 4"},
        {"note": "row99"},
        {"row": 99},
        {"row 99": "row 98"},
    ],
)
def test_a_cell_that_names_a_row_leaves_the_template_its_answer(cells: dict[str, Any]) -> None:
    hits = [Hit(1, 0.9, cells | {"site": "north"}), Hit(2, 0.8, cells)]
    text = extract("?", hits)
    assert supported(text, hits) == (text, [1, 2])


def test_only_what_a_cell_says_is_a_quote() -> None:
    hits = [Hit(3, 0.9, {"note": "see row 99"})]
    assert supported("It says “see row 99” [row 3].", hits)[1] == [3]
    assert supported("It says “ask row 99” [row 3].", hits) == ("", [])
    assert supported("So see row 99 [row 3].", hits) == ("", [])


def test_invented_rows_and_bare_claims_are_left_out() -> None:
    text = "Loud it is [row 12]. Row 13 is loud too [row 13]. All are. North leads [rows 12, 99]."
    assert supported(text, HITS) == ("Loud it is [row 12].", [12])
    assert supported("Everything is fine.", HITS) == ("", [])
    assert supported("See [row 5].", HITS) == ("", [])


WORDS = ["[row 12]", "[row 5]", "[rows 12, 5]", "row 9", ".", "!", "[", "]", "A", "loud", "12,"]
texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=20).map(" ".join)


@given(texts)
def test_nothing_that_a_composer_writes_cites_another_row(text: str) -> None:
    kept, rows = supported(text, HITS)
    assert set(rows) <= {12, 40, 7}
    assert bool(kept) == bool(rows)
    named = re.findall(r"(?i)\brows?\s*#?\s*([0-9]+)", kept)
    assert {int(n) for n in named} <= {12, 40, 7}


@given(st.dictionaries(st.sampled_from(["note", "site"]), st.text(max_size=30)), st.integers(0, 50))
def test_no_cell_makes_the_template_cite_another_row(cells: dict, row: int) -> None:
    hits = [Hit(row, 0.5, cells), Hit(row + 1, 0.4, cells)]
    _, rows = supported(extract("?", hits), hits)
    assert set(rows) <= {row, row + 1}
