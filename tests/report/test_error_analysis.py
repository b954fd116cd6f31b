"""Worst rows: the right ones, in order, with all their cells - and never with their HTML."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.judge.baselines.baseline_models import objects
from modalloy.readers.reader import Reader
from modalloy.report.error_analysis import row_losses, worst_figure, worst_rows
from modalloy.report.html import Markup
from modalloy.report.show import show_cell, show_words, spark
from modalloy.table.open_table import open_table

CLASSIFY = config.Classify(target="y")


def test_classify_ranks_wrong_rows_by_their_certainty() -> None:
    truth = ["a", "a", "b", None, "a", "new"]
    p_a = np.array([0.9, 0.4, 0.99, 0.5, 0.6, 0.7])
    answer = {"probability": np.stack([p_a, 1 - p_a], 1)}
    found = worst_rows(CLASSIFY, truth, answer, ["a", "b"])
    assert [w.at for w in found] == [5, 2, 1]  # a class never seen has probability 0
    assert found[1].loss == pytest.approx(-np.log(0.01))
    assert (found[1].truth, found[1].answer) == ("b", "a (99 % sure)")
    assert len(worst_rows(CLASSIFY, truth, answer, ["a", "b"], most=1)) == 1


def test_several_labels_add_up() -> None:
    options = config.Classify(target="y", labels="multi")
    answer = {"probability": np.array([[0.9, 0.2], [0.4, 0.7], [0.6, 0.6]])}
    truth = [["a"], ["a"], []]
    loss = row_losses(options, truth, answer, ["a", "b"])
    assert loss == pytest.approx([0.0, -np.log(0.4) - np.log(0.3), -2 * np.log(0.4)])
    found = worst_rows(options, truth, answer, ["a", "b"])
    assert [(w.truth, w.answer) for w in found] == [("a", "b"), ("no label", "a, b")]


def test_regress_by_absolute_error_with_its_unit() -> None:
    options = config.Regress(target="y", unit="h")
    truth = [1.0, None, 3.0, 4.0]
    found = worst_rows(options, truth, {"value": np.array([1.5, 99.0, 10.0, 4.0])})
    assert [(w.at, w.loss) for w in found] == [(2, 7.0), (0, 0.5)]
    assert (found[0].truth, found[0].answer) == ("3.00 h", "10.0 h")


def test_a_logarithm_is_undone_in_words() -> None:
    options = config.Regress(target="y", unit="USD", scale="log")
    truth = np.log1p([100.0, 5.0, 40.0]).tolist()
    found = worst_rows(options, truth, {"value": np.log1p([150.0, 50.0, 41.0])})
    assert [w.at for w in found] == [1, 0, 2]  # ranked on the scale that is learned
    assert (found[0].truth, found[0].answer) == ("5.00 USD", "50.0 USD")
    below = worst_rows(options, [0.0], {"value": np.array([-np.log1p(9.0)])})
    assert below[0].answer == "−9.00 USD"


def test_tag_by_missed_and_wrong_spans() -> None:
    options = config.Tag(target="tags", on="words")
    truth = [["B-x", "I-x"], ["O", "B-x"], ["O", "O"]]
    answer = {"tags": objects([["B-x", "O"], ["O", "B-x"], ["B-y", "O"]])}
    assert row_losses(options, truth, answer).tolist() == [2.0, 0.0, 1.0]


def test_locate_by_missed_and_wrong_boxes() -> None:
    options = config.Locate(target="boxes", on="photo")
    box = np.array([[0.0, 0, 10, 10]])
    truth = [{"boxes": box, "names": ["a"]}, {"boxes": box, "names": ["a"]}]
    answer = {
        "boxes": objects([box, box + 50]),
        "scores": objects([np.array([0.9]), np.array([0.9])]),
        "names": objects([["a"], ["a"]]),
    }
    assert row_losses(options, truth, answer).tolist() == [0.0, 2.0]
    assert worst_rows(options, truth, answer)[0].answer == "1 boxes, 2 missed or wrong"


def test_rows_without_a_picture_are_not_among_the_worst() -> None:
    options = config.Locate(target="boxes", on="photo")
    box, none = np.array([[0.0, 0, 10, 10]]), np.zeros((0, 4))
    truth = [{"boxes": np.repeat(box, 3, 0), "names": ["a"] * 3}] * 7
    truth.append({"boxes": box, "names": ["a"]})
    answer = {
        "boxes": objects([none] * 8),
        "scores": objects([np.zeros(0)] * 8),
        "names": objects([[] for _ in range(8)]),
    }
    cells = Cells({"photo": [*[None] * 6, "broken.png", "a.png"]})
    found = worst_rows(options, truth, answer, cells=cells)
    assert [(w.at, w.loss) for w in found] == [(6, 3.0), (7, 1.0)]


@pytest.fixture
def parts(small_table: Path, job_dict: Any) -> tuple[dict[str, Reader], Any]:
    from modalloy.readers.build import fit_readers

    table = open_table(small_table)
    job = config.Job.model_validate(job_dict(small_table))
    rows = np.arange(40)
    readers = fit_readers(job, lambda columns: table.take(list(columns), rows))
    columns = [c for reader in readers.values() for c in reader.columns]
    return readers, lambda some: table.take(columns, np.array(some))


def test_cards_hold_every_column(parts: tuple[dict[str, Reader], Any]) -> None:
    readers, cells_of = parts
    truth = ["a", "b", "b"]
    answer = {"probability": np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])}
    worst = worst_rows(CLASSIFY, truth, answer, ["a", "b"])
    figure = worst_figure(
        "fault", CLASSIFY, truth, answer, readers, cells_of([0, 1]), [0, 1, 2], worst,
        units={"load": "kN"},
    )  # fmt: skip
    html = str(figure.data)
    assert html.count("<article") == 2
    for name in readers:
        assert html.count(f"<dt>{'load [kN]' if name == 'load' else name}</dt>") == 2
    assert html.count("<img") == html.count("<audio") == html.count("<polyline") == 2
    assert "row 0" in html
    assert "truth: a" in html


def test_tagged_words_of_a_text_cell_are_drawn_whole() -> None:
    options = config.Tag(target="tags", on="words")
    truth, answer = [["O", "B-x"]], {"tags": objects([["O", "O"]])}
    worst = worst_rows(options, truth, answer)
    cells = Cells({"words": ["call home"]})
    figure = worst_figure("t", options, truth, answer, {}, cells, [0], worst)
    said = re.sub("<[^>]+>", " ", str(figure.data).split("</header>")[1]).split()
    assert said == ["call", "home", "missed", "x"]


def test_missing_and_unreadable_cells_say_so(parts: tuple[dict[str, Reader], Any]) -> None:
    readers, cells_of = parts
    cells = cells_of([3])  # the small table has no photo and no sound in some rows
    assert "missing" in show_cell(readers["photo"], cells, 0)
    broken = Cells(
        {**cells.columns, "photo": ["img/none.png"], "sound": ["../up.wav"]}, cells.folder
    )
    for name in ("photo", "sound"):
        shown = show_cell(readers[name], broken, 0)
        assert "unreadable" in shown
        assert isinstance(shown, Markup)


def test_the_players_copy_sounds_like_the_original(parts: tuple[dict[str, Reader], Any]) -> None:
    readers, cells_of = parts
    html = show_cell(readers["sound"], cells_of([0]), 0)
    kind, data = re.findall(r'src="data:(audio/\w+);base64,([^"]+)"', html)[0]
    wave, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(data)))
    cells = cells_of([0])
    original, original_hz = soundfile.read(cells.folder / cells["sound"][0])
    assert (kind, rate_hz) == ("audio/wav", original_hz)
    assert wave == pytest.approx(original, abs=1e-4)


def test_long_sounds_are_cut_and_compressed(tmp_path: Path) -> None:
    from modalloy.readers.audio import AudioReader

    time_s = np.arange(44_100 * 20) / 44_100
    soundfile.write(tmp_path / "long.wav", 0.5 * np.sin(2 * np.pi * 440 * time_s), 44_100)
    reader = AudioReader("sound", 16_000, 10.0)
    html = show_cell(reader, Cells({"sound": ["long.wav"]}, tmp_path), 0)
    data = base64.b64decode(re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', html)[0])
    assert len(data) < 60_000
    wave, rate_hz = soundfile.read(io.BytesIO(data))
    assert rate_hz == 16_000
    assert len(wave) / rate_hz == pytest.approx(6.0, abs=0.2)
    middle = wave[16_000:32_000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=2)


def test_html_in_cells_is_text() -> None:
    evil = "<img src=x onerror=alert(1)>"
    for cell in (evil, [evil], np.array([evil]), (evil, 3)):
        assert "<img" not in show_words(cell)
        assert "&lt;img" in show_words(cell)
    assert "2024-05-06" in show_words(pd.Timestamp("2024-05-06"))
    assert len(show_words("long " * 1000)) < 500


def test_spark_keeps_a_single_spike() -> None:
    x = np.zeros(10_000)
    x[7777] = 5.0
    points = re.findall(r"([\d.]+),([\d.]+)", re.findall(r'points="([^"]+)"', spark(x, 240))[0])
    heights = [float(y) for _, y in points]
    assert len(points) == 240
    assert min(heights) == 2.0  # the top of the picture
    assert heights.count(2.0) == 1
    assert "no samples" in spark(np.array([np.nan]), 240)
    assert "NaN" not in spark(np.ones(5), 240)
