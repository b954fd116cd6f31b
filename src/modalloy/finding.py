"""What was looked at on a machine, in one table for a terminal or in plain lines."""

import sys
from dataclasses import dataclass
from typing import Literal, NamedTuple

State = Literal["ok", "warn", "absent", "broken"]


class Finding(NamedTuple):
    """One thing looked at: how it is, what was found, what to do about it (may be empty)."""

    what: str
    state: State
    found: str
    do: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings; `ok` unless something that every training needs is broken."""

    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether Modalloy can train here."""
        return not any(finding.state == "broken" for finding in self.findings)

    def text(self) -> str:
        """One line a finding, and an indented one with what to do."""
        lines = []
        for what, state, found, do in self.findings:
            lines.append(f"{state:<7} {what:<24} {found}")
            lines += [f"{'':<32} -> {do}"] if do else []
        return "\n".join([*lines, self.verdict()])

    def verdict(self) -> str:
        """The last line."""
        if self.ok:
            return "Modalloy can train here."
        broken = [finding.what for finding in self.findings if finding.state == "broken"]
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
        for what, state, found, do in self.findings:
            table.add_row(what, f"[{colors[state]}]{state}[/]", found, do)
        console = Console()
        console.print(table)
        console.print(self.verdict())
