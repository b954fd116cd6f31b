"""Chinese pages say what the English ones say: the same blocks, which those run, and figures."""

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
PAGES = {
    "README.zh.md": "README.md",
    "docs/zh/tutorial.md": "docs/tutorial.md",
    "docs/zh/operate.md": "docs/operate.md",
}
BLOCK = re.compile(r"(?:^<!-- [^\n]*? -->\n)?^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
FIGURES = re.compile(r"<!-- figures -->\n(.*?)<!-- /figures -->", re.DOTALL)
ROOMS = re.compile(r"^## (?:Map|结构图)$.*?(?=^## )", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^((?:modalloy|make) .*?) +# .*$", re.MULTILINE)
HAN = re.compile("[\u4e00-\u9fff]")


def blocks(page: str) -> list[str]:
    """Fenced blocks in their order, each with the note above it; comments behind commands left out,
    which are said in the page's language.
    """
    found = BLOCK.findall((REPO / page).read_text("utf-8"))
    return [
        re.sub(r"^((?:modalloy|make) .*?) +# .*$", r"\1", block, flags=re.MULTILINE)
        for block in found
    ]


def numbers(text: str) -> list[str]:
    """Numbers of a text as they are written, without those in links and names of encodings."""
    return re.findall(r"\d*\.?\d+", re.sub(r"\]\([^)]*\)|UTF-\d+|GB\d+", "", text))


@pytest.mark.parametrize(("chinese", "english"), PAGES.items())
def test_blocks_are_those_of_the_english_page(chinese: str, english: str) -> None:
    assert len(blocks(english)) > 3
    assert blocks(chinese) == blocks(english)


@pytest.mark.parametrize(("chinese", "english"), PAGES.items())
def test_figures_are_those_of_the_english_page(chinese: str, english: str) -> None:
    texts = [(REPO / page).read_text("utf-8") for page in (chinese, english)]
    tables = [numbers("".join(FIGURES.findall(text))) for text in texts]
    assert tables[0] == tables[1]
    prose = [sorted(numbers(ROOMS.sub("", BLOCK.sub("", text)))) for text in texts]
    assert prose[0] == prose[1]


@pytest.mark.parametrize(("chinese", "english"), PAGES.items())
def test_headings_and_paragraphs_are_as_many_and_pages_name_each_other(
    chinese: str, english: str
) -> None:
    texts = [BLOCK.sub("", (REPO / page).read_text("utf-8")) for page in (chinese, english)]
    marks = [re.findall(r"^(?:#+(?= )|- )", text, re.MULTILINE) for text in texts]
    assert marks[0] == marks[1]
    assert all(len(line) < 40 for line in re.findall(r"^#+ .*", texts[0], re.MULTILINE))
    heads = ["\n".join(text.splitlines()[:4]) for text in texts]
    assert f"]({'../' * (chinese.count('/') - 1)}{Path(english).name})" in heads[0]
    assert f"]({'zh/' * (chinese.count('/') - 1)}{Path(chinese).name})" in heads[1]
    assert len(HAN.findall(texts[0])) > 1000


def test_links_of_the_readme_lead_somewhere() -> None:
    for page in ("README.md", "README.zh.md"):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (REPO / page).read_text("utf-8")):
            assert (REPO / target).exists(), f"{page}: {target}"
