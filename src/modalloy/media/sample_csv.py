"""CSV files of samples: columns by name, those that only count marked."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.cells.numbers import to_number
from modalloy.errors import TableError
from modalloy.media.blob import File, handle
from modalloy.media.channels import Samples, bare
from modalloy.media.layout import Layout, read_layout, too_long
from modalloy.media.sample_line import COMMA, is_moment, split_line

COUNTERS = {"index", "idx", "row", "nr", "nr.", "no", "no.", "sample", "samples", "zeile", "#"}
TIMES = {
    "t", "time", "times", "timestamp", "datetime", "date", "clock", "seconds", "sec", "elapsed",
    "elapsed time", "time stamp", "date time", "zeit", "zeitstempel", "uhrzeit", "datum",
}  # fmt: skip
TIMED = re.compile(r"(time|zeit|t)[ _]?(s|ms|us|µs|ns|min|h|sec|seconds)?")
NAMELESS = re.compile(r"|Unnamed: ?\d+(_level_\d+)?")
MOSTLY = 0.9  # share of samples with decimals where one without is no sample
ROUNDED = 1e-3  # of a step: as far as rounding makes steps uneven


def read_csv(path: File, channel: str | None) -> Samples:
    """All columns of numbers, or the one that `channel` names or counts from 0.

    Raises TableError for cells that are no numbers, and for a channel that is not there.
    """
    layout = read_layout(path)
    texts_LC = _parsed(path, layout)
    if layout.decimal == "." and layout.separator != "," and _has_commas(texts_LC):
        layout = layout._replace(decimal=",")
        texts_LC = _parsed(path, layout)
    names, above = layout.names, 0
    if names is None and (heading := _heading_of_numbers(layout, texts_LC)):
        names, above = heading, 1
        texts_LC = [column[1:] for column in texts_LC]
    wanted = (
        list(range(layout.width)) if channel is None else [_place(path, channel, names, layout)]
    )
    x, kept, dropped = [], [], []
    for c in wanted:
        name = names[c] if names else ""
        if _is_nothing(texts_LC[c]) and NAMELESS.fullmatch(name) and channel is None:
            continue  # behind a separator that ends each line
        moments = channel is None and _are_moments(texts_LC[c])
        if moments:
            dropped.append(f"times in column {name or c}")
            continue
        x.append(_numbers(path, texts_LC[c], name or str(c), layout, above))
        kept.append(c)
    if not x:
        raise TableError(f"{path} holds no column of numbers")
    x_CL = np.stack(x)
    beside = _beside(x_CL, [names[c] for c in kept] if names else None)
    notes, parted = (*layout.notes, *_short(path, layout, texts_LC)), _said_parted(layout)
    if channel is not None:
        return Samples(x_CL, sure=True, notes=notes, parted=parted)
    if all(beside):  # there is nothing else to see
        beside = ()
    said = tuple(names[c] or f"column {c}" for c in kept) if names else None
    return Samples(x_CL, said, beside, tuple(dropped), sure=True, notes=notes, parted=parted)


# --- cells -------------------------------------------------------------------------------------


def _parsed(path: File, layout: Layout) -> list[np.ndarray]:
    """The cells of each column: numbers where all are, else objects."""
    import pandas as pd

    try:
        frame = pd.read_csv(
            handle(path),
            sep=r"\s+" if layout.separator == " " else layout.separator,
            header=None,
            names=list(range(layout.width)),
            index_col=False,
            skiprows=layout.first,
            decimal=layout.decimal,
            thousands=layout.thousands,
            encoding=layout.encoding,
            skipinitialspace=True,
            low_memory=False,
        )
    except pd.errors.ParserError as error:
        found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if found is None:
            raise
        width, line, cells = map(int, found.groups())
        raise too_long(path, line, cells, width) from error
    return [frame[c].to_numpy() for c in frame.columns]


def _short(path: File, layout: Layout, columns: Sequence[np.ndarray]) -> tuple[str, ...]:
    """What is said of lines that end before the last column; pandas fills them without a word."""
    import pandas as pd

    width, mark = layout.width, layout.separator
    if width < 2 or not pd.isna(columns[-1]).any():
        return ()
    needed = width - 1 if _is_nothing(columns[-1]) else width  # a separator that ends each line
    found = []
    with path.open(encoding=layout.encoding, errors="replace") as file:
        for at, line in enumerate(file):
            if (
                at < layout.first
                or not line.strip()
                or (mark != " " and line.count(mark) >= needed)
            ):
                continue
            cells = len(split_line(line.rstrip("\n"), mark))
            if cells < needed:
                found.append((at + 1, cells))
    if not found:
        return ()
    first, cells = found[0]
    more = f", and {len(found) - 1} more lines are short" if len(found) > 1 else ""
    return (f"line {first} ends after {cells} of {needed} columns{more}: the rest is missing",)


def _said_parted(layout: Layout) -> str:
    """What parts the columns, as a note says it."""
    if layout.width == 1:
        return "nothing"
    return {"\t": "tabs", " ": "blanks"}.get(layout.separator, f"'{layout.separator}'")


def _has_commas(columns: Sequence[np.ndarray]) -> bool:
    """Whether a number with a decimal comma comes later than the lines that were looked at."""
    texts = (c for column in columns if column.dtype == object for c in column)
    return any(isinstance(c, str) and COMMA.fullmatch(c.strip()) for c in texts)


def _is_nothing(cells: np.ndarray) -> bool:
    return cells.dtype.kind == "f" and bool(np.isnan(cells).all())


def _are_moments(cells: np.ndarray) -> bool:
    if cells.dtype.kind in "biuf":
        return False
    texts = [c.strip() for c in cells if isinstance(c, str)]
    return bool(texts) and all(map(is_moment, texts))


def _numbers(path: File, cells: np.ndarray, name: str, layout: Layout, above: int) -> np.ndarray:
    """Float64 of a column, NaN for what is missing; TableError names the first other text.

    above: lines of the layout's samples that turned out to be a heading.
    """
    if cells.dtype.kind in "biuf":
        return cells.astype(np.float64)
    out = np.empty(len(cells))
    for i, cell in enumerate(cells):
        number = to_number(_with_point(cell, layout))
        if number is None:
            line, other = _line_of(path, layout, above + i), "leave that column out"
            if isinstance(path, Path):
                other = f"name another column by {path.name}#column"
            raise TableError(
                f"{path}: column {name} holds more than numbers, as {cell!r:.40} in line {line}; "
                f"empty such cells, or {other}"
            )
        out[i] = number
    return out


def _line_of(path: File, layout: Layout, sample: int) -> int:
    """The line, from 1, of a sample; empty lines hold none."""
    with path.open(encoding=layout.encoding, errors="replace") as file:
        filled = [at for at, line in enumerate(file, 1) if line.strip() and at > layout.first]
    return filled[sample]


def _with_point(cell: Any, layout: Layout) -> Any:
    """A text as Python writes numbers; pandas leaves columns with other texts as they are."""
    if layout.decimal != "," or not isinstance(cell, str):
        return cell
    plain = cell.replace(".", "") if layout.thousands else cell
    return plain.replace(",", ".") if COMMA.fullmatch(cell.strip()) else cell


# --- headings ----------------------------------------------------------------------------------


def _place(path: File, channel: str, names: Sequence[str] | None, layout: Layout) -> int:
    """The column that is meant, by its name - with its unit or without - or by its index."""
    found = [i for i, n in enumerate(names or []) if channel in (n, bare(n))]
    if not found and channel.isdecimal() and int(channel) < layout.width:
        found = [int(channel)]
    if not found:
        have = ", ".join([n or f"column {i}" for i, n in enumerate(names or [])][:12])
        have = have or f"{layout.width} without names, counted from 0"
        raise TableError(f"{path} has no column {channel}; it has {have}")
    return found[0]


def _heading_of_numbers(layout: Layout, columns: Sequence[np.ndarray]) -> list[str] | None:
    """The first line as names, where it holds whole numbers that do not go on below.

    It does not belong to the samples if all others have decimals and it has none, or if each of its
    numbers lies far outside of those below; never if a column goes on from it in even steps.
    """
    names = layout.first_cells
    if not all(re.fullmatch(r"\d+", n) for n in names) or len(set(names)) < len(names):
        return None
    if any(c.dtype.kind not in "iuf" for c in columns):
        return None
    rest = [c[1:][np.isfinite(c[1:])].astype(np.float64) for c in columns]
    firsts = [float(n) for n in names]
    if any(len(x) < 2 or _goes_on(f, x) for f, x in zip(firsts, rest, strict=True)):
        return None
    far = all(_is_far(f, x) for f, x in zip(firsts, rest, strict=True))
    decimals = len(names) > 1 and all(np.mean(x != np.floor(x)) >= MOSTLY for x in rest)
    return list(names) if far or decimals else None


def _goes_on(first: float, x: np.ndarray) -> bool:
    """Whether a column counts on from its first number."""
    step = x[0] - first
    return step != 0 and bool(np.allclose(np.diff(x[:9]), step, rtol=ROUNDED, atol=0))


def _is_far(first: float, x: np.ndarray) -> bool:
    """Whether a number lies farther from the others than they from one another."""
    return not x.min() - np.ptp(x) <= first <= x.max() + np.ptp(x)


# --- columns that only count -------------------------------------------------------------------


def _beside(x_CL: np.ndarray, names: Sequence[str] | None) -> tuple[str, ...]:
    """For each column what it counts, "" where it is a channel. Without names all are channels."""
    if names is None:
        return ("",) * len(x_CL)
    return tuple(_counts(name, x_L) for name, x_L in zip(names, x_CL, strict=True))


def _counts(name: str, x_L: np.ndarray) -> str:
    """Row numbers, as pandas writes them without a name, and times that rise."""
    low = bare(name).casefold().strip()
    rises = bool(np.isfinite(x_L).all() and (np.diff(x_L) > 0).all())
    steps = rises and bool((np.diff(x_L) == 1).all()) and x_L[0] == np.floor(x_L[0])
    if NAMELESS.fullmatch(name) and rises:
        return "row numbers" if steps else "a column without a name that rises"
    if low in COUNTERS and steps:
        return f"row numbers in column {name}"
    if (low in TIMES or TIMED.fullmatch(low)) and rises:
        return f"times in column {name}"
    return ""
