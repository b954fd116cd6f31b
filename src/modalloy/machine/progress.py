"""A progress bar with the time left, or plain lines where nobody watches."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress

LINES_EVERY_S = 20.0


class Bar:
    """One stage of work, `total` units long. Use as a context; `quiet` says nothing at all."""

    def __init__(
        self, what: str, total: int, *, quiet: bool = False, file: TextIO | None = None
    ) -> None:
        self.what, self.total, self.quiet, self.done = what, max(1, total), quiet, 0
        self.start = self.last = time.perf_counter()
        self.note = ""
        self.file = file or sys.stderr
        self.rich = None if quiet or not self.file.isatty() else rich_bar(self.file)
        if self.rich:
            self.task = self.rich.add_task(what, total=self.total, note="")

    def __enter__(self) -> Self:
        if self.rich:
            self.rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.rich:
            self.rich.stop()
        elif not self.quiet and kind is None:
            self._line(ended=True)

    def plan(self, total: int) -> None:
        """So many units are now expected in all."""
        self.total = max(1, total)
        if self.rich:
            self.rich.update(self.task, total=self.total)

    def advance(self, units: int = 1, note: str | None = None) -> None:
        """More units are done; a note stays until the next one."""
        self.done += units
        if note is not None:
            self.note = note
        if self.rich:
            self.rich.update(self.task, completed=self.done, note=self.note)
        elif not self.quiet and time.perf_counter() - self.last > LINES_EVERY_S:
            self._line()

    def _line(self, *, ended: bool = False) -> None:
        self.last = time.perf_counter()
        spent = self.last - self.start
        left = spent / max(1, self.done) * max(0, self.total - self.done)
        ahead = "ended" if ended else f"about {left:.0f} s left"
        print(
            f"{self.what}: {100 * self.done / self.total:3.0f} %, {spent:.0f} s, {ahead}"
            + (f" - {self.note}" if self.note else ""),
            file=self.file,
            flush=True,
        )


def rich_bar(file: TextIO) -> "Progress | None":
    """A bar on a terminal; None where it could not be drawn."""
    from rich.console import Console  # a tenth of a second that only who watches pays
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=file)
    if not console.is_terminal:
        return None
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
