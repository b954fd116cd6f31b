"""How the rows of a table should be split, and why."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from modalloy.checks.column_profile import Look, counted
from modalloy.checks.column_values import spread
from modalloy.checks.finding import some
from modalloy.checks.media_scan import Files, scan
from modalloy.checks.name_hints import is_asset, names_a_place
from modalloy.checks.near_duplicates import picture_pairs
from modalloy.checks.parting import parting_column
from modalloy.errors import TableError
from modalloy.infer.guessed import MEDIA, Guess
from modalloy.infer.tabular_inference import TWO_WAYS
from modalloy.job import config
from modalloy.table.part_names import PARTS, parts_named
from modalloy.table.split import split_rows
from modalloy.table.table import Table

MOMENTS = 5  # different times that a split by time needs
GAPS = 0.05  # share of empty times above which a split by time would leave out too many rows
COPIES = 0.05  # share of test pictures with near-copies in training that chance does not bring
FEW_GROUPS, MANY_NAMES = 3, 10  # different values of a place, and of any other repeated name
MOST_REPEATED = 0.8  # share of different values above which hardly any comes again
BLOCKS, LONG = 20, 100  # of rows whose pictures are looked at: copies lie near each other
Guesses = Mapping[str, Guess]
Looks = Mapping[str, Look]


def choose_split(table: Table, looks: Looks, guesses: Guesses) -> tuple[dict[str, Any], str]:
    """A split column, else a group, else a time, else chance; and why."""
    for column in guesses:
        parts = _parts(looks[column])
        if "train" in parts and len(parts) > 1:
            said = _said(looks[column].names)
            return _by_column(table, guesses, column, parts), f"says {said}"
    failed: list[str] = []
    for split, why in _ways(looks, guesses):
        try:
            parts = split_rows(table, config.Split(**split), 0, None, False)
        except TableError as error:  # some part would be empty: the next way may do
            failed.append(str(error).removeprefix(f"{table.source}: "))
            continue
        return split, why + _costs(len(parts.train), table.rows)
    return {"random": "stratified"}, _why_random(looks, guesses, failed)


def _ways(looks: Looks, guesses: Guesses) -> Iterator[tuple[dict[str, Any], str]]:
    """Splits by group and by time, the better ones first."""
    for group in _best_groups(looks, guesses):
        count = counted(looks[group].distinct)
        yield {"by": group}, f"{count} different '{group}': test rows come from unseen ones"
    for column, found in guesses.items():
        look = looks[column]
        if found.type == "time" and look.missing <= GAPS * look.rows and look.distinct >= MOMENTS:
            yield {"time": column}, f"the newest rows by '{column}' are the test rows"


def _costs(train: int, rows: int) -> str:
    """How few rows are left to learn from, where a split by a few large groups takes the most."""
    return "" if 2 * train >= rows else f", and only {train} of {rows} rows are left to train on"


def _why_random(looks: Looks, guesses: Guesses, failed: list[str]) -> str:
    """What kept each column that might have said how to split from doing so."""
    told = [f"{why.rstrip('.')}" for why in failed]
    for column, found in guesses.items():
        look = looks[column]
        if found.type == "time" and look.missing > GAPS * look.rows:
            gaps = f"{look.missing / look.rows:.0%} of the rows"
            told.append(f"'{column}' is empty in {gaps}, which a split by time would leave out")
        elif found.type == "time" and look.distinct < MOMENTS:
            told.append(f"'{column}' has {look.distinct} different times, too few to split by")
        elif found.type == "group" and look.distinct < FEW_GROUPS:
            told.append(f"'{column}' names {look.distinct} things, too few to split by")
        elif found.reason.startswith(TWO_WAYS):
            told.append(f"'{column}' holds {found.reason.split(';')[0]}")
    repeated = [c for c, g in guesses.items() if _repeats(looks[c], g)]
    if repeated:
        named = [f"'{c}' ({counted(looks[c].distinct)} different)" for c in repeated]
        first = min(repeated, key=lambda c: (not names_a_place(c), -looks[c].distinct))
        what = f"repeated values in {some(named, 3)}"
        told.append(f"{what}: if rows with the same one belong together, split: {{by: {first}}}")
    if not told:
        return "no split, group or time column was found: rows at random"
    return f"rows at random: {'; '.join(told)}"


def _repeats(look: Look, found: Guess) -> bool:
    """Whether the cells of a column that is no group come again often enough to name things."""
    if look.kind not in ("text", "number") or found.type in (*MEDIA, "time", "group", "number"):
        return False
    least = FEW_GROUPS if names_a_place(look.name) else MANY_NAMES
    return least <= look.distinct <= MOST_REPEATED * len(look.filled)


def with_copies_apart(
    table: Table, guesses: Guesses, targets: Collection[str], why: str
) -> tuple[dict[str, Any], str]:
    """Instead of rows at random, the column that keeps near-copies of pictures together where
    there are many of them.

    why: what was said of rows at random; it is kept where no column does.
    """
    at_random: dict[str, Any] = {"random": "stratified"}
    few = _few_blocks(table)
    pictures = [c for c, g in guesses.items() if g.type == "image"]
    files = {c: _seen(few, c) for c in pictures}
    pairs = {c: _copies(f, few, config.Split.model_validate(at_random)) for c, f in files.items()}
    worst = max(pairs, key=lambda c: pairs[c][1], default=None)
    if worst is None or pairs[worst][1] < COPIES:
        return at_random, why
    found, share = pairs[worst]
    what = f"{share:.0%} of the test pictures '{worst}' would be near-copies of training pictures"
    parting = parting_column(few, found, {*pictures, *targets})
    if parting is not None:
        split = {"by": parting[0]}
        try:
            split_rows(table, config.Split.model_validate(split), 0, None, False)
            left = _copies(files[worst], few, config.Split.model_validate(split))[1]
        except TableError:  # too few groups to give each part one
            left = share
        if left <= share / 2:
            return split, f"{what} at random, {left:.0%} by '{parting[0]}'"
    return at_random, f"{why}; {what}, and no column parts them: add one that names what they show"


def _seen(table: Table, column: str) -> Files:
    rows = np.arange(table.rows)
    return scan(table, column, config.Image(), rows, allow_outside=table.allow_outside)


def _copies(files: Files, table: Table, split: config.Split) -> tuple[np.ndarray, float]:
    """(training row, test row) of near-copies under a split, and the share of test rows."""
    parts = split_rows(table, split, 0, None, False)
    pairs = picture_pairs(files, table.rows, parts)
    return pairs, len(pairs) / max(1, len(parts.test))


def _few_blocks(table: Table) -> Table:
    """The table, or stretches of neighbouring rows of a large one."""
    if table.rows <= BLOCKS * LONG:
        return table
    starts = spread(np.arange(table.rows - LONG), BLOCKS)
    return table.select(np.unique(starts[:, None] + np.arange(LONG)))


def _by_column(table: Table, guesses: Guesses, column: str, parts: set[str]) -> dict[str, Any]:
    """The split column; validation rows come by group where it names none and groups stay whole."""
    split: dict[str, Any] = {"column": column}
    groups = [c for c, g in guesses.items() if g.type == "group" and not shared(table, c, column)]
    if "validation" not in parts and groups:
        split["by"] = groups[0]
    if "test" not in parts:
        split["test"] = 0
    return split


def shared(table: Table, column: str, split: str) -> bool:
    """Whether some value of a column has rows in more than one part of a split column."""
    groups, parts = table.codes(column)[0], table.codes(split)[0]
    pairs = np.unique(np.stack([groups, parts])[:, (groups >= 0) & (parts >= 0)], axis=1)
    return pairs.shape[1] > len(np.unique(pairs[0]))


def _parts(look: Look) -> set[str]:
    """The parts of a split that a column's cells name, none if some cell names something else."""
    if look.kind != "text" or not look.filled or look.distinct > len(PARTS):
        return set()
    parts = parts_named(look.names)
    return {p for p in parts if p} if None not in parts else set()


def _said(names: list[str]) -> str:
    """The parts that a column names, beside each its own word for it where that differs."""
    pairs = sorted({(p or "", n.strip()) for p, n in zip(parts_named(names), names, strict=True)})
    return ", ".join(p if p == n.lower() else f"{p} ({n})" for p, n in pairs)


def _best_groups(looks: Looks, guesses: Guesses) -> list[str]:
    """Groups of ten or more members, the coarsest first, then smaller ones; else repeated media."""
    sizes = {
        c: looks[c].distinct
        for c, g in guesses.items()
        if g.type == "group" or (g.type == "category" and is_asset(c))
    }
    if not sizes:
        sizes = {
            c: looks[c].distinct
            for c, g in guesses.items()
            if g.type in MEDIA and looks[c].distinct <= 0.8 * len(looks[c].filled)
        }
    many = sorted((c for c, n in sizes.items() if n >= 10), key=lambda c: sizes[c])
    few = sorted((c for c, n in sizes.items() if FEW_GROUPS <= n < 10), key=lambda c: -sizes[c])
    return many + few
