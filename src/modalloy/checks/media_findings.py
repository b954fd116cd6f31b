"""Findings on media columns: absent, broken, doubtful files."""

from collections.abc import Iterator
from typing import Any

from modalloy.checks.finding import Finding, Level, counted, finding, some
from modalloy.checks.media_scan import FILES, Files
from modalloy.errors import TableError
from modalloy.media.channels import Channels, arrange, settle
from modalloy.readers.audio import OVER, full_scale

TOLD = 3  # faults that one finding quotes


def file_findings(column: str, files: Files, options: Any, *, unreadable: str) -> Iterator[Finding]:
    """Files that are absent, broken, too large, outside the folder, or hold nothing."""
    level: Level = "error" if unreadable == "refuse" else "warning"
    faulty = [i for i, seen in enumerate(files.seen) if seen.fault]
    away = [i for i in faulty if files.seen[i].outside]
    if away:
        yield _of_files("error", column, files, away, "lie outside the table's folder")
    broken = [i for i in faulty if not files.seen[i].outside]
    if broken:
        yield _of_files(level, column, files, broken, "cannot be used")
    blank = [i for i, seen in enumerate(files.seen) if seen.blank]
    if blank:
        what = {"image": "show one even colour", "audio": "are silent"}.get(
            options.type, "never change"
        )
        rows = files.rows_of(blank)
        yield finding(
            "warning", column, f"{counted(len(rows), 'row')} with files that {what}", rows
        )
    yield from _paths(column, files)
    if options.type == "image":
        yield from _frames(column, files)
    if options.type == "audio":
        yield from _loudness(column, files)
        yield from _rates(column, files, options.rate_hz)
    if options.type == "series":
        yield from _channels(column, files, level)
    if files.skipped:
        what = f"{FILES} files were read, spread over the table; {files.skipped} others were not"
        yield finding("note", column, what)


def _of_files(level: Any, column: str, files: Files, which: list[int], what: str) -> Finding:
    rows = files.rows_of(which)
    why = "; ".join(str(files.seen[i].fault) for i in which[:TOLD])
    more = "; ..." if len(which) > TOLD else ""
    told = f"{counted(len(rows), 'row')} with files that {what}: {why}{more}"
    return finding(level, column, told, rows)


def _paths(column: str, files: Files) -> Iterator[Finding]:
    """Files that were found although their paths are written otherwise."""
    for way, level, what in (
        ("spelled", "note", "whose paths are spelled otherwise than the files"),
        ("moved", "warning", "whose paths begin in another place; only their ends were found"),
    ):
        which = [i for i, seen in enumerate(files.seen) if seen.way == way]
        if which:
            rows = files.rows_of(which)
            example = f"{files.paths[which[0]]!r:.80} is read from {files.seen[which[0]].place}"
            yield finding(level, column, f"{counted(len(rows), 'row')} {what}: {example}", rows)
    places: dict[str, list[int]] = {}
    for i, seen in enumerate(files.seen):
        if seen.place:
            places.setdefault(seen.place, []).append(i)
    for place, which in places.items():
        if len(which) > 1 and any(files.seen[i].way == "moved" for i in which):
            names = " and ".join(f"{files.paths[i]!r:.80}" for i in which[:TOLD])
            what = f"{names} are read from one file, {place}: were they two?"
            yield finding("warning", column, what, files.rows_of(which))


def _frames(column: str, files: Files) -> Iterator[Finding]:
    which = [i for i, seen in enumerate(files.seen) if seen.several]
    if which:
        rows = files.rows_of(which)
        what = f"{counted(len(rows), 'row')} with several pages or frames; only the first is seen"
        yield finding("note", column, what, rows)


def _loudness(column: str, files: Files) -> Iterator[Finding]:
    """Recordings whose floats are not scaled to 1, and those whose channels cancel each other."""
    floating = [i for i, seen in enumerate(files.seen) if seen.floating]
    full = full_scale(files.seen[i].peak for i in floating)
    loud = [i for i in floating if files.seen[i].peak > OVER]
    others = [i for i in floating if 0 < files.seen[i].peak <= 1.0]
    if loud and full > 1.0:
        rows = files.rows_of(loud)
        what = (
            f"{counted(len(rows), 'row')} with recordings of floats that are not scaled to 1; all "
            f"such files are heard relative to the loudest sample of the training rows (here "
            f"{full:.4g})"
        )
        if others:
            what += f"; {len(others)} others stay within 1 and become nearly silent: rescale them"
        yield finding("warning" if others else "note", column, what, rows)
    elif loud:
        rows = files.rows_of(loud)
        what = (
            f"{counted(len(rows), 'row')} with recordings of floats that reach "
            f"{max(files.seen[i].peak for i in loud):.4g} where the others stay within 1: clicks, "
            "or another unit"
        )
        yield finding("warning", column, what, rows)
    which = [i for i, seen in enumerate(files.seen) if seen.note]
    if which:
        rows = files.rows_of(which)
        what = (
            f"{counted(len(rows), 'row')} with recordings whose channels cancel each other when "
            "averaged; their loudest channel is heard instead"
        )
        yield finding("warning", column, what, rows)


def _rates(column: str, files: Files, rate_hz: int) -> Iterator[Finding]:
    """Recordings that hold less of a sound than others do, which alone may tell them apart."""
    slow = [i for i, seen in enumerate(files.seen) if 0 < seen.rate_hz < rate_hz]
    fastest = max((seen.rate_hz for seen in files.seen), default=0)
    if slow and any(files.seen[i].rate_hz < fastest for i in slow):
        rows = files.rows_of(slow)
        least = min(files.seen[i].rate_hz for i in slow)
        what = (
            f"{counted(len(rows), 'row')} with recordings of fewer samples a second ({least}) than "
            f"others ({fastest}) and than rate_hz: {rate_hz}: they lack high tones, which tells "
            f"them apart; rate_hz: {least} hears all of them alike"
        )
        yield finding("warning", column, what, rows)


def _channels(column: str, files: Files, level: Level) -> Iterator[Finding]:
    """What the files of a series call their channels, and what is beside them."""
    read = {i: s.samples for i, s in enumerate(files.seen) if s.samples is not None}
    known = settle(list(read.values()))
    beside = sorted({what for one in read.values() for what in one.counted})
    if beside:
        which = files.rows_of(i for i, one in read.items() if one.counted)
        yield finding("note", column, f"no channels, left out: {some(beside)}", which)
    named = [i for i, one in read.items() if one.names is not None]
    if known.names:
        order = (
            "" if known.alike else "; files list them in different orders, they are read by name"
        )
        yield finding("note", column, f"channels {some(known.names, 12)}{order}")
        yield from _misfits(column, files, known, level)
    elif not known.alike:
        what = "the headings of files differ from file to file; channels go by their order"
        yield finding("warning", column, what, files.rows_of(named))
    if 0 < len(named) < len(read) and (known.names or known.alike):
        bare = [i for i, one in read.items() if one.names is None]
        few, what = (
            (bare, "without names beside others with them")
            if known.names
            else (named, "with names beside others without; all go by the order of their channels")
        )
        rows = files.rows_of(few)
        yield finding("warning", column, f"{counted(len(rows), 'row')} with files {what}", rows)


def _misfits(column: str, files: Files, known: Channels, level: Level) -> Iterator[Finding]:
    """Files that lack a channel of the others, and files that hold more."""
    groups: dict[tuple[Level, str, str], list[int]] = {}
    for i, seen in enumerate(files.seen):
        if seen.samples is None:
            continue
        try:
            _, said = arrange(seen.samples, known)
        except TableError as error:
            groups.setdefault((level, "cannot be used", str(error)), []).append(i)
            continue
        if said and seen.samples.names is not None:
            groups.setdefault(("note", "hold more", said), []).append(i)
    for (grave, what, why), which in groups.items():
        rows = files.rows_of(which)
        told = f"{counted(len(rows), 'row')} with files that {what}: {files.paths[which[0]]} {why}"
        yield finding(grave, column, told, rows)
