"""The task that answers a target column, and why."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.cells.values import spelled
from modalloy.checks.column_profile import (
    Look,
    all_boxes,
    all_numbers,
    all_texts,
    counted,
    parse_list,
    word_count,
)
from modalloy.checks.exact_leakage import KnownTarget, counts_of
from modalloy.checks.name_hints import words
from modalloy.errors import TableError
from modalloy.infer.guessed import Guess, InferredTask
from modalloy.infer.number_targets import task_of_numbers
from modalloy.infer.tabular_inference import numbers_as_text, told_marks, without_marks
from modalloy.job.config import Generate
from modalloy.machine.encodings import is_han
from modalloy.readers.answer_cells import to_names
from modalloy.table.table import Table

BIO = re.compile(r"O|[BI]-.+")
SENTENCES = 0.5  # share of cells with several words from which a column holds texts
LEAST_TEXTS = 20  # different texts, below which nothing can be learned of writing them
PIECES_A_WORD = 1.6
PIECES_A_LETTER = 1.5  # of Chinese: three bytes, which frequent letters and words are joined from
TEMPLATES = {"template", "reference", "golden", "master", "ideal", "ref"}


def goal_for(
    table: Table, target: str, looks: Mapping[str, Look], guesses: Mapping[str, Guess]
) -> InferredTask:
    """The task for a target; raises TableError where no task can answer such cells."""
    look = looks[target]
    where = f"{table.source}: target '{target}'"
    if not look.filled:
        raise TableError(f"{where} is empty in all {counted(look.rows)} rows.")
    if look.kind != "list" and look.distinct == 1:
        raise TableError(f"{where} is {look.filled[0]!r:.40} in every row: nothing to learn.")
    lists = look.lists
    if lists:
        return _of_lists(where, target, [c for c in lists if len(c)], looks, guesses)
    match look.kind:
        case "number":
            return task_of_numbers(where, look)
        case "bool":
            return InferredTask("classify", {}, "true or false")
        case "text":
            if numbers_as_text(look):
                return task_of_numbers(where, look)
            return _of_marked(where, look) or _of_names(where, look)
        case _:
            raise TableError(
                f"{where} holds {'times' if look.kind == 'time' else 'records'}, which no task "
                "answers. Derive a number or a class from it."
            )


def _of_names(where: str, look: Look) -> InferredTask:
    rows = len(look.filled)
    if labels := _joined(look):
        return InferredTask(
            "classify", {"labels": "multi"}, f"{labels} labels, several joined by ';'"
        )
    if look.distinct > max(50, 0.5 * rows) or look.distinct == rows > 2:
        return _of_texts(where, look)
    return InferredTask("classify", {}, f"{counted(look.distinct)} names in {counted(rows)} rows")


def _of_texts(where: str, look: Look) -> InferredTask:
    """Texts of several words, which can be written; single words that never come again cannot."""
    rows, lengths = len(look.filled), [word_count(str(cell)) for cell in look.filled]
    told = f"{counted(look.distinct)} different texts in {counted(rows)} rows"
    if np.mean([n > 1 for n in lengths]) < SENTENCES or look.distinct < LEAST_TEXTS:
        raise TableError(
            f"{where} holds {told}, which are no classes. Name a column with fewer values."
        )
    letters = [sum(map(is_han, str(cell))) for cell in look.filled]
    pieces = np.maximum(PIECES_A_WORD * np.array(lengths), PIECES_A_LETTER * np.array(letters))
    most = 32 * -(-int(np.quantile(pieces, 0.99) + 1) // 32)
    usual = Generate.model_fields["max_tokens"].default
    options = {"max_tokens": min(most, 512)} if most > usual else {}
    return InferredTask("generate", options, f"{told}, {np.mean(lengths):.0f} words on average")


def _joined(look: Look) -> int:
    """How many labels the cells join by `;`, 0 where they are names by themselves.

    Labels come again: most that stand in a joined cell are in other cells too.
    """
    if any(c.lstrip().startswith("[") for c in look.filled):
        return 0
    cells = [set(to_names(c) or ()) for c in look.filled]
    if sum(len(c) > 1 for c in cells) < max(2, 0.01 * len(cells)):
        return 0
    counts = Counter(label for c in cells for label in c)
    joined = {label for c in cells if len(c) > 1 for label in c}
    again = sum(counts[label] > 1 for label in joined)
    return len(counts) if again >= 0.8 * len(joined) and len(counts) <= 0.5 * len(cells) else 0


def _of_marked(where: str, look: Look) -> InferredTask | None:
    """Numbers among marks for no value, which are answers still missing."""
    numbers = without_marks(look)
    goal = task_of_numbers(where, numbers) if numbers else None
    if goal is None or goal.type != "regress":
        return None
    return goal._replace(reason=f"{goal.reason}; {told_marks(look)}")


# --- lists -------------------------------------------------------------------------------------


def _of_lists(
    where: str,
    target: str,
    lists: list[Any],
    looks: Mapping[str, Look],
    guesses: Mapping[str, Guess],
) -> InferredTask:
    """Boxes on a picture, tags of words, or any number of labels."""
    if not lists:
        raise TableError(f"{where}: every list is empty.")
    if all(all_boxes(c) for c in lists):
        return _boxes(where, target, looks, guesses)
    if not all(all_texts(c) for c in lists):
        kind = "numbers" if all(all_numbers(c) for c in lists) else "mixed values"
        raise TableError(
            f"{where} holds lists of {kind}, which no task answers. Name a column with one number "
            "or one class a row."
        )
    beside = _words_beside(target, looks)
    tags = {tag for c in lists for tag in c}
    if all(BIO.fullmatch(tag) for tag in tags):
        if beside is None:
            raise TableError(
                f"{where} holds BIO tags, but no other column holds as many words in each row; a "
                "`tag` task needs the words as a list column."
            )
        kinds = len({tag[2:] for tag in tags if tag != "O"})
        return InferredTask(
            "tag", {"on": beside}, f"BIO tags of {kinds} kinds for the words in '{beside}'"
        )
    if beside is not None:
        other = next(t for t in sorted(tags, reverse=True) if not BIO.fullmatch(t))
        raise TableError(
            f"{where} holds a list as long as the words in '{beside}', but {other!r} is no BIO "
            "tag. Write O, B-kind and I-kind."
        )
    return InferredTask("classify", {"labels": "multi"}, f"lists of {len(tags)} different labels")


def _words_beside(target: str, looks: Mapping[str, Look]) -> str | None:
    """The column whose lists are as long as the target's in every row, with the most words."""
    sizes = _sizes(looks[target])
    beside = {
        name: len({w for c in look.lists for w in c})
        for name, look in looks.items()
        if name != target
        and look.kind == "list"
        and look.lists
        and all(all_texts(c) for c in look.lists)
        and _sizes(look) == sizes
    }
    return max(beside, key=lambda n: beside[n]) if beside else None


def parallel(look: Look, other: Look) -> bool:
    """Whether two columns of lists have as many entries as each other in every row."""
    return bool(look.lists) and bool(other.lists) and _sizes(look) == _sizes(other)


def _sizes(look: Look) -> list[int]:
    return [len(c) for c in look.lists]


def _boxes(
    where: str, target: str, looks: Mapping[str, Look], guesses: Mapping[str, Guess]
) -> InferredTask:
    pictures = [n for n, g in guesses.items() if g.type == "image"]
    if not pictures:
        raise TableError(
            f"{where} holds boxes, but no column holds paths to pictures that they lie on."
        )
    templates = [n for n in pictures if set(words(n)) & TEMPLATES]
    on = next((n for n in pictures if n not in templates), pictures[0])
    options: dict[str, Any] = {"on": on}
    reason = f"boxes on '{on}'"
    labels = [
        n
        for n, look in looks.items()
        if n != target and parallel(look, looks[target]) and all(all_texts(c) for c in look.lists)
    ]
    if labels:
        options["labels"] = labels[0]
        kinds = len({x for c in looks[labels[0]].lists for x in c})
        reason += f", {kinds} kinds named in '{labels[0]}'"
    if templates and templates[0] != on:
        options["template"] = templates[0]
        reason += f", compared with '{templates[0]}'"
    return InferredTask("locate", options, reason, tuple(labels[:1]))


# --- what columns are compared with ------------------------------------------------------------


def answer_of(table: Table, target: str, goal: InferredTask) -> KnownTarget:
    """The target's cells, as columns are compared with them."""
    cells = table.cells(target)
    known = np.array([not empty(c) for c in cells])
    none = np.zeros(0, dtype=np.int64)
    if goal.type == "regress":
        x = table.numbers(target)
        return KnownTarget(target, "regress", np.isfinite(x), none, (x,))
    if goal.type == "classify" and "labels" not in goal.options:
        names = [spelled(c) for c in cells]
        index = {n: i for i, n in enumerate(dict.fromkeys(n for n in names if n is not None))}
        codes = np.array([-1 if n is None else index[n] for n in names], dtype=np.int64)
        return KnownTarget(target, "classify", known, codes, (), list(index))
    if goal.type == "generate":
        texts = [spelled(c) for c in cells]
        index = {t: i for i, t in enumerate(dict.fromkeys(t for t in texts if t is not None))}
        codes = np.array([-1 if t is None else index[t] for t in texts], dtype=np.int64)
        return KnownTarget(target, "generate", known, codes, (), list(index))
    lists = [parse_list(c) if isinstance(c, str) else c for c in cells]
    if goal.type == "classify":
        both = zip(cells, lists, strict=True)  # a;b is no list yet
        lists = [to_names(c) if isinstance(c, str) and x is None else x for c, x in both]
        return KnownTarget(target, "tag", known, none, counts_of(lists, lists))
    if goal.type == "tag":
        amounts = counts_of([c and [t for t in c if t.startswith("B-")] for c in lists], None)
        return KnownTarget(target, "tag", known, none, amounts)
    labels = [parse_list(c) if isinstance(c, str) else c for u in goal.uses for c in table.cells(u)]
    return KnownTarget(target, "locate", known, none, counts_of(lists, labels or None))
