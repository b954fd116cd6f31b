"""The page of a compression: what it says first, what stands in for what, and its chart."""

from dataclasses import replace

import numpy as np
import pytest

from modalloy.answer.agreement.agreement import Compared as Alike
from modalloy.answer.golden_rows import verdict
from modalloy.deploy.candidates import Candidate
from modalloy.deploy.compressed_page import HEAD, candidates_table, front, near, steps
from modalloy.deploy.compressed_report import Report
from modalloy.deploy.contract import Contract
from modalloy.deploy.guard import Judged
from modalloy.deploy.speed import speed_from
from modalloy.deploy.tried import Speed, Tried
from modalloy.deploy.whole_speed import Whole
from modalloy.judge.compared import Compared, ratio
from modalloy.machine.bursts import Ratio, Timing
from modalloy.machine.peak import Peak

SAME = Ratio(2.0, 1.9, 2.1)
PEAK = Peak(1, {"float32": 1e9}, {}, None, {}, 1.0)


def tried(label: str, ms: float, *, precision: str = "f16", peak_of: str = "float16") -> Tried:
    """A candidate that passed, in so many milliseconds."""
    alike = verdict(Alike(np.ones(100, bool), np.zeros(100)), 0.01)
    judged = Judged(100, {}, {}, {"fault": alike}, None, None)
    speed = Speed(SAME, SAME, ms, ms, ms, 1.0, 0.5, peak_of)
    kind = Candidate("openvino", precision)  # type: ignore[arg-type]
    why = f"the reason of {label}"
    return Tried("note", label, "passed", why, (b"12345",), speed, judged, candidate=kind)


def report(*rows: Tried) -> Report:
    """Of these candidates."""
    speed = Whole(1.0, (1.0, 1.0), (1.0, 1.0), (1.0, 1.0), SAME, SAME)
    compared = Compared("compress", 100, "rows", {})
    return Report(Contract("latency", 0.5), PEAK, "rows", compared, speed, rows)


def test_verdict_and_why_stand_in_front_and_candidates_have_numbers() -> None:
    assert HEAD[:4] == ("graph", "candidate", "verdict", "why")
    text = candidates_table(report(tried("one", 1.0), tried("two", 2.0)))
    assert text.index("2. two") < text.index("the reason of two") < text.rindex("2.00 (1.90–2.10)")
    assert "stands in" not in text


def test_a_peak_of_another_number_type_is_named() -> None:
    pair = {n: Timing(np.full((2, 2), 0.001), np.zeros(2)) for n in ("slow", "fast")}
    given = {"work": 10**6, "peak": PEAK}
    assert speed_from(pair, pair, 1, **given, family="float16").peak_of == "float32"
    assert speed_from(pair, pair, 1, **given, family="float32").peak_of == "float32"
    assert speed_from(pair, pair, 1, work=0, peak=PEAK, family="float32").peak_of == ""
    stood_in = tried("one", 1.0, peak_of="float32")
    text = candidates_table(report(stood_in))
    assert "50 of float32" in text
    assert "the type whose peak stands in is named" in text
    assert stood_in.state()["speed"]["peak_of"] == "float32"


def test_the_size_of_dropped_files_is_still_told() -> None:
    one = tried("one", 1.0)
    gone = one.dropped()
    assert (gone.files, gone.megabytes) == ((), one.megabytes)
    assert gone.dropped().megabytes == one.megabytes
    assert gone.state()["megabytes"] == pytest.approx(5e-6)


def test_marks_that_would_overlap_share_their_numbers() -> None:
    place_N2 = np.array([[0.1, 0.0], [0.9, 0.0], [0.11, 0.01], [0.1, 0.5]])
    assert near(place_N2) == [[0, 2], [3], [1]]


def test_ticks_are_round_numbers() -> None:
    assert steps(0.7, 5.1) == [1.0, 2.0, 5.0]
    assert steps(0.0011, 900.0) == [0.01, 0.1, 1.0, 10.0, 100.0]


def test_the_chart_is_drawn_and_where_nothing_was_timed_a_sentence_stands() -> None:
    assert "image/png" in front(report(tried("one", 1.0), tried("two", 40.0)))
    assert "both timed and judged" in front(report(replace(tried("one", 1.0), speed=None)))


def test_a_small_part_is_said_as_a_part() -> None:
    assert ratio(85.0, 1.0) == "1/85 of it"
    assert ratio(4.0, 1.0) == "0.25 times"
    assert ratio(0.0, 1.0) == ""
    assert PEAK.text().endswith("with 1 thread")
    assert replace(PEAK, threads=2).text().endswith("with 2 threads")
