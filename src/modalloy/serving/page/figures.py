"""What is said of one task, in the words of the page: the answer, how sure it is, and its parts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from modalloy.serving.page.facts import TaskFacts
from modalloy.serving.page.numbers import num, percent

Say = Callable[..., str]


class Bar(NamedTuple):
    """A line of a chart: share from 0 to 1, and what is written beside it."""

    name: str
    share: float
    said: str


class Box(NamedTuple):
    """A box in pixels of its picture: left, top, right, bottom. score: how sure it is."""

    ends: tuple[float, ...]
    said: str
    score: float


class Figures(NamedTuple):
    """short: the answer in a few words. words: of a text, each with its tag. pairs: names and what
    is said of them. unsure: whether a person should look.
    """

    short: str
    words: list[tuple[str, str]]
    pairs: list[tuple[str, str]]
    unsure: bool
    bars: list[Bar]
    boxes: list[Box]


def figures_of(
    task: TaskFacts, answer: Mapping[str, Any], row: Mapping[str, Any], say: Say
) -> Figures:
    """What an answer says of a task. row: the cells that were answered."""
    of = {k.removeprefix(f"{task.name}."): v for k, v in answer.items() if k != task.name}
    said = answer.get(task.name)
    given = row.get(task.on or "") if task.form == "words" else None
    words = given.split() if isinstance(given, str) else [] if given is None else list(given)
    tagged = zip(words, said or (), strict=False) if words else ()
    chances = [(c, of[f"p[{c}]"]) for c in task.classes if of.get(f"p[{c}]") is not None]
    chances.sort(key=lambda pair: -pair[1])
    return Figures(
        short_of(task, answer, say),
        [(word, "" if tag == "O" else tag[2:]) for word, tag in tagged],
        list(pairs_of(task, of, say)),
        bool(of.get("abstain")),
        [Bar(name, share, percent(share)) for name, share in chances],
        boxes_of(of) if task.form == "boxes" else [],
    )


def short_of(task: TaskFacts, answer: Mapping[str, Any], say: Say) -> str:
    """The answer in a few words."""
    said = answer.get(task.name)
    if task.form == "boxes":
        return say("boxes", count=len(answer.get(f"{task.name}.boxes") or ()))
    if isinstance(said, int | float) and not isinstance(said, bool):
        return f"{num(said)} {task.unit}".strip()
    if isinstance(said, list):
        return ", ".join(map(str, said)) or say("none")
    return say("none") if said is None else str(said)


def pairs_of(task: TaskFacts, of: Mapping[str, Any], say: Say) -> Sequence[tuple[str, str]]:
    """What is promised, decided and how sure it is."""
    found = []
    if of.get("set") is not None:
        names = [name for name in of["set"].split(" | ") if name]
        found.append((say("set"), ", ".join(names) or say("set_empty")))
    if of.get("low") is not None:
        ends = {"low": num(of["low"]), "high": num(of["high"])}
        found.append((say("interval"), say("between", **ends, unit=task.unit).strip()))
    if of.get("decision") is not None:
        told = say("cost", decision=of["decision"], cost=num(of.get("cost")))
        found.append((say("decision"), told))
    if isinstance(of.get("confidence"), float):
        found.append((say("confidence"), percent(of["confidence"])))
    quantiles = {k[2:-1]: v for k, v in of.items() if k.startswith("q[")}
    for q, value in quantiles.items():
        found.append((say("quantile", q=q), f"{num(value)} {task.unit}".strip()))
    return found


def boxes_of(of: Mapping[str, Any]) -> list[Box]:
    """Boxes with their names and how sure each is."""
    ends, names, scores = (of.get(n) or [] for n in ("boxes", "names", "scores"))
    names = names or [""] * len(ends)
    return [
        Box(tuple(e), f"{name} {percent(score)}".strip(), score)
        for e, name, score in zip(ends, names, scores, strict=True)
    ]


class Right(NamedTuple):
    """How a person says what is right. yes: the answer as a label, where it may be one. classes: to
    choose from by a button. field: what is written, "" for nothing. text: what stands in it first.
    """

    yes: Any
    agreeable: bool
    classes: tuple[str, ...]
    field: str
    put: str
    text: str


def right_of(task: TaskFacts, answer: Mapping[str, Any], say: Say) -> Right:
    """What may be said of an answer; a number that was answered is no measurement, so it cannot be
    agreed with.
    """
    said = answer.get(task.name)
    few = task.classes if task.form == "class" and len(task.classes) <= 9 else ()
    text = " ".join(said) if isinstance(said, list) else str(said or "")
    match task.form:
        case "number":
            return Right(None, False, (), "number", say("right_number", unit=task.unit).strip(), "")
        case "own":
            return Right(None, False, (), "", "", "")
        case "boxes":
            return Right(agreed_boxes(task, answer), True, (), "", "", "")
        case "labels" | "words":
            return Right(said, True, (), "several", say("right_several"), text)
        case "text":
            return Right(said, True, (), "area", say("right_text"), text)
        case _:
            return Right(said, True, few, "" if few else "text", say("right_text"), text)


def agreed_boxes(task: TaskFacts, answer: Mapping[str, Any]) -> Any:
    """Boxes as a label, with their names where they have any."""
    boxes, names = (answer.get(f"{task.name}.{n}") or [] for n in ("boxes", "names"))
    if len(task.columns) == 1:
        return boxes
    return dict(zip(task.columns, (boxes, names), strict=True))
