"""Splits rows into those to learn from, stop by, calibrate and test on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from modalloy.cells.values import spelled
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.options import did_you_mean
from modalloy.table.part_names import EVAL, PARTS, parts_named
from modalloy.table.table import Table
from modalloy.tasks.kit import kit_of

NONE = np.zeros(0, dtype=np.int64)
NONE.setflags(write=False)


class Parts(NamedTuple):
    """Disjoint, ascending row numbers (int64). A row may belong to none of the four.

    calibration: rows that only adjust how sure answers are; mostly there are none.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    calibration: np.ndarray = NONE


def split_rows(
    table: Table,
    split: config.Split,
    seed: int,
    target: str | None,
    classify: bool,
    history: config.History | None = None,
) -> Parts:
    """Divide the rows of a table; the same table, split and seed always give the same parts.

    target: column whose classes (with `classify`) or tenths are equally shared out where rows are
        drawn at random; None shares nothing out.
    history: how a series is made from earlier rows. Beside a split column, validation rows are then
        the last of each recording: rows drawn among its others would share nearly all they see with
        training rows.
    Where `hold_out` leaves a single group to learn from, validation and calibration rows are drawn
    row by row from it: better rows of the same group to stop by than none.
    Rows with an empty split cell or an empty time belong to no part. Rows with an empty group count
    as one group, because nobody knows which of them belong together. Raises TableError where a part
    that is asked for gets no row, or a split cell names no part.
    """
    draw = np.random.default_rng(seed)
    strata = _strata(table, target, classify)
    if split.column is not None:
        parts = _by_column(table, split.column, split, draw, strata, history)
    elif split.by is not None:
        parts = _by_group(table, split.by, split, draw, strata)
    elif split.time is not None:
        parts = _by_time(table, split.time, split)
    else:
        rest, test = _draw_rows(np.arange(table.rows), split.test, strata, draw)
        train, validation = _draw_rows(rest, split.validation, strata, draw)
        calibration = NONE
        if split.calibration:
            train, calibration = _draw_rows(train, split.calibration, strata, draw)
        parts = Parts(train, validation, test, calibration)
    _check(table, split, parts)
    return Parts(*(np.sort(p).astype(np.int64) for p in parts))


def joined(parts: Parts) -> Parts:
    """The same parts with the validation rows among the training rows."""
    train = np.sort(np.concatenate([parts.train, parts.validation]))
    return parts._replace(train=train, validation=parts.validation[:0])


def calibration_joined(parts: Parts) -> Parts:
    """The same parts with the calibration rows among the training rows: answers draw on both."""
    if not len(parts.calibration):
        return parts
    train = np.sort(np.concatenate([parts.train, parts.calibration]))
    return parts._replace(train=train, calibration=NONE)


def learnable(parts: Parts, labelled: Callable[[np.ndarray], np.ndarray]) -> Parts:
    """The parts without the rows that teach nothing; test rows stay as they are.

    labelled: row numbers in, those of them with an answer out.
    """
    rows = parts._asdict().items()
    return Parts(*(r if part == "test" or not len(r) else labelled(r) for part, r in rows))


def split_job(table: Table, job: config.Job) -> Parts:
    """The parts of a job's table; drawn rows share out the first task's target, if there is one."""
    classify, target = False, None
    for first in [*job.tasks.values()][:1]:
        kit = kit_of(first)
        classify = not kit.numbers
        target = first.target if kit.whole_row and not first.several else None
    series = [c for c in job.columns.values() if isinstance(c, config.Series) and c.history]
    history = series[0].history if series else None
    return split_rows(table, job.split, job.seed, target, classify, history)


def split_known(table: Table, job: config.Job) -> Parts:
    """The same by those tasks alone whose answers the table has, if it has any: for runs that
    learn without labels."""
    have = set(table.columns)
    tasks = {n: t for n, t in job.tasks.items() if have.issuperset(t.answers_in.values())}
    return split_job(table, job.model_copy(update={"tasks": tasks}))


def _by_column(
    table: Table,
    column: str,
    split: config.Split,
    draw: np.random.Generator,
    strata: np.ndarray,
    history: config.History | None,
) -> Parts:
    """The parts that a column names; validation rows are drawn from `train` if it names none."""
    codes, names = table.codes(column)
    parts = parts_named(names)
    for code, (name, part) in enumerate(zip(names, parts, strict=True)):
        if part is None and (codes == code).any():
            row = int(np.flatnonzero(codes == code)[0])
            words = ", ".join([*PARTS, *sorted(EVAL)])
            raise TableError(
                f"{table.source}: column '{column}', row {row}: {name!r:.60} names no part of a "
                f"split. Write one of {words}, or leave the cell empty to keep the row out."
            )
    rows = {
        part: np.flatnonzero(np.isin(codes, [i for i, p in enumerate(parts) if p == part]))
        for part in Parts._fields
    }
    if split.by is not None and split.hold_out:
        held = _held_out(table, split.by, split.hold_out)
        rows = {p: r[held[r] if p == "test" else ~held[r]] for p, r in rows.items()}
    train = rows["train"]
    drawn = [p for p in ("validation", "calibration") if not len(rows[p]) and getattr(split, p) > 0]
    for part in drawn:
        share = getattr(split, part)
        if split.by is None and history is not None:
            train, rows[part] = _last_rows(train, share, table, history)
        elif split.by is None:
            train, rows[part] = _draw_rows(train, share, strata, draw)
        else:
            later = len(drawn) - 1 - drawn.index(part)
            groups = _groups(table, split.by)
            one = bool(split.hold_out) and single_group(groups[train])
            train, rows[part] = (
                _draw_rows(train, share, strata, draw)
                if one
                else _draw_groups(train, share, groups, draw, later)
            )
    return Parts(**rows | {"train": train})


def _by_group(
    table: Table,
    column: str,
    split: config.Split,
    draw: np.random.Generator,
    strata: np.ndarray,
) -> Parts:
    """Whole groups: those that `hold_out` names, else as many as make up the asked share."""
    groups = _groups(table, column)
    if split.hold_out:
        held = _held_out(table, column, split.hold_out)
        rest, test = np.flatnonzero(~held), np.flatnonzero(held)
        if single_group(groups[rest]):
            train, validation = _draw_rows(rest, split.validation, strata, draw)
            train, calibration = _draw_rows(train, split.calibration, strata, draw)
            return Parts(train, validation, test, calibration)
    else:
        later = (split.validation > 0) + (split.calibration > 0)
        rest, test = _draw_groups(np.arange(table.rows), split.test, groups, draw, later)
    train, validation = _draw_groups(rest, split.validation, groups, draw, split.calibration > 0)
    train, calibration = _draw_groups(train, split.calibration, groups, draw, 0)
    return Parts(train, validation, test, calibration)


def single_group(codes: np.ndarray) -> bool:
    """Whether all rows are of one group."""
    return len(np.unique(codes)) == 1


def _held_out(table: Table, column: str, hold_out: tuple[str, ...]) -> np.ndarray:
    """Whether the group of each row is one that `hold_out` names, (N,) bool."""
    codes, values = table.codes(column)
    names = [spelled(v) for v in values]
    for name in hold_out:
        if name not in names:
            hint = did_you_mean(name, [n for n in names if n is not None])
            raise TableError(
                f"{table.source}: hold_out names '{name}', which no cell of column '{column}' "
                f"holds.{hint}"
            )
    return np.isin(codes, [i for i, n in enumerate(names) if n in hold_out])


def _by_time(table: Table, column: str, split: config.Split) -> Parts:
    """The newest rows test, the newest of the rest validate, the newest of these calibrate; rows of
    one moment stay together.
    """
    times = table.moments(column)
    known = np.flatnonzero(~np.isnan(times))
    order = known[np.argsort(times[known], kind="stable")]
    rest, test = _newest(order, split.test, times)
    train, validation = _newest(rest, split.validation, times)
    train, calibration = _newest(train, split.calibration, times)
    return Parts(train, validation, test, calibration)


def _newest(order: np.ndarray, share: float, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut rows sorted by time near the asked share, between two different moments."""
    if share == 0 or not len(order):
        return order, order[:0]
    starts = np.flatnonzero(times[order[1:]] != times[order[:-1]]) + 1
    if not len(starts):
        return order, order[:0]
    cut = starts[np.argmin(np.abs(starts - len(order) * (1 - share)))]
    return order[:cut], order[cut:]


def _groups(table: Table, column: str) -> np.ndarray:
    return table.codes(column)[0]


def _draw_groups(
    rows: np.ndarray, share: float, groups: np.ndarray, draw: np.random.Generator, later: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whole groups in random order while they bring the share of rows nearer to the one asked.

    later: parts still to be drawn, each of which is left a group, as training rows are.
    """
    names, sizes = np.unique(groups[rows], return_counts=True)
    if share == 0 or len(names) < 2:
        return rows, rows[:0]
    wanted, taken, chosen = share * len(rows), 0, []
    order = draw.permutation(len(names))
    for i in order:
        nearer = abs(taken + sizes[i] - wanted) < abs(taken - wanted)
        if nearer and len(chosen) < len(names) - 1 - later:
            chosen.append(i)
            taken += sizes[i]
    if not chosen:  # every group is more than twice as large as the share
        chosen = [order[np.argmin(sizes[order])]]
    held = np.isin(groups[rows], names[chosen])
    return rows[~held], rows[held]


def _draw_rows(
    rows: np.ndarray, share: float, strata: np.ndarray, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Single rows, with the same share of each stratum to within one row."""
    mixed = draw.permutation(rows)
    mixed = mixed[np.argsort(strata[mixed], kind="stable")]
    steps = np.floor(np.arange(len(rows) + 1) * share + 0.5)
    held = np.diff(steps) > 0
    return mixed[~held], mixed[held]


def _last_rows(
    rows: np.ndarray, share: float, table: Table, history: config.History
) -> tuple[np.ndarray, np.ndarray]:
    """The last rows of each recording, in all the share asked for to within one row."""
    codes = np.stack([table.codes(column)[0][rows] for column in history.by], axis=1)
    _, recording, sizes = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    order = np.lexsort((table.moments(history.order)[rows], recording.reshape(-1)))
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows)) - np.repeat(starts, sizes)
    upto = np.floor(np.concatenate([[0], np.cumsum(sizes)]) * share + 0.5)
    held = place >= (sizes - np.diff(upto))[recording.reshape(-1)]
    return rows[~held], rows[held]


def _strata(table: Table, target: str | None, classify: bool) -> np.ndarray:
    """A number for each row: its class, or its tenth of the target's range; -1 where empty."""
    nothing = np.full(table.rows, -1, dtype=np.int64)
    if target is None or table.kind(target) in ("list", "other"):
        return nothing
    if classify:
        return table.codes(target)[0]
    numbers = table.numbers(target)
    known = np.isfinite(numbers)
    if not known.any():
        return nothing
    tenths = np.quantile(numbers[known], np.linspace(0, 1, 11)[1:-1])
    return np.where(known, np.searchsorted(tenths, numbers), -1)


def _check(table: Table, split: config.Split, parts: Parts) -> None:
    """Refuse a part that was asked for and got no row."""
    asked: dict[str, bool] = {
        "train": True,
        "validation": split.validation > 0,
        "test": split.test > 0,
        "calibration": split.calibration > 0,
    }
    for name, rows in zip(parts._fields, parts, strict=True):
        if asked[name] and not len(rows):
            raise TableError(f"{table.source}: no {name} rows: {_why(table, split, name)}")


def _why(table: Table, split: config.Split, part: str) -> str:
    """What to do about an empty part, in the words of the way the split was said."""
    nothing: Any = f"set `{part}: 0` to do without" if part != "train" else "more rows are needed"
    drawn = part in ("validation", "calibration")
    if split.column is not None and not (drawn and split.by is not None):
        return f"column '{split.column}' leaves none for it; name some there, or {nothing}."
    if split.by is not None:
        count = len(np.unique(_groups(table, split.by)))
        return (
            f"column '{split.by}' has {count} groups, too few to give each part one; {nothing}, or "
            "split by time."
        )
    if split.time is not None:
        count = len(np.unique(table.moments(split.time)))
        return f"column '{split.time}' has {count} different times; {nothing}."
    return f"{table.rows} rows are too few for these shares; {nothing}."
