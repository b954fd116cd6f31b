"""The page: one file, no network, nothing from a cell is run, every figure said."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.judge.report import Report
from modalloy.judge.subsets import shown_subsets
from modalloy.judge.wording import METRICS, better, say, say_gain, say_interval
from modalloy.report.evaluate import title_of
from modalloy.report.figure import Figure
from modalloy.report.html import Dot, dots, img, safe, table
from modalloy.report.page import check_page, page, write_page
from modalloy.report.plots import figures_for, training_figures

EVIL = "<script>alert(1)</script>\"'><img src=http://evil.example/x onerror=alert(2)>"
VOID = {"meta", "img", "br", "link", "input"}


class Reader(HTMLParser):
    """Elements with their attributes, the text, and tags that are never closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def full_report(**changes: Any) -> Report:
    """A report with something under every key."""
    fault = {name: 0.5 + 0.01 * i for i, name in enumerate(METRICS)}
    fault["interval"] = {name: [v - 0.1, v + 0.1] for name, v in fault.items()}
    life = {"mae": 10.0, "rmse": 12.5, "r2": 0.8, "interval": {"rmse": [11.0, 14.0]}}
    state: dict[str, Any] = {
        "title": "gearbox",
        "rows": {"train": 12345, "validation": 100, "test": 656},
        "split": "no machine has rows on both sides",
        "tasks": {"fault": fault, "life": life},
        "about": {
            "fault": {
                "type": "classify",
                "target": "code",
                "primary": "accuracy",
                "rows": 650,
                "rarer": "crack",
            },
            "life": {"type": "regress", "target": "left", "primary": "rmse", "unit": "h"},
        },
        "subsets": {
            "fault": {
                "photo": {"accuracy": 0.4, "columns": ["photo"]},
                "table": {"accuracy": 0.3, "columns": ["table"]},
                "photo + table": {"accuracy": 0.5, "columns": ["photo", "table"]},
            }
        },
        "gain": {
            "fault": {"metric": "accuracy", "best": "photo", "gain": 0.1, "interval": [0.02, 0.18]},
            "life": {"metric": "rmse", "best": "sound", "gain": -1.5, "interval": [-3.0, 0.5]},
        },
        "baselines": {
            "fault": {
                "always the commonest class": {"accuracy": 0.2},
                "gradient boosting on plain features": {
                    "accuracy": 0.45,
                    "note": "on 5000 of 12345 training rows",
                    "margin": {"metric": "accuracy", "gain": 0.05, "interval": [-0.01, 0.11]},
                },
                "published: CNN": {"accuracy": 0.8842},
            }
        },
        "naive": {
            "fault": {"metric": "accuracy", "what": "boosting", "honest": 0.45, "naive": 0.97}
        },
        "slices": {
            "fault": {
                "site": {
                    "north": {"accuracy": 0.9, "rows": 10},
                    "south": {"accuracy": 0.1, "rows": 5},
                }
            }
        },
        "groups": {
            "life": {"machine": {f"m{i}": {"rmse": float(i), "rows": 3} for i in range(12)}}
        },
        "reports": {"fault": "precision    recall\n  crack  0.9"},
        "curves": [{"epoch": 1, "loss": 1.0}],
        "findings": [
            {"level": "warning", "where": "load", "what": "is constant", "rows": [3], "count": 9}
        ],
        "inputs": {"load": {"type": "number", "unit": "kN", "missing": 0.25, "unreadable": 0.0}},
        "before": {"life": {"rmse": 20.0, "r2": 0.85, "label": "last month"}},
        "seconds": {"training": 75.0},
        "environment": {"torch": "2.13", "parameters": 4213123},
        "job": "table: parts.parquet\n",
    }
    return Report(**(state | changes))


def some_figures() -> list[Figure]:
    draw = np.random.default_rng(0)
    truth = [f"c{i}" for i in draw.integers(0, 3, 40)]
    answer = {"probability": draw.dirichlet(np.ones(3), 40)}
    names = ["c0", "c1", "c2"]
    figures = figures_for("fault", config.Classify(target="code"), truth, answer, names)
    return [*figures, *training_figures([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}])]


def test_one_file_that_reaches_for_nothing() -> None:
    html = page(full_report(), some_figures())
    for name, attributes in Reader(html).elements:
        assert name not in ("script", "iframe", "object", "embed", "form", "base", "link")
        assert not [a for a in attributes if a.startswith("on")]
        for key in ("src", "href", "srcset", "poster", "action", "data", "background"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:image/", "data:audio/", "#")), value
    assert "://" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)
    assert "@import" not in html
    assert "url(" not in html
    assert "default-src 'none'" in html.split("<style>")[0]
    assert 'name="viewport"' in html
    assert len(html) < 400_000


def test_every_metric_is_said_with_its_interval() -> None:
    text = Reader(page(full_report())).text
    figures = full_report().tasks["fault"]
    for name, metric in METRICS.items():
        assert metric.label in text
        assert say(name, figures[name]) in text, name
        assert say_interval(figures, name) in text, name


def test_average_precision_names_its_class() -> None:
    meant = "precision over all recalls of 'crack', the rarer class; more is better"
    assert meant in Reader(page(full_report())).text
    bare = full_report(about={})
    assert "precision over all recalls; more is better" in Reader(page(bare)).text


@pytest.mark.parametrize(
    ("levels", "exact"), [([0.1, 0.5, 0.9], "80.0 %"), ([0.95, 0.05], "90.0 %"), ([0.9], "90.0 %")]
)
def test_coverage_is_best_where_the_quantiles_say(levels: list[float], exact: str) -> None:
    about = {"life": {"type": "regress", "target": "left", "quantiles": levels}}
    report = full_report(tasks={"life": {"rmse": 2.0, "coverage": 1.0}}, about=about)
    text = Reader(page(report)).text
    assert f"inside the quantiles; {exact} is exact, more is too cautious, less too bold" in text
    assert better("coverage") == 0
    bare = Reader(page(full_report(about={}))).text
    assert "inside the quantiles; neither more nor less is better" in bare


def test_the_answer_comes_first_with_units_and_comparisons() -> None:
    text = Reader(page(full_report())).text
    start = text[: text.index("What each column is worth")]
    for said in (
        "50.0 %",
        "of 650 test rows are answered right; between 40.0 and 60.0 % with 95 % certainty",
        "12.5 h",
        "between 11.0 and 14.0 h",
        "published: CNN",
        "88.4 %",
        "Not surely apart from the best simple method: +5.0 points (95 %: −1.0 to +11.0 points)",
        "Does fusion pay? Yes: +10.0 points (95 %: +2.0 to +18.0 points) against photo alone",
        "Does fusion pay? Not shown: 1.50 h more error (95 %: 3.00 h more to 0.500 h less)",
        "no machine has rows on both sides",
        "12\u202f345 learned from",
    ):
        assert said in start, said


def test_the_naive_figure_is_struck_through_beside_the_honest_one() -> None:
    html = page(full_report())
    assert re.search(r"<b>45\.0 %</b> instead of <s>97\.0 %</s>", html)
    assert "52.0 points too good to be true" in html
    fair = full_report(naive={"life": {"metric": "rmse", "what": "b", "honest": 5.0, "naive": 6.0}})
    assert "would not have flattered" in page(fair)


def test_an_allowed_leak_is_red_and_above_everything() -> None:
    leak = {"level": "leak", "where": "split", "what": "12 twins", "rows": [4, 9], "count": 12}
    html = page(full_report(findings=[leak]))
    assert html.index('class="alarm"') < html.index('class="cards"')
    assert "split: 12 twins (rows 4, 9 and 10 more)" in html
    assert 'class="alarm"' not in page(full_report())


def test_before_and_after_say_which_is_better() -> None:
    text = Reader(page(full_report())).text
    assert "last month" in text
    assert "−7.50 h, better" in text
    assert "−0.050, worse" in text


def test_many_subsets_show_singles_and_leave_one_out_in_the_open() -> None:
    inputs = ["a", "b", "c", "d"]
    subsets = {
        " + ".join(s): {"accuracy": 0.1 * len(s), "columns": list(s)} for s in shown_subsets(inputs)
    }
    html = page(full_report(subsets={"fault": subsets}))
    start = html.index("What each column is worth")
    end = html.index("All figures of all 15 subsets")
    lines = re.findall(r'<span class="name">(.*?)</span>', html[start:end])
    assert sorted(lines) == sorted(n for n in subsets if n.count("+") != 1)
    assert lines[0] == "a + b + c + d"
    folded = re.findall(r'<span class="name">(.*?)</span>', html[end : html.index("By site")])
    assert sorted(folded) == sorted(subsets)


def test_slices_are_weakest_first_and_long_ones_fold() -> None:
    html = page(full_report())
    assert html.index("<td>south</td>") < html.index("<td>north</td>")
    assert html.index("<td>m11</td>") < html.index("<td>m0</td>")  # the largest error first
    assert "12 values, weakest first" in html


def test_slices_say_intervals_and_how_many_values_are_left_out() -> None:
    north = {"accuracy": 0.9, "rows": 10, "values": 25, "interval": {"accuracy": [0.8, 0.95]}}
    slices = {"fault": {"site": {"north": north, "south": north | {"interval": {}}}}}
    html = page(full_report(slices=slices))
    assert "By site: the 2 commonest of 25 values, weakest first" in html
    many = {"fault": {"site": {f"s{i}": north for i in range(12)}}}
    assert "By site: the 12 commonest of 25 values, weakest first" in page(full_report(slices=many))
    assert "90.0 %<small>80.0 to 95.0 %</small>" in html
    assert "values</th>" not in html


def test_data_section_says_units_shares_and_rows() -> None:
    text = Reader(page(full_report())).text
    assert "number, in kN" in text
    assert "25.0 %" in text
    assert "load: is constant (rows 3 and 8 more)" in text
    assert "4\u202f213\u202f123" in text


def test_html_in_cells_is_harmless() -> None:
    report = full_report()
    poisoned = Report(
        title=EVIL,
        split=EVIL,
        rows=report.rows,
        tasks={EVIL: report.tasks["fault"]},
        about={EVIL: {"type": "classify", "target": EVIL, "primary": "accuracy", "unit": EVIL}},
        subsets={EVIL: {EVIL: {"accuracy": 0.5}}},
        gain={EVIL: {"metric": "accuracy", "best": EVIL, "gain": 0.1, "interval": [0.0, 1.0]}},
        baselines={EVIL: {EVIL: {"accuracy": 0.2, "note": EVIL}}},
        naive={EVIL: {"metric": "accuracy", "what": EVIL, "honest": 0.4, "naive": 0.5}},
        slices={EVIL: {EVIL: {EVIL: {"accuracy": 0.5, "rows": 3}}}},
        reports={EVIL: EVIL},
        findings=[{"level": EVIL, "where": EVIL, "what": EVIL}, {"level": "leak", "what": EVIL}],
        inputs={EVIL: {"type": EVIL, "unit": EVIL, "missing": 0.1}},
        before={EVIL: {"accuracy": 0.1, "label": EVIL}},
        seconds={EVIL: 1.0},
        environment={EVIL: EVIL},
        job=EVIL,
    )
    figure = Figure(EVIL, "html", table((EVIL,), [(EVIL,)]), EVIL, EVIL)
    worst = Figure(EVIL, "html", safe(EVIL), "", EVIL, "worst")
    found = Reader(page(poisoned, [figure, worst]))
    assert not [name for name, _ in found.elements if name in ("script", "img")]
    assert not [a for _, attributes in found.elements for a in attributes if a.startswith("on")]
    assert found.text.count("<script>alert(1)</script>") > 20


def test_broken_letters_are_replaced() -> None:
    assert safe("a\x00\x1b\ud800\u202eb") == "a\ufffd\ufffd?\ufffdb"
    assert safe("10\u202f000 kN\tübergroß 好") == "10\u202f000 kN\tübergroß 好"


def test_pictures_from_elsewhere_are_refused() -> None:
    with pytest.raises(AssertionError):
        img("http://example.com/x.png", "")


def test_an_empty_report_and_undefined_figures_still_make_a_page(tmp_path: Path) -> None:
    Reader(page(Report()))
    bare = Report(tasks={"a": {"accuracy": float("nan"), "auroc": None}}, rows={"test": 0})
    text = Reader(page(bare)).text
    assert "nan" not in text.lower()
    write_page(bare, [], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page(bare)


def test_a_page_ends_in_html_or_htm_and_its_folder_exists(tmp_path: Path) -> None:
    for name in ("a.html", "a.htm", "A.HTML"):
        check_page(tmp_path / name)
    for name, why in (("a.json", "as .html"), ("a", "as .html"), ("b/a.html", "no folder")):
        with pytest.raises(RunError, match=why):
            check_page(tmp_path / name)


def test_the_page_says_that_validation_rows_were_learned_from() -> None:
    written = page(Report(rows={"train": 80, "refit": 20, "test": 25}), [])
    assert "20 used to stop training and then learned from too" in written


def test_findings_as_values_of_check_are_understood() -> None:
    from modalloy.checks.finding import finding

    html = page(full_report(findings=[finding("leak", "split", "twins", [1, 2])]))
    assert "split: twins (rows 1, 2)" in html


def test_the_same_report_makes_the_same_page() -> None:
    assert page(full_report(), some_figures()) == page(full_report(), some_figures())


def test_dots_stand_where_their_values_are() -> None:
    html = dots([Dot("a", 0.0, said="0"), Dot("b", 1.0, 0.5, 1.5, "1", main=True)])
    places = [float(p) for p in re.findall(r'class="dot" style="left:([\d.]+)%"', html)]
    low, high = -0.06, 1.56  # four per cent of the range on either side
    assert places == pytest.approx([100 * (v - low) / (high - low) for v in (0.0, 1.0)], abs=0.01)
    width = float(re.findall(r"width:([\d.]+)%", html)[0])
    assert width == pytest.approx(100 / (high - low), abs=0.01)
    assert dots([Dot("a", float("nan"))]) == ""
    assert 'left:50.00%"' in dots([Dot("same", 0.5)])


@pytest.mark.parametrize(
    ("metric", "value", "unit", "said"),
    [
        ("accuracy", 0.9314, "", "93.1 %"),
        ("auroc", 0.8746, "h", "0.875"),
        ("rmse", 12.345, "h", "12.3 h"),
        ("rmse", 0.0123, "mm", "0.0123 mm"),
        ("mae", 1234567.0, "USD", "1\u202f234\u202f567 USD"),
        ("mae", 1.5e9, "", "1.50e+09"),
        ("r2", -0.0001, "", "0.000"),
        ("r2", -1.5, "", "−1.500"),
        ("mae_unit", 1234.0, "log(USD)", "1\u202f234 USD"),
        ("mae_unit", 12.0, "log(target)", "12.0"),
        ("mae", 0.5, "log(USD)", "0.500 log(USD)"),
        ("rmse", None, "h", "–"),
        ("rmse", float("nan"), "h", "–"),
        ("own", 0.5, "h", "0.500"),
    ],
)
def test_figures_in_words(metric: str, value: float | None, unit: str, said: str) -> None:
    assert say(metric, value, unit) == said


def test_an_interval_in_the_targets_own_unit() -> None:
    figures = {"mae_unit": 5.0, "interval": {"mae_unit": [4.0, 6.0], "mae": [0.1, 0.2]}}
    assert say_interval(figures, "mae_unit", "log(USD)") == "4.00 to 6.00 USD"
    assert say_interval(figures, "mae", "log(USD)") == "0.100 to 0.200 log(USD)"


def test_gains_in_words() -> None:
    assert say_gain("mae_unit", -3.0, "log(USD)") == "−3.00 USD"
    assert say_gain("accuracy", -0.021) == "−2.1 points"
    assert say_gain("rmse", 3.0, "h") == "+3.00 h"
    assert say_gain("macro_f1", None) == "–"


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("line4/table.parquet", "line4"),
        ("data.csv", "table"),
        ("line4/gearbox.csv", "gearbox"),
        ("", "table"),
    ],
)
def test_a_report_is_called_as_its_table_or_folder(source: str, title: str) -> None:
    assert title_of(source) == title


def test_the_page_says_what_intervals_draw() -> None:
    said = Reader(page(full_report())).text
    assert "over single rows" in said
    assert "with 95 % certainty" in said
    many = Reader(page(full_report(drawn={"by": "machine", "groups": 10}))).text
    assert "over the 10 values of 'machine' among the test rows" in many
    assert "with 95 % certainty" in many
    assert "are few" not in many
    few = Reader(page(full_report(drawn={"by": "machine", "groups": 9}))).text
    assert "9 are few: the true uncertainty is larger" in few
    assert "if the 9 values of 'machine' stand for all others" in few
    assert "with 95 % certainty" not in few


def test_a_page_of_many_columns_sums_them_up() -> None:
    names = [f"c{i}" for i in range(700)]
    wide = full_report(
        columns={"fault": {n: {"accuracy": i / 1000} for i, n in enumerate(names)}},
        inputs={n: {"type": "number", "missing": i / 1000} for i, n in enumerate(names)},
        findings=[{"level": "note", "where": n, "what": "some cells are missing"} for n in names],
    )
    html = page(wide)
    assert len(html) < len(page(full_report())) + 80_000
    text = Reader(html).text
    assert "Each of the 700 tabular columns by itself" in text
    assert "The 40 strongest are drawn; report.json holds them all." in text
    assert "The 100 that lack most cells, and 600 more, see report.json." in text
    assert "And 600 more, see report.json." in text


def test_each_plain_column_by_itself_strongest_first() -> None:
    trees = {"load": {"accuracy": 0.3}, "site": {"accuracy": 0.45}, "day": {"accuracy": 0.2}}
    html = page(full_report(columns={"fault": trees}))
    start = html.index("Each of the 3 tabular columns by itself")
    end = html.index("</details>", start)
    assert re.findall(r'<span class="name">(.*?)</span>', html[start:end]) == [
        "site",
        "load",
        "day",
    ]
