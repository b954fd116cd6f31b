"""Rows of the queue as pieces of HTML: the answer, what is right, and the cells of each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modalloy.serving.language import Language
from modalloy.serving.page.answered import card_of, unlike_column
from modalloy.serving.page.facts import facts_of
from modalloy.serving.page.rendered import rendered
from modalloy.serving.served_model import ServedModel


def queue_html(
    language: Language, model: ServedModel, found: Mapping[str, Any], folder: Path
) -> str:
    """What `queue_of` found, one card a row. folder: where pictures of the log lie."""
    task = next(task for task in facts_of(model) if task.name == found["task"])
    rows = [
        {
            "unreadable": None,
            **row,
            **card_of(language, task, row["answer"], row["own"], folder=folder),
            "unlike_of": unlike_column(row["answer"]),
        }
        for row in found["rows"]
    ]
    given = {"waiting": found["waiting"], "since": found["since"]}
    return rendered("queue.html", language, rows=rows, **given)
