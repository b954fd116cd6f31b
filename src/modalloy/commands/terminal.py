"""What several commands do beside their verb: take their cores, tell notes and caveats, and end."""

import codecs
import io
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from modalloy.errors import BundleError
from modalloy.machine.limits import cores, processes_here

REFUSED, STRANGE, INTERRUPTED = 2, 3, 130  # exit codes; 0 is well done, 1 a check that found faults


def take_cores(run: Path | None = None) -> None:
    """Let torch use this process's share of the machine; who calls a verb in Python says it there.

    Under torchrun those of its processes that run here share it. run: what will answer; the graphs
    of a bundle take their threads themselves.
    """
    if run is not None and graphs_answer(run):
        return
    import torch

    torch.set_num_threads(max(1, cores() // processes_here()))


def graphs_answer(path: Path) -> bool:
    """Whether a bundle with graphs lies at a path; its faults are told when it is read."""
    from modalloy.bundle.archive import Archive
    from modalloy.bundle.bundled import is_bundle
    from modalloy.bundle.told import BRANCHES

    if not is_bundle(path):
        return False
    try:
        return bool(Archive.open(path).manifest.notes.get(BRANCHES))
    except BundleError:
        return True


def notes_in(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those of a report's findings that say how its table was read, and what answered."""
    from modalloy.checks.finding import BUNDLE, READING

    return [f["what"] for f in findings if f["level"] == "note" and f["where"] in (READING, BUNDLE)]


def tell_notes(notes: Iterable[str]) -> None:
    """Say what was taken for what when a table was read."""
    for note in notes:
        typer.echo(f"note: {note}.", err=True)


def tell_caveats(caveats: Sequence[str], *, strict: bool) -> None:
    """Say what is not as it was in training; under `--strict` the exit code says it too."""
    for caveat in caveats:
        typer.echo(f"caveat: {caveat}.", err=True)
    if caveats and strict:
        raise typer.Exit(STRANGE)


def write_look_alikes() -> None:
    """Let a terminal in an older encoding show `-` and `2` for the signs `−` and `²` it lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.encoding.startswith("utf"):
        codecs.register_error("look_alikes", look_alike)
        sys.stdout.reconfigure(errors="look_alikes")


def look_alike(error: UnicodeError) -> tuple[str, int]:
    """The plain letters for one that an encoding lacks, `?` where there are none."""
    assert isinstance(error, UnicodeEncodeError)
    letter = error.object[error.start].replace("\N{MINUS SIGN}", "-")
    plain = unicodedata.normalize("NFKC", letter)
    try:
        plain.encode(error.encoding)
    except UnicodeEncodeError:
        plain = "?"
    return plain, error.start + 1
