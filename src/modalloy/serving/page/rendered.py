"""The HTML of the page: its templates and texts, a frame that holds nothing secret, the form."""

import functools
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from modalloy.serving.language import TAGS, Language, texts_of
from modalloy.serving.page.numbers import num, percent, signed, when
from modalloy.serving.served_model import ServedModel

# Nothing but our own files runs or is fetched; pictures of answers come inside them, and those that
# a person has just chosen from the browser itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src data: blob:; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
MOST = 8  # lines of a list or chart
SHOWN = 200  # names of a category that are offered
SCRIPTED = (  # texts that scripts of the page write
    "outside", "strange", "no_number", "no_numbers", "kind_vector", "no_file", "chosen",
    "all_empty", "no_service", "version", "thinking", "kept", "no_label", "waiting",
    "queue_empty", "no_report", "tab_report", "pause", "go_on", "rate",
)  # fmt: skip


@functools.cache
def templates() -> Environment:
    """Ours alone; every value is escaped, and one that is not there is an error."""
    made = Environment(
        loader=PackageLoader("modalloy.serving.page"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"num": num, "percent": percent, "signed": signed, "when": when, "put": put}
    return made


def rendered(name: str, language: Language, **given: Any) -> str:
    """A template with the texts of a language."""
    texts = texts_of(language)
    own = {"t": texts, "say": sayer(language), "lang": TAGS[language], "most": MOST}
    return templates().get_template(name).render(**own, **given)


def sayer(language: Language) -> Callable[..., str]:
    """Fills a text of a language: its key, and what is put in by name."""
    texts = texts_of(language)
    return lambda key, **given: texts[key].format(**given)


def put(text: str, **given: Any) -> Markup:
    """A text with HTML of ours put in, such as a time."""
    return Markup(text).format(**given)


def frame(language: Language) -> str:
    """The page without a word on the model: whoever has no token may read this much."""
    texts = texts_of(language)
    return rendered("page.html", language, said={key: texts[key] for key in SCRIPTED})


def form(language: Language, model: ServedModel) -> str:
    """The form of a model's columns, with what scripts have to know of the model beside it.

    Columns that no input reads are not asked for: they only say which rows belong together.
    """
    told = {
        "name": model.name,
        "version": model.version.number,
        "report": report_of(model) is not None,
    }
    columns = [column for column in model.columns.values() if column.read]
    given = {"columns": columns, "model": told, "shown": SHOWN}
    tasks = list(model.predictor.run.job.tasks)
    return rendered("form.html", language, **given, tasks=tasks)


def report_of(model: ServedModel) -> bytes | None:
    """The report of a run as it lies beside its weights; a bundle has none."""
    place = model.version.path / "report.html"
    return place.read_bytes() if not model.is_bundle and place.is_file() else None


@functools.cache
def static(name: str) -> bytes:
    """One of the files that `access` lists."""
    return files("modalloy.serving.page").joinpath(name).read_bytes()
