"""What was looked at on a machine, in one table for a terminal or in plain lines."""

import sys
from dataclasses import dataclass
from typing import Literal, NamedTuple

State = Literal["ok", "warn", "absent", "broken"]


class Vital(NamedTuple):
    """One thing looked at: how it is, what was found, what to do about it (may be empty)."""

    what: str
    state: State
    found: str
    do: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All vital signs; `ok` unless something that every training needs is broken."""

    vitals: list[Vital]

    @property
    def ok(self) -> bool:
        """Whether Modalloy can train here."""
        return not any(vital.state == "broken" for vital in self.vitals)

    def text(self) -> str:
        """One line each, and an indented one with what to do."""
        lines = []
        for what, state, found, do in self.vitals:
            lines.append(f"{state:<7} {what:<24} {found}")
            lines += [f"{'':<32} -> {do}"] if do else []
        return "\n".join([*lines, self.verdict()])

    def verdict(self) -> str:
        """The last line."""
        if self.ok:
            return "Modalloy can train here."
        broken = [vital.what for vital in self.vitals if vital.state == "broken"]
        return f"Modalloy cannot train here before this is repaired: {', '.join(broken)}."

    def print(self) -> None:
        """A coloured table in a terminal, plain lines elsewhere."""
        if not sys.stdout.isatty():
            print(self.text())
            return
        from rich.console import Console
        from rich.table import Table

        colors = {"ok": "green", "warn": "yellow", "absent": "dim", "broken": "bold red"}
        table = Table("what", "state", "found", "what to do")
        for what, state, found, do in self.vitals:
            table.add_row(what, f"[{colors[state]}]{state}[/]", found, do)
        console = Console()
        console.print(table)
        console.print(self.verdict())
