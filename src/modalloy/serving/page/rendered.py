"""The HTML of the page: a frame that holds nothing secret, and the form of the served model."""

import functools
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from modalloy.judge.wording import brief
from modalloy.serving.page.language import TAGS, Language, texts_of
from modalloy.serving.served_model import ServedModel

# Nothing but our own files runs or is fetched; pictures of answers come inside them, and those that
# a person has just chosen from the browser itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src data: blob:; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
SHOWN = 200  # names of a category that are offered


@functools.cache
def templates() -> Environment:
    """Ours alone; every value is escaped, and one that is not there is an error."""
    return Environment(
        loader=PackageLoader("modalloy.serving.page"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def frame(language: Language) -> str:
    """The page without a word on the model: whoever has no token may read this much."""
    texts = dict(texts_of(language))
    return templates().get_template("page.html").render(t=texts, lang=TAGS[language])


def form(language: Language, model: ServedModel) -> str:
    """The form of a model's columns, and in `data-model` what the page has to know of it."""
    told = model_facts(model)
    columns = list(model.columns.values())
    texts = texts_of(language)

    def say(key: str, **given: object) -> str:
        return texts[key].format(**given)

    given = {"t": texts, "say": say, "brief": brief, "columns": columns, "model": told}
    return templates().get_template("form.html").render(**given, most=SHOWN)


def model_facts(model: ServedModel) -> dict[str, Any]:
    """Name, version and kind of a model, its tasks, and whether it has a report."""
    run = model.predictor.run
    tasks = {}
    for name, options in run.job.tasks.items():
        target = run.targets[name]
        tasks[name] = {
            "type": options.type,
            "several": options.several,
            "unit": getattr(options, "unit", None) or "",
            "on": getattr(options, "on", None),
            "columns": list(target.columns),
            "classes": list(getattr(target, "names", ())),
        }
    return {
        "name": model.name,
        "version": model.version.number,
        "bundle": model.is_bundle,
        "report": report_of(model) is not None,
        "tasks": tasks,
        "columns": {n: {"kind": c.kind, "names": list(c.names)} for n, c in model.columns.items()},
    }


def report_of(model: ServedModel) -> bytes | None:
    """The report of a run as it lies beside its weights; a bundle has none."""
    place = model.version.path / "report.html"
    return place.read_bytes() if not model.is_bundle and place.is_file() else None


@functools.cache
def static(name: str) -> bytes:
    """One of the files that `access` lists."""
    return files("modalloy.serving.page").joinpath(name).read_bytes()
