"""Figures: real pictures, right numbers in them, nothing drawn where nothing is known."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.cbook import STEP_LOOKUP_MAP
from PIL import Image
from sklearn.metrics import average_precision_score

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.judge.baselines.baseline_models import objects
from modalloy.judge.wording import brief
from modalloy.report import charts
from modalloy.report.boxes import box_mistakes
from modalloy.report.drawing.classify import confusions
from modalloy.report.figure import thin
from modalloy.report.plots import figures_for, training_figures
from modalloy.report.show import show_boxes, show_tags

CLASSIFY = config.Classify(target="y")
MULTI = config.Classify(target="y", labels="multi")
REGRESS = config.Regress(target="y", unit="kN")
TAG = config.Tag(target="tags", on="words")
LOCATE = config.Locate(target="boxes", on="photo")


def open_png(data: bytes | str) -> Image.Image:
    assert isinstance(data, bytes)
    return Image.open(io.BytesIO(data))


def classes(rows: int = 60, count: int = 3) -> tuple[list[str | None], dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    truth: list[str | None] = [f"c{i}" for i in draw.integers(0, count, rows)]
    truth[0] = None
    return truth, {"probability": draw.dirichlet(np.ones(count), rows)}


def test_classify_draws_three_small_pictures_the_same_every_time() -> None:
    truth, answer = classes()
    names = ["c0", "c1", "c2"]
    figures = figures_for("fault", CLASSIFY, truth, answer, names)
    assert [f.title for f in figures] == [
        "Confusion matrix", "Precision over recall", "Can its certainty be believed?",
    ]  # fmt: skip
    for figure in figures:
        assert figure.task == "fault"
        assert open_png(figure.data).size[0] > 300
        assert len(figure.data) < 60_000
    assert figures == figures_for("fault", CLASSIFY, truth, answer, names)


def test_many_classes_give_a_table_of_the_commonest_confusions() -> None:
    names = [f"<b>{i}</b>" for i in range(40)]
    true = np.repeat(np.arange(40), 10)
    chosen = true.copy()
    chosen[70:78] = 3  # eight rows of class 7 are taken for class 3
    chosen[120] = 0
    figure = confusions(true, chosen, names)
    assert figure.kind == "html"
    cells = re.findall(r"<td[^>]*>(.*?)</td>", str(figure.data))
    first, second = "&lt;b&gt;7&lt;/b&gt;", "&lt;b&gt;3&lt;/b&gt;"
    assert cells == [
        first,
        second,
        "8",
        "80 %",
        "&lt;b&gt;12&lt;/b&gt;",
        "&lt;b&gt;0&lt;/b&gt;",
        "1",
        "10 %",
    ]


def test_confusion_counts_reach_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    monkeypatch.setattr(charts, "matrix", lambda counts, names: seen.update(c=counts) or b"png")
    confusions(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), ["a", "b", "c"])
    assert seen["c"].tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_two_classes_draw_the_second_ones_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def note(curves: list, base: float) -> bytes:
        seen.update(curves=curves, base=base)
        return b"png"

    monkeypatch.setattr(charts, "precision_recall", note)
    truth = ["ok", "bad", "bad", "ok"]
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    figures_for("f", CLASSIFY, truth, {"probability": p}, ["ok", "bad"])
    ((name, precision, recall),) = seen["curves"]
    assert name == "bad"
    assert seen["base"] == 0.5
    # By falling score: bad, ok, bad, ok.
    points = set(zip(recall.round(3), precision.round(3), strict=True))
    assert {(0.5, 1.0), (0.5, 0.5), (1.0, 0.667), (1.0, 0.5)} <= points


def test_two_classes_draw_the_rarer_ones_curve_and_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(charts, "precision_recall", lambda curves, base: seen.extend(curves) or b"")
    truth, answer = ["bad", "ok", "ok", "ok"], {"probability": np.full((4, 2), 0.5)}
    figures = figures_for("f", CLASSIFY, truth, answer, ["bad", "ok"])
    assert [name for name, _, _ in seen] == ["bad"]
    assert figures[1].note == "Of 'bad', the rarer of the two classes."


def test_two_labels_draw_both_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(charts, "precision_recall", lambda curves, base: seen.extend(curves) or b"")
    truth, answer = [["a"], ["a", "b"], ["a"], []], {"probability": np.full((4, 2), 0.5)}
    (first, _) = figures_for("f", MULTI, truth, answer, ["a", "b"])
    assert [name for name, _, _ in seen] == ["a", "b"]
    assert first.note == ""


def test_the_area_under_the_drawn_curve_is_the_average_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    yes = np.arange(40) < 14
    p = (yes * 0.3 + rng.random(40) * 0.7).round(2)
    truth = ["bad" if y else "ok" for y in yes]
    drawn = []
    monkeypatch.setattr(charts, "drawn", lambda canvas: drawn.append(canvas) or b"png")
    answer = {"probability": np.stack([1 - p, p], 1)}
    figures_for("f", CLASSIFY, truth, answer, ["ok", "bad"])
    lines = [line for canvas in drawn for axes in canvas.axes for line in axes.lines]
    (line,) = [line for line in lines if line.get_label() == "bad"]
    x, y = STEP_LOOKUP_MAP[line.get_drawstyle()](*line.get_data())
    assert np.trapezoid(y, x) == pytest.approx(average_precision_score(yes, p))


def test_several_labels() -> None:
    draw = np.random.default_rng(0)
    truth = [["a"], [], ["a", "b"], ["b"], None] * 10
    figures = figures_for("f", MULTI, truth, {"probability": draw.random((50, 2))}, ["a", "b"])
    assert [f.title for f in figures] == ["Precision over recall", "Can its certainty be believed?"]


def test_regress_says_how_far_nine_of_ten_are_off() -> None:
    truth = [float(i) for i in range(100)]
    value = np.array(truth) + np.where(np.arange(100) < 92, 2.0, 30.0)
    first, second = figures_for("load", REGRESS, [*truth, None], {"value": np.append(value, 7)})
    assert second.note == "Nine of ten answers are at most 2.00 kN off."
    assert open_png(first.data).size == open_png(second.data).size


def test_logarithms_are_drawn_in_the_targets_own_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    options = config.Regress(target="y", unit="EUR", scale="log")
    true = np.geomspace(9, 9e4, 200)
    drawn = []
    monkeypatch.setattr(charts, "drawn", lambda canvas: drawn.append(canvas) or b"png")
    answer = {"value": np.log1p(true * 1.5)}
    (_, second) = figures_for("f", options, np.log1p(true).tolist(), answer)
    tenth = np.quantile(true * 0.5, 0.9)
    assert second.note.startswith(f"Nine of ten answers are at most {brief(tenth)} EUR off.")
    (scatter,), (spread,) = (canvas.axes for canvas in drawn)
    assert scatter.get_xlabel() == "truth [EUR]"
    points = np.asarray(scatter.collections[0].get_offsets())
    assert points == pytest.approx(np.stack([true, true * 1.5], 1))
    assert scatter.get_xticks().tolist() == [10, 100, 1000, 10_000, 100_000]
    at = scatter.transData.transform(np.stack([[9, 99, 999]] * 2, 1))[:, 0]
    assert np.diff(at)[0] == pytest.approx(np.diff(at)[1])  # factors are equally far apart
    assert spread.get_xlabel() == "answer minus truth [EUR]"
    assert sum(bar.get_height() for bar in spread.patches) == 196  # 2 at each end are left out


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (-500.0, 90_000.0, [-100, -10, 0, 10, 100, 1000, 10_000]),
        (0.0, 9.0, [0, 1, 2, 5]),
        (0.1, 0.7, [0.0, 0.15, 0.3, 0.45, 0.6, 0.75]),
    ],
)
def test_round_amounts(low: float, high: float, ticks: list[float]) -> None:
    assert charts.amounts(low, high) == pytest.approx(ticks)


def test_wilson_interval_is_the_textbooks() -> None:
    low, high = charts.wilson(np.array([0.0, 0.5]), np.array([10.0, 100.0]))
    assert low == pytest.approx([0.0, 0.4038], abs=1e-3)  # Brown, Cai & DasGupta 2001
    assert high == pytest.approx([0.2775, 0.5962], abs=1e-3)


def test_tagged_sentences_mark_right_missed_and_wrong() -> None:
    words = ["replace", "<pump>", "seal", "now"]
    html = show_tags(words, ["O", "B-part", "O", "O"], ["O", "B-part", "B-part", "O"])
    assert "&lt;pump&gt;" in html
    assert "<pump>" not in html
    assert html.count("span right") == 1
    assert html.count("span wrong") == 1
    assert "missed" not in html
    html = show_tags(words, ["O", "B-part", "I-part", "O"], ["O", "B-part", "O", "O"])
    assert html.count("span missed") == html.count("span wrong") == 1
    assert re.sub("<[^>]+>", "", html).split()[0] == "replace"


def test_tag_figure_shows_mistaken_sentences_first() -> None:
    words = [["good", "one"], ["bad", "one"]]
    truth = [["B-x", "O"], ["O", "B-x"]]
    answer = {"tags": objects([["B-x", "O"], ["B-x", "O"]])}
    (figure,) = figures_for("t", TAG, truth, answer, cells=Cells({"words": words}))
    assert str(figure.data).index("bad") < str(figure.data).index("good")
    assert figure.note.startswith("1 of 2 sentences")
    assert figures_for("t", TAG, truth, answer) == []


@pytest.mark.parametrize("cell", ["call home now", '["call", "home", "now"]'])
def test_words_of_a_text_cell_are_drawn_whole(cell: str) -> None:
    truth, answer = [["O", "B-x", "O"], ["O"]], {"tags": objects([["O", "B-x", "O"], ["O"]])}
    (figure,) = figures_for("t", TAG, truth, answer, cells=Cells({"words": [cell, None]}))
    assert re.sub("<[^>]+>", "", str(figure.data)).split() == ["call", "home✓", "x", "now"]
    assert figure.note.startswith("0 of 1 sentences")


def boxes_case(folder: Path) -> tuple[list, dict[str, np.ndarray], Cells]:
    Image.new("L", (100, 50), 128).save(folder / "a.png")
    (folder / "broken.png").write_bytes(b"no picture")
    truth = [
        {"boxes": np.array([[10.0, 10, 20, 20], [30, 10, 40, 20]]), "names": ["dent", "dent"]},
        {"boxes": np.zeros((0, 4)), "names": []},
        None,
    ]
    answer = {
        "boxes": objects(
            [np.array([[10.0, 10, 20, 21]]), np.array([[1.0, 1, 5, 5]]), np.zeros((0, 4))]
        ),
        "scores": objects([np.array([0.9]), np.array([0.1]), np.zeros(0)]),
        "names": objects([["dent"], ["dent"], []]),
    }
    return truth, answer, Cells({"photo": ["a.png", "broken.png", "a.png"]}, folder)


def test_box_mistakes_count_missed_and_wrong(tmp_path: Path) -> None:
    truth, answer, _ = boxes_case(tmp_path)
    assert box_mistakes(truth[0], answer, 0) == 1  # one found, one missed
    assert box_mistakes(truth[1], answer, 1) == 0  # too unsure to count
    answer["names"][0] = ["scratch"]
    assert box_mistakes(truth[0], answer, 0) == 3  # a wrong name finds nothing


def test_boxes_are_drawn_and_a_broken_picture_is_named(tmp_path: Path) -> None:
    truth, answer, cells = boxes_case(tmp_path)
    (figure,) = figures_for("b", LOCATE, truth, answer, cells=cells)
    assert str(figure.data).count("data:image/jpeg") == 1
    assert "unreadable" in figure.data
    assert "a.png: 2 true boxes, 1 found" in figure.data
    assert figure.note.count("1 of 2 pictures have a mistake") == 1


def test_rows_without_a_picture_leave_the_drawings_to_the_others(tmp_path: Path) -> None:
    truth, answer, cells = boxes_case(tmp_path)
    answer = {k: objects([*v[:1], *[v[2]] * 8]) for k, v in answer.items()}
    cells = Cells({"photo": ["a.png", *[None] * 8]}, tmp_path)
    (figure,) = figures_for("b", LOCATE, [truth[0]] * 9, answer, cells=cells)
    assert str(figure.data).count("data:image/jpeg") == 1
    assert "unreadable" not in figure.data
    assert "1 of 1 pictures have a mistake; 1 are shown" in figure.note
    assert figure.note.endswith(" 8 rows have no picture.")


def test_box_names_can_be_read_at_the_size_of_the_page(tmp_path: Path) -> None:
    Image.new("L", (500, 500), 128).save(tmp_path / "a.png")
    cells = Cells({"photo": ["a.png"]}, tmp_path)
    for top in (200.0, 2.0):  # the second has no room above it
        html = show_boxes("a.png", cells, [([490.0, top, 498.0, top + 40], "DENT")], [])
        data = base64.b64decode(html.split("base64,")[1].split('"')[0])
        grey = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
        white = np.flatnonzero((grey > 240).sum(1) > 20)
        assert np.ptp(white) * 290 / grey.shape[1] > 10
        assert np.ptp(np.flatnonzero((grey > 240).sum(0) > 9)) > 50  # no letter is cut off
    assert show_boxes(None, cells, [], []) == '<span class="absent">missing</span>'


@pytest.mark.parametrize(
    ("options", "answer", "names"),
    [
        (CLASSIFY, {"probability": np.full((2, 2), 0.5)}, ["a", "b"]),
        (REGRESS, {"value": np.zeros(2)}, None),
        (TAG, {"tags": objects([["O"], ["O"]])}, None),
    ],
)
def test_nothing_known_draws_nothing(
    options: config.TaskOptions, answer: dict, names: list
) -> None:
    cells = Cells({"words": [["a"], ["b"]]})
    assert figures_for("t", options, [None, None], answer, names, cells=cells) == []


def test_one_known_row_is_enough() -> None:
    truth = ["a", None]
    figures = figures_for("t", CLASSIFY, truth, {"probability": np.full((2, 2), 0.5)}, ["a", "b"])
    assert [f.title for f in figures] == ["Confusion matrix", "Can its certainty be believed?"]
    assert len(figures_for("t", REGRESS, [1.0, None], {"value": np.array([2.0, 3.0])})) == 2


def test_training_curves_survive_gaps_in_the_log() -> None:
    curves = [
        {"epoch": 1, "loss": 2.0},
        {"epoch": 2, "loss": float("nan"), "validation": {"fault": {"accuracy": 0.5, "ece": 0.1}}},
        {"epoch": 3, "loss": 1.0, "validation": {"fault": {}, "life": {"rmse": 3.0}}},
    ]
    titles = [f.title for f in training_figures(curves)]
    assert titles == ["Loss while training", "fault: Accuracy", "life: Root mean square error"]
    assert training_figures([]) == []


def test_training_curves_show_what_stopped_it_and_mark_the_best_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    monkeypatch.setattr(charts, "training", lambda *args: seen.append(args) or b"png")
    scores = [0.1, 0.6, 0.6, None, 0.5]
    curves = [
        {
            "epoch": i + 1, "loss": 1.0 - i / 10, "score": score,
            "validation": {
                "life": {"mae": 1.0 + i, "rmse": 2.0 + i, "r2": 0.5},
                "parts": {"accuracy": 0.1, "macro_f1": 0.2 + i},
            },
        }
        for i, score in enumerate(scores)
    ]  # fmt: skip
    found = training_figures(curves, {"life": REGRESS, "parts": MULTI})
    assert [f.title for f in found] == [
        "Loss while training", "Score on validation rows", "life: Root mean square error",
        "parts: Macro F1",
    ]  # fmt: skip
    assert found[1].note.endswith("Epoch 2 is the best.")
    assert seen[1][1] == {"all tasks": scores}
    assert seen[2][1] == {"life": [2.0, 3.0, 4.0, 5.0, 6.0]}
    assert seen[3][1] == {"parts": [0.2, 1.2, 2.2, 3.2, 4.2]}
    assert [args[3] for args in seen] == [2, 2, 2, 2]


def test_the_best_epoch_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(charts, "drawn", lambda canvas: drawn.append(canvas) or b"png")
    charts.training([1, 2, 3], {"a": [1.0, None, 2.0]}, "loss", 2)
    charts.training([1, 2, 3], {"a": [1.0, None, 2.0]}, "loss")
    first, second = (canvas.axes[0].lines for canvas in drawn)
    assert [line.get_xdata()[0] for line in first] == [1, 2]
    assert [line.get_label() for line in first] == ["a", "best epoch 2"]
    assert len(second) == 1


def test_long_class_names_stay_apart() -> None:
    same = "bearing damage on the outer ring"
    names = ["ok", f"{same} 1", f"{same} 2", "x" * 50 + "y" * 50, "x" * 51 + "y" * 50, "z" * 21]
    said = charts.apart(names)
    assert said[:3] == ["ok", "bearing d…ter ring 1", "bearing d…ter ring 2"]
    assert said[3:] == ["4: " + "x" * 16 + "…", "5: " + "x" * 16 + "…", "z" * 19 + "…"]
    assert max(map(len, said)) <= 20


def test_thin_keeps_both_ends() -> None:
    assert thin(5).tolist() == [0, 1, 2, 3, 4]
    kept = thin(10_000, 100)
    assert (kept[0], kept[-1], len(kept)) == (0, 9999, 100)
