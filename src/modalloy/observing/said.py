"""Answers of rows as what is watched of them: which, how sure, how wide, and how right."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer, Answers
from modalloy.observing.seen import Say
from modalloy.readers.targets.target import names_of
from modalloy.tasks.kit import kit_of

SHOWN = 0.3  # score of a box from which on it is counted


def say_answers(
    tasks: Mapping[str, Any],
    targets: Mapping[str, Any],
    answers: Answers,
    truths: Mapping[str, Sequence[Any]] | None = None,
) -> dict[str, Say]:
    """Each task's answers, after their stage. truths: right answers, None where nobody knows."""
    return {
        task: say(tasks[task], names_of(targets[task]), answer, (truths or {}).get(task))
        for task, answer in answers.items()
    }


def say(
    options: Any, names: Sequence[str] | None, answer: Answer, truth: Sequence[Any] | None
) -> Say:
    """One task's answers. names: of its classes."""
    rows = len(next(iter(answer.values())))
    truth = [None] * rows if truth is None else truth
    kind = kit_of(options).promises
    if kind == "classes":
        return labels(answer, names or (), truth) if options.several else (
            classes(answer, names or (), truth)
        )  # fmt: skip
    return number(answer, truth) if kind == "number" else items(answer)


def blank(kind: str, rows: int, **known: np.ndarray) -> Say:
    """Answers of which only this is known."""
    nothing = np.full(rows, np.nan)
    given = dict.fromkeys(("value_B", "sure_B", "width_B", "right_B", "error_B", "held_B"), nothing)
    return Say(kind, **{"name_B": np.full(rows, -1), **given, **known})


def classes(answer: Answer, names: Sequence[str], truth: Sequence[Any]) -> Say:
    """One class a row."""
    p_BC = answer["probability"]
    name_B, known_B = p_BC.argmax(1), np.array([t is not None for t in truth], dtype=bool)
    index = {n: c for c, n in enumerate(names)}
    true_B = np.array([index.get(t, -1) for t in truth], dtype=np.int64)
    own = {"name_B": name_B, "sure_B": p_BC.max(1).astype(np.float64)}
    own["right_B"] = np.where(known_B, (name_B == true_B).astype(np.float64), np.nan)
    if "set" in answer:
        held_B = answer["set"][np.arange(len(true_B)), np.maximum(true_B, 0)] & (true_B >= 0)
        own["held_B"] = np.where(known_B, held_B.astype(np.float64), np.nan)
    return blank("classes", len(p_BC), **own)


def labels(answer: Answer, names: Sequence[str], truth: Sequence[Any]) -> Say:
    """Any number of labels a row: how many, and how sure and right one is on average."""
    p_BC = answer["probability"]
    said_BC = p_BC >= 0.5
    true_BC = np.array([[n in (t or ()) for n in names] for t in truth]).reshape(p_BC.shape)
    known_B = np.array([t is not None for t in truth], dtype=bool)
    right_B = np.where(known_B, (said_BC == true_BC).mean(1), np.nan)
    sure_B = np.maximum(p_BC, 1.0 - p_BC).mean(1).astype(np.float64)
    count_B = said_BC.sum(1).astype(np.float64)
    return blank("labels", len(p_BC), value_B=count_B, sure_B=sure_B, right_B=right_B)


def number(answer: Answer, truth: Sequence[Any]) -> Say:
    """A number a row, on the scale that the task learns; its interval, else its quantiles."""
    value_B = np.asarray(answer["value"], dtype=np.float64)
    true_B = np.array([np.nan if t is None else float(t) for t in truth])
    own = {"value_B": value_B, "error_B": np.abs(value_B - true_B)}
    if "quantiles" in answer:
        own["width_B"] = np.ptp(np.asarray(answer["quantiles"], dtype=np.float64), axis=1)
    if "low" in answer:
        low_B, high_B = (np.asarray(answer[end], dtype=np.float64) for end in ("low", "high"))
        finite_B = np.isfinite(low_B) & np.isfinite(high_B)
        own.setdefault("width_B", np.where(finite_B, high_B - low_B, np.nan))
        held_B = ((low_B <= true_B) & (true_B <= high_B)).astype(np.float64)
        own["held_B"] = np.where(np.isfinite(true_B), held_B, np.nan)
    return blank("number", len(value_B), **own)


def items(answer: Answer) -> Say:
    """Spans, boxes or a text: how many, and how sure as a whole."""
    rows, own = len(next(iter(answer.values()))), {}
    if "scores" in answer:
        found = [np.asarray(s, dtype=np.float64) for s in answer["scores"]]
        own["value_B"] = np.array([float((s >= SHOWN).sum()) for s in found])
        own["sure_B"] = np.array([float(s.max(initial=0.0)) for s in found])
    if "tags" in answer:
        count = [sum(t.startswith("B-") for t in tags) for tags in answer["tags"]]
        own["value_B"] = np.array(count, dtype=np.float64)
    if "text" in answer:
        own["value_B"] = np.array([float(len(str(t).split())) for t in answer["text"]])
    if "confidence" in answer:
        own["sure_B"] = np.asarray(answer["confidence"], dtype=np.float64)
    return blank("items", rows, **own)
