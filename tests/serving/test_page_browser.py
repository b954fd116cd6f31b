"""The page in a browser: filled in, answered, labelled; by keyboard alone, on a phone, by night."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from modalloy.deployment.deployment import Deployment
from modalloy.serving.app import build_app
from modalloy.serving.limits import Limits
from modalloy.serving.serve_run import listening
from modalloy.serving.service import Service
from modalloy.serving.tokens import Tokens
from served import small_run

CHROMIUM = Path("/usr/bin/chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
if not CHROMIUM.exists():
    pytest.skip(f"{CHROMIUM} is not installed", allow_module_level=True)

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
PATIENCE_MS = 120_000  # of a machine with other work


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = small_run(tmp_path_factory.mktemp("browser"))
    (run / "report.html").write_text("<!doctype html><title>r</title><h1 id=a>The report</h1>")
    return run


@pytest.fixture(scope="module")
def address(run: Path) -> Iterator[str]:
    """A real server, since a browser speaks to nothing else."""
    deployment = Deployment.of(run)
    service = Service(deployment, Limits(deadline_s=200.0))
    listener = listening("127.0.0.1", 0)
    app = build_app(service, Tokens(deployment.path))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def opened(browser: Any, address: str, **given: Any) -> Iterator[Any]:
    """A page whose scripts and policy must not complain."""
    context = browser.new_context(base_url=address, **{"locale": "en-GB", **given})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.on(
        "request", lambda r: r.url.startswith((address, "data:", "blob:")) or wrong.append(r.url)
    )
    page.goto("/")
    yield page
    context.close()
    assert [w for w in wrong if "401" not in w] == []


def follows_the_rules(page: Any) -> None:
    """axe-core finds nothing."""
    try:
        axe = files("axe_playwright_python").joinpath("axe.min.js").read_text()
    except ModuleNotFoundError:
        pytest.skip("axe-playwright-python is not installed, which brings axe-core")
    page.evaluate(axe)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    assert len(found["passes"]) > 15
    told = [
        (v["id"], n["target"], n["failureSummary"]) for v in found["violations"] for n in v["nodes"]
    ]
    assert told == []


def drop_file(page: Any, field: str, path: Path) -> None:
    """A file from the desk onto a field."""
    data = page.evaluate_handle(
        "bytes => { const d = new DataTransfer(); d.items.add(new File([new Uint8Array(bytes)], "
        "'dropped.png', {type: 'image/png'})); return d; }",
        list(path.read_bytes()),
    )
    page.dispatch_event(f"{field} .drop", "drop", {"dataTransfer": data})


def labels_of(run: Path) -> list[tuple[str, Any]]:
    from modalloy.deployment.row_log import RowLog

    log = RowLog(Deployment.of(run).path)
    try:
        return [(label.task, label.label) for label in log.labels()]
    finally:
        log.close()


def fill_in(page: Any, run: Path) -> None:
    page.wait_for_selector("#row")
    drop_file(page, "[data-column=photo]", run.parent / "img" / "001.png")
    page.set_input_files("[data-column=sound] input", run.parent / "snd" / "001.wav")
    page.fill("[data-column=note] textarea", "long crack on the housing")
    page.fill("[data-column=load] input", "99")


def test_a_row_is_answered_explained_and_labelled(browser: Any, address: str, run: Path) -> None:
    with opened(browser, address) as page:
        fill_in(page, run)
        assert page.locator("[data-column=photo] .preview img").is_visible()
        assert "it is answered all the same" in page.inner_text("[data-column=load] .beside")
        page.click("#row [type=submit]")
        page.wait_for_selector("#answer .card")
        assert page.inner_text("#answer .card >> nth=0 >> .big") in ("crack", "ok")
        assert "fault: " in page.inner_text("#said")
        assert page.locator("td.missing").count() == 3
        follows_the_rules(page)
        before = len(labels_of(run))
        page.fill("#answer form.right input", "41.5")
        page.press("#answer form.right input", "Enter")
        page.wait_for_selector("#said:has-text('Kept')", state="attached")
        assert labels_of(run)[before:] == [("life", 41.5)]
        page.click("text=What mattered")
        page.wait_for_selector("#answer .words .for, #answer .words .against")
        assert page.locator("#answer .over img").count() >= 2
        page.click("text=Past rows alike")
        page.wait_for_selector("#answer .rows .card")
        assert page.locator("#answer .rows .card").count() == 5
        follows_the_rules(page)


def test_the_queue_by_keyboard_alone(browser: Any, address: str, run: Path) -> None:
    with opened(browser, address) as page:
        page.wait_for_selector("#row")
        for load in ("8", "9"):
            page.fill("[data-column=load] input", load)
            with page.expect_response("**/page/answer"):
                page.press("[data-column=load] input", "Enter")
            page.wait_for_selector("#row [type=submit]:enabled")
        page.focus("#tab-ask")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#queue-row .card:visible")
        assert page.evaluate("document.activeElement.id") == "queue-row"
        before = len(labels_of(run))
        first = page.get_attribute("#queue-row article:visible", "data-row")
        page.keyboard.press("s")
        page.wait_for_selector(f"#queue-row article:not([data-row='{first}']):visible")
        page.keyboard.press("1")
        page.wait_for_selector("#said:has-text('Kept')", state="attached")
        assert labels_of(run)[before:] == [("fault", "crack")]
        follows_the_rules(page)


def test_a_phone_by_night_in_chinese(browser: Any, address: str, run: Path) -> None:
    given = {"viewport": {"width": 360, "height": 740}, "locale": "zh-CN"}
    with opened(browser, address, color_scheme="dark", reduced_motion="reduce", **given) as page:
        fill_in(page, run)
        page.click("#row [type=submit]")
        page.wait_for_selector("#answer .card")
        assert page.get_attribute("html", "lang") == "zh-Hans"
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(int(v) for v in paper[4:-1].split(",")) < 64
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        for tab, shown in (("ask", "#answer .card"), ("review", "#queue-row .card:visible"),
                           ("report", "iframe"), ("live", "#counters .card")):  # fmt: skip
            page.click(f"#tab-{tab}")
            page.wait_for_selector(shown)
            assert page.evaluate("document.documentElement.scrollWidth") == 360, tab
            follows_the_rules(page)
            if tab == "report":
                assert page.frame_locator("iframe").locator("h1").inner_text() == "The report"


def test_a_token_is_asked_for_once(browser: Any, address: str, run: Path) -> None:
    kept = Tokens(Deployment.of(run).path)
    made, token = kept.add("predict")
    try:
        with opened(browser, address) as page:
            page.wait_for_selector("#token-form:visible")
            assert page.evaluate("document.activeElement.id") == "token-text"
            assert "photo" not in page.content()
            follows_the_rules(page)
            page.keyboard.type(token)
            page.keyboard.press("Enter")
            page.wait_for_selector("#row")
            page.reload()
            page.wait_for_selector("#row")
            assert not page.is_visible("#token-form")
            assert page.evaluate("localStorage.length") == 0
    finally:
        kept.remove(made.name)
