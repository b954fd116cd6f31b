"""Every letter of a chart is readable: drawn with a font that has it, else left to the browser."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from PIL import Image

import modalloy as ma
from modalloy.cells.cells import Cells
from modalloy.report import charts, lettering
from modalloy.report.html import img
from modalloy.report.lettering import PNG, clean, fonts_for, shape_of, stand_in
from modalloy.report.show import show_boxes

COUNTS = np.array([[5, 1, 0], [2, 7, 1], [0, 1, 9]])
CURVE = np.linspace(1.0, 0.5, 9), np.linspace(0.0, 1.0, 9)
OURS = "泄漏磨损正常"  # what the font made here has
FOREIGN = {
    "chinese": ["泄漏", "磨损", "正常"],
    "japanese": ["漏れ", "摩耗", "正常です"],
    "korean": ["누출", "마모", "정상"],
    "emoji": ["✅ 无异常", "⚠️ 高", "🧯"],
    "arabic": ["تسرب", "تآكل", "عادي"],
    "hebrew": ["דליפה", "בלאי", "תקין"],
    "hindi": ["रिसाव", "घिसाव", "ठीक"],
    "thai": ["รั่ว", "สึก", "ปกติ"],
    "mixed": ["leak 泄漏", "wear", "ok"],
}
EVERY: list[Callable[[list[str]], bytes]] = [
    lambda names: charts.matrix(COUNTS, names),
    lambda names: charts.precision_recall([(n, *CURVE) for n in names], 0.3),
    lambda names: charts.training([1, 2], {n: [0.1, 0.2] for n in names}, names[0], 2),
    lambda names: charts.true_against_answer(np.arange(3.0), np.arange(3.0), names[0]),
    lambda names: charts.errors(np.arange(-3.0, 3.0), names[0]),
]


@pytest.fixture
def fonts_of_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no other fonts than those that come with matplotlib."""
    own = [e for e in fontManager.ttflist if "mpl-data" in e.fname]
    monkeypatch.setattr(fontManager, "ttflist", own)


@pytest.fixture
def our_font(
    fonts_of_matplotlib: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A font that has six Chinese letters, each a square, installed on this machine."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((900, 0), (900, 800), (100, 800)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"uni{ord(c):04X}" for c in OURS)]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(c): f"uni{ord(c):04X}" for c in OURS})
    font.setupGlyf(dict.fromkeys(names, square))
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Six Squares", "styleName": "Regular"})
    font.setupOS2(usWeightClass=400)
    font.setupPost()
    font.save(tmp_path / "six.ttf")
    fontManager.addfont(tmp_path / "six.ttf")
    return "Six Squares"


def texts_of(data: bytes) -> list[str]:
    """The texts of an SVG."""
    root = ElementTree.fromstring(data)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.usefixtures("fonts_of_matplotlib")
@pytest.mark.parametrize("draw", EVERY)
@pytest.mark.parametrize("names", FOREIGN.values(), ids=FOREIGN)
def test_letters_that_no_font_has_are_left_to_the_browser(
    names: list[str], draw: Callable[[list[str]], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    data = draw(names)  # a warning of matplotlib fails the test
    assert shape_of(data)[0] == "image/svg+xml"
    said = " ".join(texts_of(data))
    assert names[0] in said
    if draw in EVERY[:3]:
        assert all(name in said for name in names)
    assert data == draw(names)
    assert b"<script" not in data
    assert not re.search(rb'(href|src)="(?!#|data:)', data)  # nothing outside of itself
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("draw", EVERY)
def test_names_of_the_usual_letters_are_pictures(draw: Callable[[list[str]], bytes]) -> None:
    for names in (["a", "b", "c"], ["Öl °C", "µm", "Ω"], ["протечка", "износ", "норма"]):
        assert draw(names).startswith(PNG)


def test_an_installed_font_is_used(our_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    png = lettering.png
    monkeypatch.setattr(lettering, "png", lambda canvas: seen.append(canvas) or png(canvas))
    data = charts.matrix(COUNTS, FOREIGN["chinese"])
    assert data.startswith(PNG)
    families = {tuple(text.get_fontfamily()) for text in seen[0].findobj(Text)}
    assert families == {("DejaVu Sans", our_font)}
    assert fonts_for("温") is None
    assert charts.matrix(COUNTS, ["温度", "b", "c"]).startswith(b"<?xml")


def boxes(name: str, folder: Path) -> str:
    """A picture with a box of this name as the page shows it."""
    Image.new("L", (300, 300), 128).save(folder / "a.png")
    cells = Cells({"photo": ["a.png"]}, folder)
    return show_boxes("a.png", cells, [([50.0, 100.0, 90.0, 140.0], name)], [])


@pytest.mark.usefixtures("fonts_of_matplotlib")
def test_names_of_boxes_that_no_font_has_are_numbered(tmp_path: Path) -> None:
    assert boxes("泄漏", tmp_path).endswith("<small>1: 泄漏</small>")
    assert boxes("泄漏", tmp_path).split("<small>")[0] == boxes("1", tmp_path) + " "
    for name in ("leak", "трещина", "Öl"):
        assert "<small>" not in boxes(name, tmp_path)


def test_names_of_boxes_use_an_installed_font(our_font: str, tmp_path: Path) -> None:
    assert "<small>" not in boxes("泄漏", tmp_path)
    assert boxes("泄漏", tmp_path) != boxes("1", tmp_path)


@pytest.mark.usefixtures("fonts_of_matplotlib")
def test_texts_keep_their_room() -> None:
    """The longest name ends at the axis and begins inside the page, a letter being one em wide."""
    names = ["泄漏" * 10, "b", "c"]
    root = ElementTree.fromstring(charts.matrix(COUNTS, names))
    texts = [t for t in root.iter("{http://www.w3.org/2000/svg}text") if t.text == names[0]]
    upright = next(t for t in texts if "rotate(-0" in t.attrib["transform"])
    size = float(re.search(r"font-size: ([0-9.]+)px", upright.attrib["style"])[1])
    assert "text-anchor: end" in upright.attrib["style"]
    assert float(upright.attrib["x"]) >= 20 * size
    assert stand_in("泄a漏") == "\N{EM DASH}a\N{EM DASH}"
    assert stand_in("e\u0301") in ("e\u0301", "e")


def test_widths_are_those_of_the_canvas() -> None:
    wide = [shape_of(draw(names))[1] for draw in EVERY[:1] for names in (["a"] * 3, ["泄"] * 3)]
    assert wide == [346, 346]
    assert img("data:image/svg+xml;base64,", "x", width=wide[0])


@pytest.mark.parametrize(
    "names",
    [["_empty", "_a", "b"], ["$5 to $9", "$x", "a_b^c$"], ["a\tb", "c\nd", "e\x00\ud800"]],
    ids=["underscore", "dollar", "control"],
)
def test_names_are_never_taken_for_anything_else(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        charts, "drawn", lambda canvas: seen.append(canvas) or lettering.drawn(canvas)
    )
    for draw in EVERY:
        assert draw(names).startswith(PNG)
    legend = seen[1].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        *map(clean, names),
        "by chance 0.30",
    ]
    assert not any(text.get_parse_math() for canvas in seen for text in canvas.findobj(Text))


def test_a_report_in_chinese_is_readable(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "工厂 ✅"
    folder.mkdir()
    draw = np.random.default_rng(0)
    lines = ["温度 °C,班次,机器,x: y,结果"]
    for i in range(150):
        heat = draw.normal(60, 10)
        shift, code = draw.choice(["甲", "乙"]), draw.integers(4)
        name = "磨损" if heat > 65 else "泄漏 ⚠️" if heat < 52 else "正常"
        lines.append(f"{heat:.1f},{shift},机{i % 10},{code},{name}")
    (folder / "设备.csv").write_text("\n".join(lines), encoding="utf-8")
    job = {
        "table": str(folder / "设备.csv"),
        "split": {"by": "机器", "test": 0.3, "validation": 0.2},
        "columns": {
            "温度 °C": {"type": "number", "unit": "°C", "bins": 4},
            "班次": {"type": "category"},
            "x: y": {"type": "category"},
            "机器": {"type": "group"},
        },
        "fuse": {"type": "concat", "width": 16, "layers": 1},
        "tasks": {
            "故障": {"type": "classify", "target": "结果"},
        },
        "train": {"epochs": 2, "precision": "float32"},
    }
    run = ma.train(job, out=folder / "模型", quiet=True)
    page = (run.path / "report.html").read_text(encoding="utf-8")
    for word in ("故障", "温度 °C", "班次", "磨损", "泄漏 ⚠️"):
        assert word in page
        assert word in (run.path / "card.md").read_text(encoding="utf-8")
    assert "data:image/svg+xml" in page or fonts_for("故障磨损泄漏正常⚠") is not None
    answers = ma.predict(run, folder / "设备.csv", out=folder / "答案.csv", quiet=True)
    assert set(answers["故障"]) <= {"磨损", "泄漏 ⚠️", "正常"}
    assert "Glyph" not in "".join(capfd.readouterr())
