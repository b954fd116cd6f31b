"""The page of a search: one file without a network, every name escaped, bad news said first."""

import base64
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modalloy.designing import foretold, parallel, plots
from modalloy.designing.page import write_page
from searches import CONSTRAINTS, TWIN, Search

EVIL = "<script>alert(1)</script>\"'><img src=//evil.example/x onerror=alert(2)> & {{7}}"
VOID = {"meta", "img"}
CHROMIUM = Path("/usr/bin/chromium")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


class Reader(HTMLParser):
    """Elements, and the texts of each section by its key; tags must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {"": ""}
        self.open: list[str] = []
        self.at = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "section":
            self.at = dict(attrs)["id"] or ""
            self.texts[self.at] = ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.texts[self.at] += data

    def sources(self) -> list[str]:
        """Addresses that the page loads or leads to."""
        return [v or "" for _, a in self.elements for k, v in a.items() if k in ("src", "href")]


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are put together but not painted, for tests that look at texts alone."""
    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "PNG")
    for room in (plots, foretold, parallel):
        monkeypatch.setattr(room, "drawn", lambda canvas: out.getvalue())


def page_of(search: Search) -> str:
    path = write_page(search.folder, search.records, search.twin)
    assert path == search.folder / "design.html"
    return path.read_text(encoding="utf-8")


def follows(page: str) -> Reader:
    """What holds of every page."""
    read = Reader(page)
    plain = re.sub(r"data:[a-z+/]+;base64,[A-Za-z0-9+/=]+", "", page)
    for address in re.findall(r"https?://[^\s\"'<>]*", plain):
        assert "www.w3.org" in address
    for data in re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page):
        own = base64.b64decode(data).decode()
        assert not re.search(r'(href|src)="(?!#|data:)', own)
    assert not re.search(r"\b(nan|NaN|inf|Infinity)\b", " ".join(read.texts.values()))
    assert not re.search(">(None|nan)<|NaN", plain)
    assert all(address.startswith(("data:", "#")) for address in read.sources())
    assert all(attrs.get("alt") for tag, attrs in read.elements if tag == "img")
    assert not {"script", "iframe", "link"} & {tag for tag, _ in read.elements}
    return read


def test_the_whole_page(tmp_path: Path) -> None:
    search = Search(tmp_path, final=20).plan().round().accept()
    read = follows(page_of(search))
    told = search.records.last("accept").facts
    assert list(read.texts)[1:] == [
        "answer", "front", "pictures", "progress", "foretold", "variables", "designs", "proposed",
        "surrogate", "steps",
    ]  # fmt: skip
    answer = read.texts["answer"]
    assert f"{told['feasible']} of 20 proposed designs keep everything that was asked" in answer
    assert "at least 95 % were promised" in answer
    assert f"best of the plan, run {told['best_of_plan']['run']}" in answer
    assert "10 to 60 mm" in answer
    assert "10, 12, 16, 20 mm" in answer
    pictures = [a for t, a in read.elements if t == "img" and a.get("class") == "thumb"]
    assert len(pictures) == 12
    assert f"what there is of {len(told['accepted']) - 12} more" in read.texts["pictures"]
    assert f"Run {told['accepted'][0]['run']} (best)drawing" in read.texts["pictures"]
    assert "inside the 80 % interval foretold of them" in read.texts["surrogate"]
    assert "the bars are its 80 % intervals" in read.texts["foretold"]
    for one in told["accepted"]:
        assert f"run {one['run']}" in read.texts["designs"]
    surrogate = read.texts["surrogate"]
    for word in ("Gaussian process", "at first 1.75", "91 %", "deep ensemble", "0.750", "0.100 kg"):
        assert word in surrogate
    steps = read.texts["steps"]
    for record in search.records.all:
        assert f"{record.number}. {record.state}" in steps
        assert record.seal[:12] in steps
    assert "runs 0 to 39: " in steps
    assert "2.5 s" in steps
    assert "the mesh collapsed" in steps


@pytest.mark.usefixtures("unseen")
def test_every_proposal_is_listed_with_what_became_of_it(tmp_path: Path) -> None:
    search = Search(tmp_path).plan().accept(offset=0.06)
    text = follows(page_of(search)).texts["proposed"]
    told = search.records.last("verify").facts
    kept, whole = sum(told["feasible"]), len(told["feasible"])
    failed = told["status"].count("failed")
    assert 0 < kept < whole - failed
    assert text.count("kept") == kept
    assert text.count("broken") == whole - failed - kept
    assert text.count("not certified, extrapolates") == 1
    assert " · " in text


@pytest.mark.usefixtures("unseen")
def test_what_is_left_out_of_a_table_is_counted(tmp_path: Path) -> None:
    search = Search(tmp_path, planned=20, final=103, fails=0.0).plan().accept()
    keep = search.records.last("accept").facts["keep"]
    read = follows(page_of(search))
    assert keep > 50
    assert f"These are the best of {keep} designs that keep everything." in read.texts["designs"]
    assert "And 3 more in the records of the search." in read.texts["proposed"]
    assert f"{keep} designs shown to keep everything, 103 proposed" in read.texts["steps"]


@pytest.mark.usefixtures("unseen")
def test_nothing_found_is_an_alarm_at_the_top(tmp_path: Path) -> None:
    hard = ({**CONSTRAINTS[0], "high": 0.01, "text": "deflection <= 0.01 mm"},)
    search = Search(tmp_path, constraints=hard).plan().accept()
    read = follows(page_of(search))
    assert ("div", {"class": "alarm", "role": "alert"}) in read.elements
    assert read.texts["answer"].startswith("No design that keeps everything that was asked")
    assert "Nearest to what was asked, run " in read.texts["answer"]
    assert "designs" not in read.texts
    assert "pictures" not in read.texts


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(
    "given",
    [
        {"objectives": ("mass", "-f1"), "constraints": CONSTRAINTS[:1]},
        {"objectives": ()},
        {"constraints": ()},
        {"rows": False},
        {"simulated": False},
    ],
    ids=["two", "none", "free", "variable", "experiments"],
)
def test_searches_of_other_kinds(tmp_path: Path, given: dict[str, Any]) -> None:
    search = Search(tmp_path, final=8, **given).plan().accept()
    read = follows(page_of(search))
    if given.get("objectives") == ("mass", "-f1"):
        assert "Hypervolume of the front: 1.25." in read.texts["front"]
        assert "on the front" in read.texts["designs"]
    elif given.get("objectives") == ():
        assert "most room to its limits" in read.texts["answer"]
        assert "front" not in read.texts
    elif given.get("constraints") == ():
        assert "nothing but a run without fault was asked" in read.texts["answer"]
        assert "front" not in read.texts
    elif given.get("rows") is False:
        assert "Of the plan its best design alone is at hand." in read.texts["front"]
    else:
        assert "None has been run: make and measure them" in read.texts["answer"]
        assert "last proposals" not in read.texts["designs"]
        assert read.texts["proposed"].count("not run") == 2 * 8
        assert ("details", {"open": None}) in read.elements


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("given", [{"trusted": False}, {"final": 0}], ids=["luck", "none"])
def test_searches_that_hand_nothing_over(tmp_path: Path, given: dict[str, Any]) -> None:
    search = Search(tmp_path, planned=20, **{"final": 6, **given}).plan().round().accept()
    read = follows(page_of(search))
    assert ("designs" in read.texts) == ("final" in given)  # what was found before still counts
    assert ("proposed" in read.texts) == ("final" not in given)
    said = "No design could be proposed" if "final" in given else "No design is accepted"
    assert said in read.texts["answer"]


@pytest.mark.usefixtures("unseen")
def test_a_search_that_goes_on_has_a_page(tmp_path: Path) -> None:
    read = follows(page_of(Search(tmp_path, planned=20, batch=4).plan().round()))
    assert "The search has not ended" in read.texts["answer"]
    assert "proposed" not in read.texts


@pytest.mark.parametrize("name", [EVIL, "漏れ ⚠️ \u202e", "a\x00b $x$ _c", "nothing <= of 5 %"])
def test_names_are_texts_and_nothing_else(tmp_path: Path, name: str) -> None:
    """Names of the twin, of outputs, variables and choices, limits and reasons."""
    text = f"{name} <= 0.6 mm"
    twin = {
        **TWIN,
        "name": name,
        "variables": {
            **TWIN["variables"],
            name + "v": {"type": "continuous", "low": 0, "high": 1, "unit": name},
        },
    }
    search = Search(
        tmp_path, twin=twin, planned=12, final=4, constraints=({**CONSTRAINTS[0], "text": text},)
    )
    search.extra = {name + "v": 0.5}
    search.reason = name
    read = follows(page_of(search.plan().accept()))
    shown = re.sub("[\x00\u202e]", "\ufffd", name)
    assert shown in read.texts[""]
    assert f"{shown} <= 0.6 mm" in read.texts["answer"]
    assert f"{shown}v" in read.texts["designs"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small search."""
    folder = tmp_path_factory.mktemp("small")
    page_of(Search(folder, planned=20, batch=4, final=6).plan().round().accept())
    return folder / "design.html"


@pytest.mark.parametrize("light", ["light", "dark"])
def test_in_a_browser_by_day_and_by_night(small: Path, browser: Any, light: str) -> None:
    """On a phone: no scrolling sideways, and axe-core finds nothing."""
    viewport = {"width": 390, "height": 800}
    context = browser.new_context(color_scheme=light, viewport=viewport, bypass_csp=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda line: wrong.append(line.text))
    page.goto(small.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(246, 247, 248)", "dark": "rgb(18, 23, 27)"}[light]
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text()
    page.evaluate(axe)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    assert len(found["passes"]) > 15
    assert [(v["id"], n["target"]) for v in found["violations"] for n in v["nodes"]] == []
    context.close()
    assert wrong == []
