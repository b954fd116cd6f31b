"""The page is whole in every language, and says nothing that its texts do not hold."""

import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import get_args

import pytest

from modalloy.serving.access import FILES
from modalloy.serving.language import LANGUAGES, TAGS, language_of, texts_of
from modalloy.serving.page.rendered import SCRIPTED
from modalloy.serving.schema import Kind

PAGE = files("modalloy.serving.page")
TEMPLATES = (
    "page.html", "form.html", "parts.html", "answer.html", "why.html", "alike.html", "queue.html",
    "live.html",
)  # fmt: skip
SHOWN = ("placeholder", "title", "alt", "aria-label", "content")
NEUTRAL = {"placeholder": "0.12 0.31 -0.04"}
NEUTRAL_WORDS = ("width=device-width, initial-scale=1", "light dark", "Hz", "Y", "S")


class Seen(HTMLParser):
    """Everything of a template that a person would read or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [v for n, v in attrs if n in SHOWN and v and NEUTRAL.get(n) != v]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def scripts() -> str:
    names = [name for name in FILES if name.endswith(".js")]
    return "\n".join(PAGE.joinpath(name).read_text() for name in names)


def test_every_language_has_the_same_texts() -> None:
    for language in LANGUAGES:
        texts = texts_of(language)
        assert texts.keys() == texts_of("en").keys()
        assert all(text.strip() for text in texts.values())
        assert not [key for key in texts if hasattr(dict, key)]  # templates would take the method
        for key, text in texts_of("en").items():
            assert holes(text) == holes(texts[key]), key
    chinese = [k for k, text in texts_of("zh").items() if not re.search(r"[\u4e00-\u9fff]", text)]
    assert chinese == ["title", "kicker"]  # a name


def holes(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_text_is_left_in_a_template(name: str) -> None:
    text = PAGE.joinpath("templates", name).read_text()
    seen = Seen()
    seen.feed(re.sub(r"{[{%#].*?[%}#]}", "", text, flags=re.DOTALL))
    read = [s.strip() for s in seen.found if re.search(r"[^\W\d]", s)]
    assert [s for s in read if s not in NEUTRAL_WORDS] == []


def test_every_text_is_used_and_every_one_used_is_there() -> None:
    templates = "".join(PAGE.joinpath("templates", name).read_text() for name in TEMPLATES)
    code = PAGE.joinpath("figures.py").read_text()
    used = set(re.findall(r"\bt\.(\w+)", templates))
    used |= set(re.findall(r'\bsay\("(\w+)"', templates + code))
    for pair in re.findall(r'\bsay\("(\w+)" if [^()]*? else "(\w+)"', templates):
        used |= set(pair)
    used |= {f"tab_{key}" for key in ("ask", "review", "report", "live")}
    used |= {"drop_image", "drop_audio", "kind_text", "kind_tokens"}
    assert used | set(SCRIPTED) == set(texts_of("en"))


def test_scripts_have_the_texts_that_they_write_and_no_other() -> None:
    code = scripts()
    used = set(re.findall(r'\bt\("(\w+)"', code))
    for pair in re.findall(r'\bt\([^(),]*\? "(\w+)" : "(\w+)"', code):
        used |= set(pair)
    assert used == set(SCRIPTED)


def test_scripts_are_a_few_hundred_lines() -> None:
    lines = scripts().splitlines()
    assert len(lines) < 400
    assert max(map(len, lines)) <= 130


def test_scripts_write_no_text_of_their_own() -> None:
    quoted = re.findall(r'"([^"\n]*)"', re.sub(r"(?m)//.*$|^import .*$", "", scripts()))
    words = [q for q in quoted if re.search(r"[A-Z]?[a-z]+ [a-z]+ [a-z]+", q)]
    assert words == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"), ("", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-GB,zh;q=0.9", "en"),
        ("fr,zh;q=0.3,en;q=0.2", "zh"), ("fr", "en"), ("zh;q=x", "en"), ("ZH-hant", "zh"),
    ],
)  # fmt: skip
def test_the_language_that_a_browser_asks_for(header: str | None, language: str) -> None:
    assert language_of(header) == language
    assert language in TAGS


def test_every_kind_of_column_has_a_field() -> None:
    form = PAGE.joinpath("templates", "form.html").read_text()
    rest = {kind for kind in get_args(Kind) if f'"{kind}"' not in form}
    assert rest == {"any"}  # the last branch
