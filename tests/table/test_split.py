"""Parts are disjoint, keep groups whole and time in order, and never change by themselves."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modalloy.errors import TableError
from modalloy.job import config
from modalloy.table.split import Parts, split_job, split_rows
from modalloy.table.table import Table, open_table

shares = st.floats(0.05, 0.5)
seeds = st.integers(0, 10)
quick = settings(deadline=None, max_examples=60)


def table_of(**columns: Any) -> Table:
    return open_table(pa.table({k: pa.array(v) for k, v in columns.items()}))


def split(table: Table, seed: int = 0, target: str | None = None, **options: Any) -> Parts:
    return split_rows(table, config.Split(**options), seed, target, True)


def check_disjoint(parts: Parts, rows: int) -> None:
    joined = np.concatenate(parts)
    assert len(np.unique(joined)) == len(joined) <= rows
    for part in parts:
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


# --- by column ---------------------------------------------------------------------------------


def test_a_split_column_may_be_spelt_in_many_ways() -> None:
    cells = [
        "Train",
        "training",
        "val",
        "valid",
        "validation",
        "dev",
        " TEST ",
        "testing",
        None,
        "",
        "Calibration",
        "calib",
    ]
    parts = split(table_of(split=cells), column="split")
    assert [p.tolist() for p in parts] == [[0, 1], [2, 3, 4, 5], [6, 7], [10, 11]]


@pytest.mark.parametrize("cells", [["train", "tset", "test"], [1, 2, 3], ["train", "other", None]])
def test_a_cell_that_names_no_part_is_refused(cells: list[Any]) -> None:
    with pytest.raises(TableError, match=r"column 'split', row \d: .* names no part"):
        split(table_of(split=cells), column="split")


@quick
@given(st.integers(12, 80), st.floats(0.1, 0.4), seeds, st.booleans())
def test_validation_is_drawn_from_train_where_the_column_names_none(
    rows: int, share: float, seed: int, by: bool
) -> None:
    draw = np.random.default_rng(seed)
    said = np.where(np.arange(rows) % 4 == 0, "test", "train")
    group = draw.integers(0, 4, rows)
    group[:4] = [0, 1, 2, 3]
    label = draw.choice(["x", "y"], rows)
    table = table_of(split=said, group=group, label=label)
    more = {"by": "group"} if by else {}
    parts = split(table, seed, "label", column="split", validation=share, **more)
    check_disjoint(parts, rows)
    assert np.array_equal(parts.test, np.flatnonzero(said == "test"))
    learned = np.union1d(parts.train, parts.validation)
    assert np.array_equal(learned, np.flatnonzero(said == "train"))
    if by:
        assert not set(group[parts.train]) & set(group[parts.validation])
    else:
        for name in ("x", "y"):
            own = label[learned] == name
            drawn = label[parts.validation] == name
            assert abs(drawn.sum() - share * own.sum()) <= 1.01


def test_without_validation_all_training_rows_are_kept() -> None:
    table = table_of(split=["train", "train", "test"])
    parts = split(table, column="split", validation=0)
    assert [p.tolist() for p in parts] == [[0, 1], [], [2], []]


def test_test_rows_may_be_done_without_if_said_so() -> None:
    table = table_of(split=["train"] * 20)
    with pytest.raises(TableError, match=r"no test rows.*set `test: 0`"):
        split(table, column="split")
    assert len(split(table, column="split", test=0).test) == 0


# --- by group ----------------------------------------------------------------------------------


@quick
@given(
    more=st.lists(st.integers(0, 7), max_size=120),
    test=shares,
    validation=shares,
    calibration=st.just(0.0) | shares,
    seed=seeds,
)
def test_groups_stay_whole(
    more: list[int], test: float, validation: float, calibration: float, seed: int
) -> None:
    asked = 3 + (calibration > 0)
    groups = [*more, *range(asked)]  # as many as there are parts are enough
    options = {"test": test, "validation": validation, "calibration": calibration}
    parts = split(table_of(g=groups), seed, by="g", **options)
    check_disjoint(parts, len(groups))
    assert sum(map(len, parts)) == len(groups)
    held = [{groups[r] for r in part} for part in parts]
    assert all(held[:asked])
    assert sum(map(len, held)) == len(set(groups))  # each group is in one part alone
    again = split(table_of(g=groups), seed, by="g", **options)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_the_share_of_rows_is_met_to_within_half_a_group() -> None:
    draw = np.random.default_rng(0)
    groups = draw.integers(0, 200, 4000)
    largest = np.bincount(groups).max()
    sizes = []
    for seed in range(10):
        parts = split(table_of(g=groups), seed, by="g", test=0.25)
        sizes.append(len(parts.test))
        assert abs(len(parts.test) - 1000) <= largest / 2 + 1
    drawn = [tuple(split(table_of(g=groups), s, by="g").test[:20]) for s in range(5)]
    assert len(set(drawn)) == 5


def test_rows_without_a_group_stay_together() -> None:
    groups = [None, "a", "b", "c", None, "d", "a", None, ""]
    for seed in range(10):
        parts = split(table_of(g=groups), seed, by="g", test=0.3)
        where = {r: i for i, part in enumerate(parts) for r in part.tolist()}
        assert len({where[r] for r in (0, 4, 7, 8)}) == 1


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(TableError, match=r"no validation rows: column 'g' has 2 groups"):
        split(table_of(g=["a", "b"] * 5), by="g")
    with pytest.raises(TableError, match=r"no calibration rows: column 'g' has 3 groups"):
        split(table_of(g=["a", "b", "c"] * 5), by="g", calibration=0.1)


@pytest.mark.parametrize(
    ("groups", "shares"),
    [
        ([0, 0, 1, 2], {"test": 0.5, "validation": 0.5}),
        ([0, 0, 1, 2, 3], {"test": 0.5, "validation": 0.5, "calibration": 0.5}),
        ([1, 1, 1, 0, 2], {"test": 0.4, "validation": 0.1}),
    ],
)
def test_as_many_groups_as_parts_give_each_part_one(
    groups: list[int], shares: dict[str, float]
) -> None:
    count = len(set(groups))
    for seed in range(10):
        parts = split(table_of(g=groups), seed, by="g", **shares)
        assert [len({groups[r] for r in p}) for p in parts] == [1] * count + [0] * (4 - count)


def test_a_split_column_leaves_a_group_to_each_part_that_is_drawn() -> None:
    table = table_of(g=[0, 1, 2, 3], s=["train"] * 3 + ["test"])
    for seed in range(10):
        parts = split(table, seed, column="s", by="g", validation=0.5, calibration=0.5)
        assert [len(p) for p in parts] == [1, 1, 1, 1]


def test_named_groups_are_held_out() -> None:
    table = table_of(
        fold=[1, 1, 2, 2, 3, 3, 4, 4], split=["train", "test"] * 4, x=[0.021] * 4 + [0.007] * 4
    )
    parts = split(table, by="fold", hold_out=(2, "4"))
    assert parts.test.tolist() == [2, 3, 6, 7]
    parts = split(table, by="fold", hold_out=("2",), column="split", validation=0)
    assert parts.test.tolist() == [3]
    assert parts.train.tolist() == [0, 4, 6]
    assert split(table, by="x", hold_out=(0.021,), validation=0).test.tolist() == [0, 1, 2, 3]
    with pytest.raises(TableError, match=r"hold_out names '9', which no cell of column 'fold'"):
        split(table, by="fold", hold_out=("9",))


def test_rows_of_the_only_group_left_to_learn_from_validate() -> None:
    table = table_of(
        view=["top"] * 20 + ["side"] * 10, y=[0, 1] * 15, s=["train"] * 20 + ["test"] * 10
    )
    for shares in ({"by": "view"}, {"by": "view", "column": "s"}):
        for seed in range(3):
            own = {"hold_out": ("side",), "validation": 0.2, "calibration": 0.25}
            parts = split(table, seed, target="y", **shares, **own)
            assert [len(p) for p in parts[:2]] == [12, 4]
            assert sorted(np.concatenate([*parts[:2], parts.calibration])) == list(range(20))
            assert sorted(parts.validation % 2) == [0, 0, 1, 1]
    with pytest.raises(TableError, match="too few to give each part one"):
        split(table.select(np.arange(20)), by="view")


# --- by time -----------------------------------------------------------------------------------


@quick
@given(
    times=st.lists(st.integers(0, 40) | st.none(), min_size=12, max_size=80).filter(
        lambda t: len({x for x in t if x is not None}) >= 3
    ),
    test=shares,
    validation=shares,
)
def test_newer_rows_test(times: list[int | None], test: float, validation: float) -> None:
    parts = split(table_of(t=times), time="t", test=test, validation=validation)
    check_disjoint(parts, len(times))
    found = [[times[r] for r in part] for part in parts]
    assert all(x is not None for part in found for x in part)
    assert sum(map(len, parts)) == sum(x is not None for x in times)
    assert max(found[0]) < min(found[1])
    assert max(found[1]) < min(found[2])


def test_dates_written_as_text_are_times() -> None:
    days = [f"2024-01-{d:02d}" for d in range(1, 31)]
    parts = split(table_of(t=days[::-1]), time="t")
    assert parts.test.tolist() == [0, 1, 2, 3, 4, 5]
    assert parts.validation.tolist() == [6, 7]
    with pytest.raises(TableError, match=r"column 't', row 30: 'later' is no date"):
        split(table_of(t=[*days, "later"]), time="t")


def test_one_moment_cannot_be_split() -> None:
    with pytest.raises(TableError, match=r"column 't' has 1 different times"):
        split(table_of(t=["2024-01-01"] * 9), time="t")


# --- at random ---------------------------------------------------------------------------------


@quick
@given(
    labels=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=20, max_size=200),
    test=shares,
    validation=st.floats(0.1, 0.5),
    seed=seeds,
)
def test_classes_have_equal_shares(
    labels: list[str | None], test: float, validation: float, seed: int
) -> None:
    table = table_of(y=pa.array(labels, pa.string()))
    parts = split(table, seed, "y", random="stratified", test=test, validation=validation)
    check_disjoint(parts, len(labels))
    assert sum(map(len, parts)) == len(labels)
    for name in set(labels):
        own = sum(x == name for x in labels)
        drawn = sum(labels[r] == name for r in parts.test)
        assert abs(drawn - test * own) <= 1.01


def test_tenths_of_a_number_have_equal_shares() -> None:
    y = np.random.default_rng(0).lognormal(size=1000)
    y[::50] = np.nan
    parts = split_rows(table_of(y=y), config.Split(random="stratified"), 0, "y", False)
    assert len(parts.test) == 200
    edges = np.nanquantile(y, np.linspace(0, 1, 11))
    counts = np.histogram(y[parts.test][np.isfinite(y[parts.test])], edges)[0]
    assert counts.min() >= 18
    assert counts.max() <= 21


def test_seeds_draw_differently_and_lists_are_drawn_plainly() -> None:
    table = table_of(y=[["a"], ["b"]] * 50)
    drawn = [split(table, seed, "y", random="stratified").test.tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(TableError, match="no validation rows: 3 rows are too few"):
        split(table_of(y=["a", "b", "a"]), random="stratified")


# --- the job -----------------------------------------------------------------------------------


def test_a_job_shares_out_its_first_target() -> None:
    table = table_of(y=["rare"] * 10 + ["often"] * 90, x=np.arange(100.0))
    job = config.Job.model_validate(
        {
            "table": "t",
            "split": {"random": "stratified"},
            "columns": {"x": {"type": "number"}},
            "tasks": {"y": {"type": "classify", "target": "y"}},
        }
    )
    parts = split_job(table, job)
    assert (parts.test < 10).sum() == 2
    assert [len(p) for p in parts] == [72, 8, 20, 0]


def test_validation_of_a_history_is_the_end_of_each_recording() -> None:
    run, step = np.repeat([0, 1, 2], [40, 20, 3]), np.concatenate([np.arange(40)[::-1], range(23)])
    part = ["train"] * 60 + ["test"] * 3
    job = config.Job.model_validate(
        {
            "table": "t",
            "split": {"column": "part", "validation": 0.2},
            "columns": {
                "x": {"type": "series", "history": {"by": ["run"], "order": "step", "rows": 8}}
            },
            "tasks": {"y": {"type": "classify", "target": "y"}},
        }
    )
    table = table_of(run=run, step=step, part=part, x=np.zeros(63), y=["a", "b", "c"] * 21)
    parts = split_job(table, job)
    assert [len(p) for p in parts] == [48, 12, 3, 0]
    assert parts.validation.tolist() == [*range(8), *range(56, 60)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"time": "t", "by": "g"},
        {"random": "stratified", "by": "g"},
        {"column": "c", "time": "t"},
    ],
)
def test_a_split_is_said_in_one_way(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="say one of column, by, time or random"):
        config.Split(**options)


# --- calibration -------------------------------------------------------------------------------

WAYS = [
    {"random": "stratified"},
    {"by": "g"},
    {"time": "t"},
    {"column": "part"},
    {"column": "part", "by": "g"},
]


@pytest.mark.parametrize("way", WAYS, ids=["random", "by", "time", "column", "column and by"])
def test_calibration_rows_are_taken_from_the_training_rows_alone(way: dict[str, str]) -> None:
    rows = np.arange(300)
    part = np.where(rows % 30 < 6, "test", np.where(rows % 30 < 9, "val", "train"))
    table = table_of(g=rows // 10 % 30, t=rows, part=part, y=np.where(rows % 3 == 0, "a", "b"))
    before = split(table, 0, "y", **way)
    parts = split(table, 0, "y", **way, calibration=0.2)
    check_disjoint(parts, 300)
    assert np.array_equal(parts.test, before.test)
    assert np.array_equal(parts.validation, before.validation)
    assert np.array_equal(np.union1d(parts.train, parts.calibration), before.train)
    assert abs(len(parts.calibration) - 0.2 * len(before.train)) <= 10
    if "by" in way:
        assert not set(rows[parts.train] // 10) & set(rows[parts.calibration] // 10)
    if "time" in way:
        assert parts.train.max() < parts.calibration.min()
        assert parts.calibration.max() < parts.validation.min()


def test_named_calibration_rows_are_kept_whatever_the_share() -> None:
    table = table_of(part=["train", "val", "test", "calibration", "train"])
    for share in (0.0, 0.5):
        parts = split(table, column="part", calibration=share)
        assert parts.calibration.tolist() == [3]
        assert parts.train.tolist() == [0, 4]


def test_calibration_without_a_row_is_refused() -> None:
    table = table_of(t=[1, 2, 3])
    with pytest.raises(TableError, match="no calibration rows: column 't' has 3 different times"):
        split(table, time="t", calibration=0.2)


def test_calibration_of_a_history_is_the_end_of_what_validation_leaves() -> None:
    table = table_of(run=[0] * 20, step=np.arange(20), part=["train"] * 20)
    history = config.History(by=("run",), order="step", rows=4)
    way = config.Split(column="part", test=0, validation=0.2, calibration=0.25)
    parts = split_rows(table, way, 0, None, False, history)
    assert parts.validation.tolist() == [*range(16, 20)]
    assert parts.calibration.tolist() == [*range(12, 16)]
