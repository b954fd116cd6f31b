"""Rows of a folder answered as they come, until told to stop: taken, answered, given out."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modalloy.errors import ModalloyError, RequestError, TableError
from modalloy.following.inbox import Inbox
from modalloy.following.journal import Answered, Taken
from modalloy.following.outbox import Outbox

AT_ONCE = 256  # rows that are answered together
MOST_WAITING = 20_000  # rows; beyond them files wait where they are
EVERY_S = 0.5  # between two looks at the folder
PASSING = (503, 507)  # too much is asked at once, or the disk is full: no fault of the row
LATE = 504  # so many rows took too long: fewer may not

Answering = Callable[[Sequence[Taken]], Sequence[Answered]]


def follow(
    inbox: Inbox,
    outbox: Outbox,
    answering: Answering,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    every_s: float = EVERY_S,
) -> None:
    """Go on until `stop` is set. answering: rows in, what is said of each out, in their order.

    say: is given sentences about files that cannot be read. A row that cannot be answered is given
    out with the reason in place of an answer. What cannot be done for the time being (a full
    disk, a service that has no time) is said once, and tried again; so is a fault of our own.
    """
    go_on(lambda: step(inbox, outbox, answering, say), stop=stop, say=say, every_s=every_s)
    inbox.journal.close()


def go_on(
    work: Callable[[], bool], *, stop: threading.Event, say: Callable[[str], None], every_s: float
) -> None:
    """Work until `stop` is set, with a pause where there was nothing to do; what goes wrong is said
    once, and tried again. work: whether there was anything to do."""
    troubled = ""
    while not stop.is_set():
        try:
            busy = work()
            troubled = ""
        except Exception as error:
            busy, told = False, in_words(error)
            if told != troubled:
                troubled = told
                say(troubled)
        if not busy:
            stop.wait(every_s)


def step(inbox: Inbox, outbox: Outbox, answering: Answering, say: Callable[[str], None]) -> bool:
    """One look, one batch of answers; whether there was anything to do."""
    new = 0
    if inbox.journal.backlog() < MOST_WAITING:
        new, said = inbox.look(time.monotonic())
        for sentence in said:
            say(sentence)
    rows = inbox.journal.waiting(AT_ONCE)
    if rows:
        inbox.journal.answered(answer_each(answering, rows))
    return bool(outbox.publish() or new or rows)


def answer_each(answering: Answering, rows: Sequence[Taken]) -> list[Answered]:
    """What is said of rows; where some of them stop all, each is asked alone.

    Raises RequestError for what is no fault of a row and passes: then the rows wait.
    """
    try:
        return list(answering(rows))
    except Exception as error:
        if isinstance(error, RequestError) and error.status in PASSING:
            raise
        if len(rows) == 1:
            if isinstance(error, RequestError) and error.status == LATE:
                raise
            one = rows[0]
            return [Answered(one.source, one.number, None, None, in_words(error))]
    half = len(rows) // 2
    return [*answer_each(answering, rows[:half]), *answer_each(answering, rows[half:])]


def in_words(error: Exception) -> str:
    """An error as a sentence; one of our own by its kind alone, since its text may hold cells."""
    if isinstance(error, ModalloyError | OSError):
        return str(error)
    return f"a fault of this program ({type(error).__name__}) keeps it from being answered"


def confined(rows: Sequence[Taken], media: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Cells with the files that they name as paths, which must lie in the folder.

    Raises TableError for a path that leads out of it.
    """
    return [{**row.cells, **_paths(row.cells, media, folder)} for row in rows]


def _paths(cells: Mapping[str, Any], media: Sequence[str], folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    root = folder.resolve()
    for name in media:
        cell = cells.get(name)
        if not isinstance(cell, str) or not cell.strip() or cell.lstrip().startswith("["):
            continue  # nothing, or the samples themselves
        place, mark, channel = cell.strip().partition("#")
        path = (root / place).resolve()
        if not path.is_relative_to(root):
            raise TableError(f"column '{name}': '{cell}' lies outside the folder that is followed.")
        found[name] = f"{path}{mark}{channel}"
    return found
