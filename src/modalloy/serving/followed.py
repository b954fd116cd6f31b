"""Rows of a followed folder or broker, answered by a service as those of requests are."""

import asyncio
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from modalloy.checks.finding import some
from modalloy.errors import ModalloyError, TableError
from modalloy.following.follow import confined, follow
from modalloy.following.inbox import OWN, Inbox, Kinds
from modalloy.following.journal import Answered, Journal, Taken
from modalloy.following.mqtt import Broker, follow_mqtt
from modalloy.following.outbox import Outbox
from modalloy.job.options import did_you_mean
from modalloy.serving.media_cells import check_file, file_of
from modalloy.serving.rows import Row, bounded, check_cell
from modalloy.serving.schema import MEDIA, Column
from modalloy.serving.served_model import ServedModel
from modalloy.serving.service import Service
from modalloy.table.decimals import NUMBER, decimal_sign

PLAIN = (str, int, float, bool)


@dataclass(frozen=True)
class Followed:
    """Answers rows that were taken in. folder: where the files lie that cells name; None for rows
    whose files are in their cells.
    """

    service: Service
    loop: asyncio.AbstractEventLoop
    folder: Path | None

    def __call__(self, rows: Sequence[Taken]) -> list[Answered]:
        """What is said of each; one whose cells cannot be read has the reason for an answer."""
        columns = self.service.model.columns
        faults: dict[int, str] = {}
        cells: list[Row] = []
        for at, row in enumerate(rows):
            try:
                cells.append(self.cells_of(row, columns))
            except ModalloyError as error:
                faults[at] = str(error)
        fine = [row for at, row in enumerate(rows) if at not in faults]
        said = iter(self._answered(fine, cells) if fine else ())
        return [
            Answered(row.source, row.number, None, None, faults[at]) if at in faults else next(said)
            for at, row in enumerate(rows)
        ]

    def cells_of(self, row: Taken, columns: Mapping[str, Column]) -> Row:
        """Cells as readers take them: as a table has them, files by what they hold.

        TableError for a file that is not there or not in the folder; RequestError for a cell of
        another kind.
        """
        media = [name for name, column in columns.items() if column.kind in MEDIA]
        own = row.cells if self.folder is None else confined([row], media, self.folder)[0]
        where = f"{row.source}, row {row.number}"
        found: Row = {}
        for name, cell in {**own, **in_numbers(own, columns)}.items():
            column = columns.get(name)
            if cell is None or (isinstance(cell, str) and not cell.strip()):
                found[name] = None
            elif column is not None and column.kind in MEDIA:
                found[name] = self._media(cell, column, f"{where}, column '{name}'")
            elif isinstance(cell, PLAIN):  # numbers and times may be texts, as in a table
                found[name] = bounded(cell, where, self.service.limits)
            elif column is not None:
                found[name] = check_cell(cell, column, where, self.service.limits)
        return found

    def _media(self, cell: Any, column: Column, where: str) -> Any:
        if column.kind == "series" and (isinstance(cell, list) or str(cell).lstrip()[:1] == "["):
            if isinstance(cell, str):
                return cell
            return check_cell(cell, column, where, self.service.limits)
        if self.folder is None or not isinstance(cell, str):
            data = file_of(cell, column, where)
        else:
            try:
                data = Path(cell).read_bytes()
            except OSError as error:
                raise TableError(f"{where}: {cell}: {error.strerror}.") from error
        return check_file(data, column, where, self.service.limits)

    def _answered(self, rows: Sequence[Taken], cells: Sequence[Row]) -> list[Answered]:
        told = asyncio.run_coroutine_threadsafe(self._ask(rows, cells), self.loop)
        return told.result()

    async def _ask(self, rows: Sequence[Taken], cells: Sequence[Row]) -> list[Answered]:
        service, model = self.service, self.service.model
        told = await service.tell(model, cells)
        number = model.version.number
        await asyncio.gather(
            *(
                service.keep(
                    model,
                    cells[at : at + 1],
                    told.of_row(at),
                    source=f"follow:{row.source}",
                    request=str(row.number),
                )
                for at, row in enumerate(rows)
            )
        )
        return [
            Answered(row.source, row.number, answer, number, unread(worth) or lacking(row, model))
            for row, answer, worth in zip(rows, told.answers, told.cells, strict=True)
        ]


def unread(worth: Mapping[str, str]) -> str | None:
    """What an answer was given without, in a sentence."""
    found = [
        f"column '{name}': {status.removeprefix('unreadable: ').rstrip('.')}"
        for name, status in worth.items()
        if status.startswith("unreadable: ")
    ]
    return f"answered without {'; '.join(found)}" if found else None


def lacking(row: Taken, model: ServedModel) -> str | None:
    """Columns that a row does not even name, in a sentence; a file alone names none but its own."""
    columns = model.columns
    known = [columns[name].kind for name in row.cells if name in columns]
    if known and all(kind in MEDIA for kind in known):
        return None
    gone = [name for name, column in columns.items() if column.needed and name not in row.cells]
    if not gone:
        return None
    near = did_you_mean(gone[0], [name for name in row.cells if name not in columns])
    return f"answered without {some(map(repr, gone), 8)}: the row has no such column.{near}"


def in_numbers(cells: Mapping[str, Any], columns: Mapping[str, Column]) -> dict[str, float]:
    """Texts in columns of numbers as numbers, read with the decimal sign that this row writes: rows
    of several files are answered together, and must not settle each other's sign.
    """
    texts = {
        name: cell.strip()
        for name, cell in cells.items()
        if isinstance(cell, str) and name in columns and columns[name].kind == "number"
    }
    if any("," in text for text in texts.values()):
        sign = decimal_sign([(name, [pa.array([text])]) for name, text in texts.items()]).decimal
        if sign == ",":
            texts = {n: t.replace(".", "").replace(",", ".") for n, t in texts.items()}
    return {name: float(text) for name, text in texts.items() if re.match(NUMBER, text)}


class Follower:
    """A thread that follows a source for a service, from its start to its end.

    run: follows until the event is set.
    """

    def __init__(self, run: Callable[[Service, asyncio.AbstractEventLoop, threading.Event], None]):
        self.run, self.stopping = run, threading.Event()
        self.thread: threading.Thread | None = None

    def start(self, service: Service) -> None:
        """Begin, within the service's loop."""
        given = (service, asyncio.get_running_loop(), self.stopping)
        self.thread = threading.Thread(target=self.run, args=given, name="followed")
        self.thread.start()

    async def stop(self) -> None:
        """End once what is being answered is written down."""
        self.stopping.set()
        if self.thread is not None:
            await asyncio.to_thread(self.thread.join)


def folder_follower(folder: Path, live: Path, say: Callable[[str], None]) -> Follower:
    """Follows a folder; answers go into `answers` in it. TableError where there is no folder."""
    if not folder.is_dir():
        raise TableError(f"{folder}: there is no such folder to follow; make it first.")

    def run(service: Service, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        journal = Journal(live / "inbox.sqlite")
        inbox = Inbox(folder, journal, kinds_of(service.model.columns))
        outbox = Outbox(folder / OWN, journal)
        follow(inbox, outbox, Followed(service, loop, folder), stop=stop, say=say)

    return Follower(run)


def mqtt_follower(
    broker: Broker, live: Path, password: str | None, say: Callable[[str], None]
) -> Follower:
    """Follows a topic."""

    def run(service: Service, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        name = f"modalloy-{live.resolve().name}"
        given = {"stop": stop, "say": say, "password": password, "client_id": name}
        journal = Journal(live / "mqtt.sqlite")
        try:
            follow_mqtt(broker, journal, Followed(service, loop, None), **given)
        except ModalloyError as error:
            say(str(error))

    return Follower(run)


def kinds_of(columns: Mapping[str, Column]) -> Kinds:
    """The column of a picture, and of a recording, that comes alone: where there is just one."""
    found = {
        kind: [name for name, column in columns.items() if column.kind == kind]
        for kind in ("image", "audio")
    }
    return Kinds(*(names[0] if len(names) == 1 else "" for names in found.values()))
