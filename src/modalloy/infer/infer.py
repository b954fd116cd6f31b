"""`init`: the type of every column, the tasks and the split of a table."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from modalloy.checks.column_profile import Look, all_texts, counted, look_at, sample
from modalloy.checks.column_values import spread
from modalloy.checks.leaks import on_both_sides
from modalloy.checks.name_hints import is_asset
from modalloy.checks.spelling import say_alike
from modalloy.errors import TableError
from modalloy.infer.dates_between import with_days_between
from modalloy.infer.draft import Draft, job_yaml
from modalloy.infer.fine_tuning import MINUTES, with_tuning
from modalloy.infer.guessed import INPUTS, MEDIA, Guess, InferredTask
from modalloy.infer.honest import without_giveaways, without_leaks
from modalloy.infer.learned_again import with_refit
from modalloy.infer.lists import longest_of
from modalloy.infer.paths import files_of, largest_side
from modalloy.infer.recordings import with_recordings
from modalloy.infer.series_fronts import series_fronts
from modalloy.infer.simulated_rows import with_told, with_told_unit
from modalloy.infer.split_inference import choose_split, with_copies_apart
from modalloy.infer.struck import with_resonances
from modalloy.infer.task_inference import goal_for, parallel
from modalloy.infer.type_inference import guess
from modalloy.infer.within_minutes import within_minutes
from modalloy.job import config
from modalloy.readers.answer_cells import to_names
from modalloy.table.split import split_rows
from modalloy.table.table import Table
from modalloy.table.twin_columns import twin_columns

__all__ = ["Draft", "infer", "job_yaml"]

TABLE = "table"  # the name under which a model keeps all tabular columns together
RULE_ROWS = 5_000  # what holds in as many rows without an exception is a rule
FEW_ASSETS = 20  # machines that may be an input, where training rows know them all
Guesses = dict[str, Guess]
Looks = Mapping[str, Look]
Told = TypeVar("Told", Guess, InferredTask)


def infer(table: Table, targets: Sequence[str], *, minutes: float | None = None) -> Draft:
    """What a sensible engineer would write for this table, with a reason for each line.

    Types are judged by up to 20 000 rows. minutes: that `train` may take in all, which it then is
    told; encoders that would take longer to tune by the estimate of `check` stay frozen, as they do
    beyond ten minutes where nothing is given. Raises TableError for a target that the table lacks
    or no task can answer, where no column is left as an input, and for too few minutes.
    """
    if not targets:
        raise TableError(f"{table.source}: name at least one column to be answered (--target).")
    table.check_columns(targets)
    some = sample(table)
    looks = {c: look_at(some, c, table.rows) for c in table.columns}
    guesses = {c: guess(look, table.folder) for c, look in looks.items()}
    told = twin_columns(table)
    guesses = with_told(guesses, told, targets, looks)
    tasks = {t: goal_for(some, t, looks, guesses) for t in dict.fromkeys(targets)}
    tasks = {t: with_told_unit(goal, t, told) for t, goal in tasks.items()}
    for column in {u for goal in tasks.values() for u in goal.uses}:
        guesses[column] = Guess("ignore", "part of a task's answer")
    free = {c: g for c, g in guesses.items() if c not in tasks}
    split, why = choose_split(some, looks, free)
    if "random" in split:
        split, why = with_copies_apart(some, free, tasks, why)
    free = _groups(some, looks, free, config.Split(**split))
    free = _same_words(some, looks, free)
    few = some.select(spread(np.arange(some.rows), RULE_ROWS))
    free = without_giveaways(few, free, tasks)
    free = _for_boxes(some, looks, free, tasks)
    free = {c: _told_alike(looks.get(c), g) for c, g in free.items()}
    tasks = {t: _told_alike(looks[t], goal) for t, goal in tasks.items()}
    columns = _channels_joined(some, looks, free)
    columns = _with_fronts(some, looks, columns, config.Split(**split))
    columns = _struck(looks, columns, tasks, table.folder)
    columns = with_recordings(table, guesses, columns, config.Split(**split), tasks)
    draft = Draft(table.rows, columns, split, why, tasks, table.sheet, table.notes)
    draft = without_leaks(few, draft)
    draft = replace(draft, columns=with_days_between(few, draft.columns))
    draft = with_tuning(table, draft, minutes=MINUTES if minutes is None else minutes)
    if not any(g.type in INPUTS for g in draft.columns.values()):
        found = "; ".join(f"'{c}': {g.reason}" for c, g in list(draft.columns.items())[:5])
        raise TableError(f"{table.source}: no column is left to learn from. {found}.")
    return with_refit(table, draft) if minutes is None else within_minutes(table, draft, minutes)


# --- second thoughts, once the split and the tasks are known -------------------------------------


def _groups(table: Table, looks: Looks, guesses: Guesses, split: config.Split) -> Guesses:
    """What the split uses is no input; a group that all parts hold is left out, with advice."""
    out = dict(guesses)
    parts = split_rows(table, split, 0, None, False)
    for column, found in guesses.items():
        if column == TABLE and found.type in INPUTS:
            out[column] = Guess("ignore", f"the name '{TABLE}' is taken; rename it to use it")
        elif column == split.column:
            out[column] = Guess("ignore", "says which rows are held back")
        elif column == split.by and found.type not in MEDIA:
            out[column] = Guess("group", f"{found.reason}; keeps rows together")
        elif found.type == "group" and on_both_sides(table.codes(column)[0], parts).any():
            names = f"{counted(looks[column].distinct)} of them, in training and test rows alike"
            advice = f"{names}; `split: {{by: {column}}}` would test unseen ones"
            known = is_asset(column) and looks[column].distinct <= FEW_ASSETS
            out[column] = Guess("category", names) if known else Guess("ignore", advice)
    return out


def _same_words(table: Table, looks: Looks, guesses: Guesses) -> Guesses:
    """Of lists with as many entries in every row, one holds the words and the others are labels."""
    out = dict(guesses)
    lists = {
        c: len({w for cell in looks[c].lists for w in cell})
        for c, g in guesses.items()
        if g.type == "tokens" and all(all_texts(x) for x in looks[c].lists)
    }
    for column in lists:
        rivals = [c for c in lists if c != column and parallel(looks[c], looks[column])]
        better = [c for c in rivals if lists[c] > lists[column]]
        if better:
            out[column] = Guess("ignore", f"labels of the words in '{better[0]}', not words")
            continue
        for text, found in guesses.items():
            if found.type == "text" and _same_text(table, text, column):
                out[text] = Guess("ignore", f"the same words as '{column}'")
    return out


def _same_text(table: Table, text: str, words: str) -> bool:
    rows = np.arange(min(table.rows, 50))
    pairs = list(zip(table.cells(text, rows), table.cells(words, rows), strict=True))
    pairs = [(t, w) for t, w in pairs if t is not None and w is not None]
    same = sum(re.sub(r"\s", "", t) == "".join(w) for t, w in pairs)
    return len(pairs) > 0 and same >= 0.9 * len(pairs)


def _told_alike(look: Look | None, found: Told) -> Told:
    """The same with names in its reason that a reader would take for one."""
    if look is None or look.kind != "text" or found.type not in ("category", "group", "classify"):
        return found
    several = isinstance(found, InferredTask) and "labels" in found.options
    names = (n for c in look.filled for n in ((to_names(c) or ()) if several else (str(c),)))
    told = say_alike(Counter(names))
    if not told:
        return found
    reason = f"{found.reason}; {told}"
    return (
        found._replace(reason=reason)
        if isinstance(found, InferredTask)
        else replace(found, reason=reason)
    )


def _for_boxes(
    table: Table, looks: Looks, guesses: Guesses, tasks: Mapping[str, InferredTask]
) -> Guesses:
    """Small defects vanish in small pictures, so those that boxes lie on keep their size."""
    out = dict(guesses)
    for goal in tasks.values():
        for key in ("on", "template"):
            column = goal.options.get(key) if goal.type == "locate" else None
            if column is not None:
                side = largest_side(files_of(looks[column], table.folder))
                pixels = min(640, max(64, -(-side // 32) * 32))
                options = {**out[column].options, "pixels": pixels}
                out[column] = replace(out[column], options=options)
    return out


def _with_fronts(table: Table, looks: Looks, guesses: Guesses, split: config.Split) -> Guesses:
    """Series in lists get the fronts that training rows and samples allow."""
    out = dict(guesses)
    series = [c for c, g in guesses.items() if g.type == "series"]
    if not series:
        return out
    share = len(split_rows(table, split, 0, None, False).train) / table.rows
    for column in series:
        found = guesses[column]
        cells = looks[found.options.get("from", [column])[0]]
        if not cells.lists:  # files
            continue
        longest = min(longest_of(cells.lists), int(found.options.get("length", 4096)))
        options, why = series_fronts(cells.total, longest, learned_from=round(share * cells.total))
        if options:
            out[column] = replace(
                found, reason=f"{found.reason}; {why}", options={**found.options, **options}
            )
    return out


def _struck(
    looks: Looks, guesses: Guesses, tasks: Mapping[str, InferredTask], folder: Path
) -> Guesses:
    """Recordings of strokes are heard by what rings in them."""
    return {
        c: with_resonances(g, files_of(looks[c], folder), tasks) if g.type == "audio" else g
        for c, g in guesses.items()
    }


def _channels_joined(table: Table, looks: Looks, guesses: Guesses) -> Guesses:
    """Lists of one length whose names differ in a number (or x, y, z) are one series' channels."""
    kin: dict[tuple[Any, ...], list[str]] = {}
    for column, found in guesses.items():
        stem = re.sub(r"[_ ]?([0-9]+|[xyzXYZ])$", "", column)
        if found.type == "series" and table.kind(column) == "list" and stem != column:
            lengths = tuple(sorted({len(c) for c in looks[column].lists}))
            kin.setdefault((stem, lengths, looks[column].missing), []).append(column)
    out = dict(guesses)
    for (stem, lengths, missing), columns in kin.items():
        if len(columns) < 2 or missing:
            continue
        name = stem if len(stem) > 1 else "sensors"
        while name in table.columns or name in out or name == TABLE:
            name += "_channels"
        numbers = "-".join(str(n) for n in sorted({lengths[0], lengths[-1]}))
        reason = (
            f"{len(columns)} columns with lists of {numbers} numbers: channels of one recording"
        )
        joined = Guess("series", reason, {"from": columns, **out[columns[0]].options})
        out = {
            (name if c == columns[0] else c): (joined if c == columns[0] else g)
            for c, g in out.items()
            if c == columns[0] or c not in columns
        }
    return out
