"""The answer to a row as a piece of HTML: a card for each task, and what each cell was worth."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modalloy.serving.language import Language
from modalloy.serving.page.facts import TaskFacts, facts_of
from modalloy.serving.page.figures import figures_of, right_of
from modalloy.serving.page.pictures import picture_of
from modalloy.serving.page.rendered import rendered, sayer
from modalloy.serving.served_model import ServedModel
from modalloy.serving.service import Answered


def answer_html(language: Language, model: ServedModel, answered: Answered) -> str:
    """What is said of the only row of a request."""
    (told,) = answered.as_dict()["rows"]
    answer, row = told["answer"], answered.rows[0]
    cards = [card_of(language, task, answer, row) for task in facts_of(model)]
    given = {
        "id": told["id"],
        "answered": answered,
        "bundle": model.is_bundle,
        "explained": all(card["task"].explained for card in cards),
        "cards": cards,
        "unlike_of": unlike_column(answer),
        "caveats": answered.told.caveats,
        "worth": worth_of(told["cells"]),
        "bought": answer.get("row.bought", answer.get("bought")),
        "said": "; ".join(f"{card['task'].name}: {card['figures'].short}" for card in cards),
    }
    return rendered("answer.html", language, **given)


def card_of(
    language: Language,
    task: TaskFacts,
    answer: Mapping[str, Any],
    row: Mapping[str, Any],
    folder: Path | None = None,
) -> dict[str, Any]:
    """What templates take of one task of an answer. folder: where files lie that cells name."""
    say = sayer(language)
    figures = figures_of(task, answer, row, say)
    right = right_of(task, answer, say)
    picture = picture_of(row.get(task.on or ""), folder) if task.form == "boxes" else None
    yes = json.dumps(right.yes) if right.agreeable else None
    given = {"task": task, "figures": figures, "right": right, "yes": yes, "picture": picture}
    return {**given, "main": str(answer.get(task.name))}


def unlike_column(answer: Mapping[str, Any]) -> str | None:
    """The column by which a row is unlike those of training; None where it is not."""
    key = "row.unlike" if "row.unlike" in answer else "unlike"
    return str(answer.get(f"{key}.column")) if answer.get(key) == "yes" else None


def worth_of(cells: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name of each cell, what it was worth (`ok`, `missing`, `unknown` or `odd`), and in words."""
    found = []
    for name, said in cells.items():
        kind, _, why = said.partition(": ")
        known = kind in ("ok", "missing", "unknown")
        found.append((name, kind if known else "odd", why if known else said))
    return found
