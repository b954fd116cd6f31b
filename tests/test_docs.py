"""Every page in, every command and snippet on it run in the order of the page, in one workshop."""

import inspect
import os
import re
import shlex
import shutil
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import modalloy
from modalloy import diagnosis
from modalloy.cli import app
from modalloy.errors import JobError
from modalloy.job import reference
from modalloy.job.job_file import load_job
from modalloy.job.options import resolve, schema_of_job
from modalloy.judge.baselines.baselines import Baselines
from modalloy.judge.compared import Compared
from modalloy.judge.report import Report
from modalloy.report import evaluate
from modalloy.runs.parts import PARTS

REPO = Path(__file__).resolve().parent.parent
DOCS = REPO / "docs"
TRAINING = "verbs/train.md"
BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)


class Block(NamedTuple):
    """A fenced block: `sh`, `python`, `yaml` or `text`, and the comment on the line above it."""

    kind: str
    text: str
    note: str

    @property
    def runs(self) -> bool:
        """Whether the page says nothing against running it."""
        return not self.note.startswith("not run: ")


def pages() -> list[str]:
    """All pages, the tutorial left out: it makes the workshop."""
    found = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
    return [page for page in found if page != "tutorial.md"]


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page in their order."""
    found = BLOCK.finditer(path.read_text())
    return [Block(m["kind"], m["text"], m["note"] or "") for m in found]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the tutorial leaves behind."""
    with one_thread(tmp_path_factory.mktemp("workshop")) as folder:
        run_page(DOCS / "tutorial.md")
        yield folder


@contextmanager
def one_thread(folder: Path) -> Iterator[Path]:
    """Work in a folder with one thread: two that share a busy core wait for each other."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "set_num_threads", lambda count: None)
        patch.chdir(folder)
        yield folder


def run_page(path: Path) -> None:
    """Run the blocks of a page in the current folder; python blocks share their names."""
    module = types.ModuleType("page")
    sys.modules["page"] = module
    for block in blocks(path):
        if not block.runs:
            continue
        if block.note.startswith("file: "):
            Path(block.note.removeprefix("file: ")).write_text(block.text)
        elif block.kind == "sh":
            for line in block.text.strip().splitlines():
                run_line(line)
        elif block.kind == "python":
            exec(compile(block.text, f"{path.name}", "exec"), module.__dict__)


def run_line(line: str) -> None:
    """One command of a page, in this process; `> file` takes what it prints."""
    command, _, file = line.partition(" > ")
    words = shlex.split(command)
    assert words[0] == "modalloy", f"mark it `<!-- not run: why -->` or run it here: {line}"
    done = CliRunner().invoke(app, words[1:])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, f"{line}\n{done.output}"
    if file:
        Path(file.strip()).write_text(done.stdout)


def healthy_probe(modules: Any) -> dict[str, Any]:
    """What the probe says of a healthy machine; test_doctor.py runs the real one."""
    torch = {"version": "2.13.0", "cuda": None, "gpus": [], "threads": 1}
    seen: dict[str, Any] = dict.fromkeys(modules)
    seen["torch facts"] = torch | {"capability": "AVX2", "bf16_ratio": 1.0}
    seen["picture formats"] = ["BMP", "JPEG", "PNG", "WebP", "TIFF"]
    seen["sound formats"] = ["WAV", "FLAC", "OGG", "MP3"]
    return seen | {"font": "DejaVu Sans"}


def has_commands(path: Path) -> bool:
    """Whether a page shows anything that runs."""
    return any(block.runs and block.kind in ("sh", "python") for block in blocks(path))


def copy_workshop(workshop: Path, here: Path) -> None:
    """The workshop for one page; its job, which pages train again, takes one epoch and no blend."""
    shutil.copytree(workshop, here)
    job = (here / "job.yaml").read_text()
    assert "epochs: 20" in job
    short = job.replace("epochs: 20", "epochs: 1") + "blend: {use: never}\n"
    (here / "job.yaml").write_text(short)


@pytest.fixture
def without_lines(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No simple methods beside models that pages train: the tutorial's own report has them."""
    monkeypatch.setattr(evaluate, "baselines", lambda *_, **__: Baselines({}, {}, {}))


@pytest.mark.usefixtures("without_lines")
@pytest.mark.parametrize(
    "page",
    [p for p in pages() if has_commands(DOCS / p) and p != TRAINING and not p.startswith("zh/")],
)
def test_a_page_runs(
    page: str, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "probe", healthy_probe)
    copy_workshop(workshop, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    run_page(DOCS / page)


@pytest.mark.usefixtures("without_lines")
def test_the_page_on_training_runs_and_its_frame_cannot_be_scored_again(
    workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_workshop(workshop, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    run_page(DOCS / TRAINING)
    done = CliRunner().invoke(app, ["evaluate", "run-of-a-frame"])
    assert done.exit_code == 2
    assert "give the table to evaluate on" in done.output


def test_the_tutorial_leaves_what_it_promises(workshop: Path) -> None:
    names = ("job.yaml", "schema.json", "model.safetensors", "report.json", "report.html")
    for name in (*names, "card.md"):
        assert (workshop / "run" / name).is_file(), name
    assert (workshop / "answers.csv").read_text().startswith("row,fault,fault.probability")


def test_what_is_not_run_says_why() -> None:
    for page in [*pages(), "tutorial.md"]:
        for block in blocks(DOCS / page):
            if block.kind == "sh" and block.runs:
                assert all(line.startswith("modalloy ") for line in block.text.splitlines()), page
            assert block.kind in ("sh", "python", "yaml", "text"), f"{page}: {block.kind}"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_readmes_lines_are_words_that_the_verbs_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their verbs are replaced here, because they train for minutes; the tutorial runs them."""
    called = []

    def verb(name: str) -> Any:
        own = inspect.signature(getattr(modalloy, name))

        def call(*args: Any, **options: Any) -> Any:
            own.bind(*args, **options)
            called.append(name)
            return answers[name]

        return call

    compared = Compared("adapt", 4, "rows", {}).as_dict()
    said = types.SimpleNamespace(
        text=lambda: "",
        column="photo",
        number=1,
        numbers=[0],
        samples=[[0]],
        ok=True,
        path=tmp_path,
        notes={
            "interrupted": False,
            "recalibrated": {"rows": 4, "tasks": {}, "said": []},
            "adapted": {"compared": compared},
            "hardened": {"compared": compared, "said": []},
            "economized": compared,
            "pretrained": {"rows": 4, "judged": 0, "tables": [4], "before": {}, "after": {}},
            "seconds": {"training": 1.0},
            "epochs": 1,
        },
        findings=[],
        caveats=[],
        page=tmp_path,
        archive=types.SimpleNamespace(
            manifest=types.SimpleNamespace(notes={"compressed": compared})
        ),
        without_rows=None,
        in_words=lambda: "",
    )
    named = ["check", "train", "evaluate", "demo", "explain", "calibrate", "tune"]
    named += ["adapt", "harden", "economize", "compress", "export", "pretrain", "search", "draw"]
    named += ["rollback", "serve", "watch", "simulate", "design", "compare", "evidence"]
    named += ["wheelhouse"]
    answers = dict.fromkeys(named, said)
    answers |= {"init": "table: parts.csv", "predict": pd.DataFrame({"row": [0]})}
    answers["predict_into"] = types.SimpleNamespace(rows=1, attrs={})
    for name in answers:
        monkeypatch.setattr(modalloy, name, verb(name), raising=False)
    monkeypatch.chdir(tmp_path)
    Report().save("report.json")
    text = (REPO / "README.md").read_text()
    for line in re.findall(r"^modalloy [^#\n]*", text, re.MULTILINE):
        run_line(line.strip())
    for code in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        exec(compile(code, "README.md", "exec"), {})
    assert {*named, "init", "predict"} - {"demo"} <= set(called)


def test_the_reference_is_what_config_says() -> None:
    written = (DOCS / "job-file.md").read_text()
    assert written == reference.page(), "docs/job-file.md is stale; run `make docs`"


def test_the_reference_names_every_option_with_a_help() -> None:
    page = reference.page()
    for group in [schema_of_job(), *schema_of_job()["$defs"].values()]:
        for name, option in group.get("properties", {}).items():
            if name == "type":
                continue
            help_text = resolve(option).get("description")
            assert help_text, f"{group['title']}.{name} has no text below it"
            assert f"| `{name}` |" in page


@pytest.mark.parametrize("page", ["job-file.md", "tutorial.md"])
def test_jobs_on_pages_are_valid_and_their_faults_read_as_printed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {block.kind: block.text for block in blocks(DOCS / page) if block.kind != "sh"}
    monkeypatch.chdir(tmp_path)
    load_job(found["yaml"])
    mistakes = {
        "job-file.md": (("unit: kN", "unit: kN, bin: 8"), ("[0.1, 0.9]", "[0.1, 2]")),
        "tutorial.md": (("pixels: 96", "pixel: 96"), ("epochs: 20", "epochs: 0")),
    }
    text = found["yaml"]
    for right, wrong in mistakes[page]:
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    Path("job.yaml").write_text(text)
    with pytest.raises(JobError) as caught:
        load_job("job.yaml")
    said = "".join(f"error: {line}\n" for line in str(caught.value).splitlines())
    assert said == found["text"]


def test_links_lead_somewhere() -> None:
    for page in [*pages(), "tutorial.md"]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (DOCS / page).read_text()):
            if not target.startswith("http"):
                assert ((DOCS / page).parent / target).exists(), f"{page}: {target}"


def test_the_site_lists_every_page() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (REPO / "mkdocs.yml").read_text(), re.MULTILINE))
    assert listed == {*pages(), "tutorial.md"}


def test_paths_that_pages_name_exist() -> None:
    for page in [*pages(), "tutorial.md"]:
        text = (DOCS / page).read_text()
        for name in re.findall(
            r"`(src/modalloy/[\w/.]+|(?:job|cells|media|readers|table|checks|infer|model|answer|judge|report|learn)/[\w/]+\.py)`",
            text,
        ):
            path = REPO / name if name.startswith("src/") else REPO / "src" / "modalloy" / name
            new = "points.py" in name  # the page's own example
            assert new or path.exists(), f"{page}: {name}"


def test_the_page_on_the_report_names_every_part_of_it() -> None:
    said = (DOCS / "report.md").read_text()
    report = REPO / "src" / "modalloy" / "report"
    parts = re.findall(r'parts\.append\(\("\w+", "([^"]+)"', (report / "page.py").read_text())
    parts += re.findall(r'tag\("h3", "([^"]+)"\)', (report / "taskpage.py").read_text())
    for drawn in (report / "drawing").glob("*.py"):
        parts += re.findall(r'\bFigure\("([^"]+)"', drawn.read_text())
    parts += re.findall(r'fold\("([^"]+)"', (report / "taskpage.py").read_text())
    assert len(parts) > 10
    assert [part for part in parts if part not in said] == []


def test_pages_name_the_torch_that_the_package_asks_for() -> None:
    (asked,) = re.findall(r'^ *"(torch[<>=][^"]+)"', (REPO / "pyproject.toml").read_text(), re.M)
    for page in ("README.md", "docs/index.md"):
        assert f"`{asked}`" in (REPO / page).read_text(), page


def test_pages_name_the_files_that_are_sealed() -> None:
    train, tutorial = (DOCS / "verbs" / "train.md").read_text(), (DOCS / "tutorial.md").read_text()
    (row,) = re.findall(r"^\| `run.json` \| (.*) \|$", train, re.MULTILINE)
    told = re.search(r"`run.json`, which seals (.*?) by their hashes", tutorial, re.DOTALL)[1]
    for text in (row, told):
        assert sorted(re.findall(r"`([\w.]+)`", text)) == sorted(PARTS)


def test_make_and_ci_say_what_they_should() -> None:
    makefile = (REPO / "Makefile").read_text()
    for target in ("demo", "test", "lint", "docs", "scoreboard", "bench"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert (REPO / ".ci" / "run").read_text().rstrip().endswith("exec make test")
    assert os.access(REPO / ".ci" / "run", os.X_OK)
