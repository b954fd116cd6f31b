"""Spans against the CoNLL script's rules, written out slowly, and cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.judge.metrics.spans import Span, TagTally, report_spans, spans_of

TAGS = ["O", "B-a", "I-a", "B-b", "I-b"]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", []),
        ("B-a I-a O B-b", [("a", 0, 2), ("b", 3, 4)]),
        ("B-a B-a I-a", [("a", 0, 1), ("a", 1, 3)]),
        ("I-a I-a O", [("a", 0, 2)]),  # begins with I-
        ("O I-b", [("b", 1, 2)]),
        ("B-a I-b I-b", [("a", 0, 1), ("b", 1, 3)]),  # goes on as another kind
        ("B-a-x I-a-x", [("a-x", 0, 2)]),  # a hyphen inside the name
        ("a B-b", [("b", 1, 2)]),  # no mark: outside
    ],
)
def test_spans_by_hand(tags: str, spans: list[tuple[str, int, int]]) -> None:
    assert spans_of(tags.split()) == [Span(*s) for s in spans]


def conlleval_spans(tags: list[str]) -> set[tuple[str, int, int]]:
    """`startOfChunk` and `endOfChunk` of the CoNLL-2000 script, for B, I and O."""
    spans, begin = set(), 0
    before, kind_before = "O", ""
    for i, tag in enumerate([*tags, "O"]):
        mark, kind = ("O", "") if tag == "O" else (tag[0], tag[2:])
        end = (before, mark) in {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O")}
        end |= before != "O" and kind_before != kind
        start = (before, mark) in {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I")}
        start |= mark != "O" and kind_before != kind
        if end:
            spans.add((kind_before, begin, i))
        if start:
            begin = i
        before, kind_before = mark, kind
    return spans


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TAGS), max_size=9))
def test_spans_are_those_of_the_conll_script(tags: list[str]) -> None:
    found = spans_of(tags)
    assert {tuple(s) for s in found} == conlleval_spans(tags)
    assert len(set(found)) == len(found)


def test_figures_by_hand() -> None:
    truth = [["B-a", "I-a", "O", "B-b"], None, ["B-a", "O"]]
    answered = [["B-a", "I-a", "B-b", "B-b"], ["B-a"], ["B-b", "O"]]
    found = TagTally(truth, answered).score()
    # True spans 3, answered 4, exact 2; words right 4 of 6; outside O: 3 right of 4 true and 5
    # answered.
    expected = {
        "span_f1": 2 * 2 / (3 + 4),
        "span_precision": 2 / 4,
        "span_recall": 2 / 3,
        "token_f1": 4 / 6,
        "token_f1_entities": 2 * 3 / (4 + 5),
    }
    assert found == pytest.approx(expected)


def test_a_short_answer_is_outside_beyond_its_end() -> None:
    truth = [["B-a", "O", "B-b"], ["O"]]
    short = TagTally(truth, [["B-a"], ["O", "B-b"]]).score()
    assert short == TagTally(truth, [["B-a", "O", "O"], ["O"]]).score()


def test_token_f1_is_scikit_learns_micro_average() -> None:
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    truth = [[TAGS[t] for t in rng.integers(0, 5, 6)] for _ in range(20)]
    answered = [[t if rng.random() < 0.7 else "O" for t in row] for row in truth]
    found = TagTally(truth, answered).score()
    flat = [t for row in truth for t in row], [t for row in answered for t in row]
    assert found["token_f1"] == pytest.approx(f1_score(*flat, average="micro"))
    named = f1_score(*flat, average="micro", labels=TAGS[1:])
    assert found["token_f1_entities"] == pytest.approx(named)


def test_no_span_anywhere_has_no_f1() -> None:
    found = TagTally([["O", "O"]], [["O", "O"]]).score()
    assert "span_f1" not in found
    assert found["token_f1"] == 1.0


def test_report_by_hand() -> None:
    tally = TagTally([["B-a", "O", "B-b"], ["B-a"]], [["B-a", "O", "B-a"], ["B-a"]])
    lines = [line.split() for line in report_spans(tally).splitlines() if line.strip()]
    assert lines == [
        ["precision", "recall", "f1-score", "support"],
        ["a", "0.6667", "1.0000", "0.8000", "2"],
        ["b", "0.0000", "0.0000", "0.0000", "1"],
        ["micro", "avg", "0.6667", "0.6667", "0.6667", "3"],
        ["macro", "avg", "0.3333", "0.5000", "0.4000", "3"],
        ["weighted", "avg", "0.4444", "0.6667", "0.5333", "3"],
    ]
