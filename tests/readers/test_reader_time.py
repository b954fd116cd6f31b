import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.cells.cells import Cells
from modalloy.cells.moments import Form, date_form, to_moment
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.time import TimeReader
from modalloy.table.open_table import open_table


def fit(cells: list[object], **options: object) -> TimeReader:
    return TimeReader.fit("taken", config.Time(**options), Cells({"taken": cells}))


@pytest.mark.parametrize(
    "cell",
    [
        "2024-05-31 14:30",
        "2024-05-31T14:30:00",
        "2024-05-31T14:30:00Z",
        "2024-05-31 14:30+02:00",
        " 2024-05-31 14:30 ",
        "2024/05/31 14:30",
        "2024/5/31 14:30",
        "31.05.2024 14:30",
        "31.5.2024 14:30:00",
        "31-May-2024 14:30",
        "31 may 2024 02:30 PM",
        "2024-05-31 2:30:00 pm",
        datetime(2024, 5, 31, 14, 30),
        datetime(2024, 5, 31, 14, 30, tzinfo=UTC),
        pd.Timestamp("2024-05-31 14:30", tz="Europe/Berlin"),
        np.datetime64("2024-05-31T14:30"),
    ],
)
def test_one_moment_written_in_many_ways(cell: object) -> None:
    assert to_moment(cell) == datetime(2024, 5, 31, 14, 30)


def test_dates_months_and_nothing() -> None:
    assert to_moment(date(2024, 5, 31)) == datetime(2024, 5, 31)
    assert to_moment("2024-05") == datetime(2024, 5, 1)
    assert [to_moment(c) for c in (None, "", pd.NaT, np.datetime64("NaT"))] == [None] * 4


@pytest.mark.parametrize("cell", ["05/04/2024", "31.02.2024", "soon", 20240531, 1.7e9, ["x"], b"x"])
def test_what_is_no_date_or_means_two_gets_a_sentence(cell: object) -> None:
    found = to_moment(cell)
    assert isinstance(found, str)
    assert "write it as 2024-05-31" in found


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["05/04/2024", "31/05/2024 14:30"], "day_first"),
        (["05-04-2024", None, "31-5-2024 2:30 PM"], "day_first"),
        (["04/05/2024", "5/31/2024 02:30:00 PM"], "month_first"),
        (["05/04/2024", "07/08/2024", None], "iso"),
        (["31/05/2024", "05/31/2024"], "iso"),
        ([20240405, float("nan"), 20240531], "yyyymmdd"),
        ([1712275200, None, 1717165800], "epoch_s"),
        ([1712275200000.0, 1717165800000.0], "epoch_ms"),
        ([1712275200000000, 1717165800000000], "epoch_us"),
        (["1712275200000000000", "n.d.", 1717165800000000000], "epoch_ns"),
        (["20240405", None, "20240531"], "yyyymmdd"),
        ([20240405, 1717165800], "iso"),
        ([1, 2, 3], "iso"),
        ([True], "iso"),
        ([], "iso"),
    ],
)
def test_the_form_of_dates_is_judged_by_the_whole_column(cells: list[object], form: Form) -> None:
    assert date_form(cells) == form
    if form != "iso":
        clock = () if form == "yyyymmdd" else (14, 30)
        assert to_moment(cells[-1], form) == datetime(2024, 5, 31, *clock)
        assert to_moment(cells[0], form) == datetime(2024, 4, 5)


@pytest.mark.parametrize("cell", ["31-Foo-2024", "2024-05-31 14:30 PM", "31/05/2024", 20241331])
def test_what_a_form_does_not_allow_is_no_date(cell: object) -> None:
    form: Form = "yyyymmdd" if isinstance(cell, int) else "month_first"
    assert isinstance(to_moment(cell, form), str)
    assert isinstance(to_moment(7, "epoch_s"), str)


def test_a_row_keeps_the_form_of_its_training_column() -> None:
    cells = Cells({"taken": ["05/04/2024", "31/05/2024"], "made": [1712188800, 1717027200]})
    reader = TimeReader.fit("taken", config.Time(cycles=(), since="made"), cells)
    assert reader.forms == ("day_first", "epoch_s")
    assert TimeReader.from_state(json.loads(json.dumps(reader.state()))) == reader
    alone = reader.read(Cells({"taken": ["05/04/2024"], "made": [1712188800]}))
    assert alone.status == ["ok"]
    assert np.array_equal(alone.values["x"], reader.read(cells).values["x"][:1])
    plain = fit(["2024-04-05", "2024-05-31"], cycles=())
    assert alone.values["x"][0, 0] == plain.read(Cells({"taken": ["2024-04-05"]})).values["x"][0, 0]
    assert (
        reader.read(Cells({"taken": ["05/31/2024"], "made": [None]}))
        .status[0]
        .startswith("unreadable: '05/31/2024' is no date")
    )


def test_cycles_close_and_the_trend_grows() -> None:
    start = datetime(2023, 1, 1)
    reader = fit([start + timedelta(days=d) for d in range(730)])
    read = reader.read(
        Cells({"taken": ["2023-06-05 06:00", "2023-06-06 06:00", "2023-06-12 06:00"]})
    )
    x_BF = read.values["x"]
    assert x_BF.shape == (3, 7)
    assert np.allclose(x_BF[:, :2], [1.0, 0.0], atol=1e-6)  # a quarter of the day: sine 1
    assert np.allclose(x_BF[0, 2:4], x_BF[2, 2:4], atol=1e-6)  # Monday is Monday
    assert not np.allclose(x_BF[0, 2:4], x_BF[1, 2:4], atol=0.1)
    assert (np.diff(x_BF[:, -1]) > 0).all()
    outside = ["2022-01-01", "2023-01-01", "2024-12-30", "2031-01-01"]
    before, first, last, after = reader.read(Cells({"taken": outside})).values["x"][:, -1]
    assert before == first < last == after
    new_year = reader.read(Cells({"taken": ["2023-12-31 23:59:59", "2024-01-01"]})).values["x"]
    assert np.allclose(new_year[0, 4:6], new_year[1, 4:6], atol=1e-4)


def test_only_the_cycles_asked_for() -> None:
    reader = fit(["2024-01-01", "2024-02-01"], cycles=("week",))
    assert reader.width == 3
    assert reader.read(Cells({"taken": ["2024-01-08"]})).values["x"].shape == (1, 3)


def test_days_since_another_date() -> None:
    taken = ["2024-01-11", "2024-01-13", "2024-01-21", "2024-01-05"]
    made = ["2024-01-01", "2024-01-01", "2024-01-01", None]
    cells = Cells({"taken": taken, "made": made})
    reader = TimeReader.fit("taken", config.Time(cycles=(), since="made"), cells)
    assert reader.columns == ("taken", "made")
    assert TimeReader.from_state(json.loads(json.dumps(reader.state()))) == reader
    read = reader.read(cells)
    assert read.values["x"].shape == (4, reader.width) == (4, 3)
    assert read.present.all()
    assert read.values["x"][:, -1].tolist() == [1, 1, 1, 0]
    ten, twelve, twenty, unknown = read.values["x"][:, -2]
    assert ten < twelve == unknown == 0 < twenty  # twelve days are the median


def test_a_date_to_count_from_must_be_there() -> None:
    cells = Cells({"taken": ["2024-01-11", None], "made": [None, "2024-01-01"]})
    with pytest.raises(TableError, match="hold dates together in no training row"):
        TimeReader.fit("taken", config.Time(since="made"), cells)


def test_the_clock_on_the_wall_counts_when_summer_time_begins() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    reader = fit(["2024-03-30", "2024-04-02"])
    at_six = [datetime(2024, 3, day, 6, tzinfo=berlin) for day in (30, 31)]
    x_BF = reader.read(Cells({"taken": at_six})).values["x"]
    assert np.allclose(x_BF[0, :2], x_BF[1, :2], atol=1e-6)
    odd = datetime(2024, 3, 31, 2, 30, tzinfo=timezone(timedelta(hours=14)))
    assert reader.read(Cells({"taken": [odd]})).present.all()


def test_bad_cells_are_absent_and_say_why() -> None:
    reader = fit(["2024-01-01", "2024-02-01", "soon"])
    read = reader.read(Cells({"taken": ["soon", None, "0001-01-01", "9999-12-31 23:59:59"]}))
    assert read.present.tolist() == [False, False, True, True]
    assert read.status[0].startswith("unreadable: 'soon' is no date")
    assert (read.values["x"][:2] == 0).all()
    assert np.abs(read.values["x"]).max() <= 3.0


def test_columns_without_a_date_are_refused() -> None:
    with pytest.raises(TableError, match="is empty in all 1 training rows"):
        fit([None])
    with pytest.raises(TableError, match=r"column 'taken' holds no date: '05/04/2024' is no date"):
        fit(["05/04/2024", None])


@given(st.lists(st.one_of(st.none(), st.datetimes(), st.text(max_size=12)), min_size=1, max_size=9))
@settings(deadline=None, max_examples=60)
def test_a_row_reads_alone_as_it_does_among_others(cells: list[object]) -> None:
    reader = TimeReader("taken", ("day", "week", "year"), 738_000.0, 30.0, (737_900.0, 738_100.0))
    assert TimeReader.from_state(json.loads(json.dumps(reader.state()))) == reader
    together = reader.read(Cells({"taken": cells}))
    assert np.isfinite(together.values["x"]).all()
    for row, cell in enumerate(cells):
        alone = reader.read(Cells({"taken": [cell]}))
        assert np.array_equal(alone.values["x"], together.values["x"][[row]])
        assert alone.status[0] == together.status[row]


OFFSETS = ["2024-10-26T23:30:00+02:00", "2024-10-28T07:15:00+01:00", "2024-10-29T06:00:00+01:00"]


@pytest.mark.parametrize("spool_above_mb", [256, 0])
def test_the_clock_that_is_written_counts_in_every_kind_of_table(
    spool_above_mb: float, tmp_path: Path
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    aware = [datetime.fromisoformat(t) for t in OFFSETS]
    plain = [t.replace(tzinfo=None) for t in aware]
    texts = {
        "offsets.csv": OFFSETS,
        "one_offset.csv": [f"{t.isoformat()}+08:00" for t in plain],
        "utc.csv": [f"{t.isoformat()}Z" for t in plain],
        "plain.csv": [str(t) for t in plain],
        "german.csv": [t.strftime("%d.%m.%Y %H:%M") for t in plain],
    }
    sources: list[object] = []
    for name, cells in texts.items():
        pd.DataFrame({"taken": cells}).to_csv(tmp_path / name, index=False)
        sources.append(tmp_path / name)
    pd.DataFrame(
        {"taken": pd.Series([pd.Timestamp(t).tz_convert(zone) for t in aware])}
    ).to_parquet(tmp_path / "t.parquet")
    objects = pd.DataFrame({"taken": pd.Series(aware, dtype=object)})
    sources += [tmp_path / "t.parquet", objects, pd.DataFrame({"taken": OFFSETS})]
    wanted = fit(plain).read(Cells({"taken": plain})).values["x"]
    for source in sources:
        table = open_table(source, spool_above_mb=spool_above_mb)
        cells = table.take(["taken"], np.arange(3))
        reader = TimeReader.fit("taken", config.Time(), cells)
        assert np.array_equal(reader.read(cells).values["x"], wanted), source
        seconds = [(t - datetime(1970, 1, 1)).total_seconds() for t in plain]
        assert table.moments("taken").tolist() == seconds, source
