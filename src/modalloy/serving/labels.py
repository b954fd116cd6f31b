"""What a right answer of each kind of task looks like, and whether a label does."""

from collections.abc import Mapping
from typing import Any, Literal

from modalloy.errors import RequestError
from modalloy.job import config
from modalloy.serving.media_cells import called
from modalloy.serving.rows import is_number, to_float

Form = Literal["class", "labels", "number", "words", "boxes", "text", "own"]
FORMS: Mapping[str, Form] = {  # what answers of each kind of task are
    "classify": "class", "regress": "number", "tag": "words", "locate": "boxes",
    "generate": "text", "custom": "own",
}  # fmt: skip
WANTED: Mapping[Form, str] = {
    "class": "one class", "labels": "a list of labels", "number": "a number",
    "words": "a list with a tag for each word", "boxes": "a list of boxes", "text": "a text",
}  # fmt: skip


def form_of(options: config.TaskOptions) -> Form:
    """What answers of a task are."""
    found = FORMS[options.type]
    return "labels" if found == "class" and options.several else found


def refuse_label(task: str, options: config.TaskOptions, label: Any) -> None:
    """RequestError for no label, and for one of another form than answers of its task."""
    if label is None or (isinstance(label, str) and not label.strip()):
        named = "null" if label is None else "empty"
        raise RequestError(f"label is {named}; send what the right answer is.")
    form = form_of(options)
    wanted = WANTED.get(form)
    if form == "boxes" and len(columns := list(options.answers_in.values())) > 1:
        wanted = f"an object with {' and '.join(columns)}"
        fits = isinstance(label, dict) and set(label) == set(columns)
    else:
        fits = wanted is None or fits_form(form, label)
    if not fits:
        raise RequestError(f"label: '{task}' is answered by {wanted}, not {called(label)}.")
    if form == "number":
        to_float(label, "label")


def fits_form(form: Form, label: Any) -> bool:
    """Whether a label is of a form. Labels that stand together may be written as one text."""
    match form:
        case "class":
            return not isinstance(label, list | dict)
        case "number":
            return is_number(label)
        case "labels":
            return isinstance(label, str) or is_texts(label)
        case "words":
            return is_texts(label)
        case "boxes":
            return isinstance(label, list)
        case "text":
            return isinstance(label, str)
        case "own":
            return True


def is_texts(label: Any) -> bool:
    """Whether it is a list of texts."""
    return isinstance(label, list) and all(isinstance(one, str) for one in label)
