import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.io
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.cells.cells import Cells
from modalloy.cells.window import Window
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.series import SeriesReader

DRAW = np.random.default_rng(0)


def fit(columns: dict[str, list[object]], folder: Path = Path(), **options: object) -> SeriesReader:
    return SeriesReader.fit("vibration", config.Series(**options), Cells(columns, folder))


def one(reader: SeriesReader, cell: object, folder: Path = Path()) -> np.ndarray:
    return reader.read(Cells({"vibration": [cell]}, folder)).values["x"][0]


def test_channels_are_scaled_by_their_median_and_quartiles() -> None:
    x_RCL = DRAW.normal([[5.0], [-100.0]], [[2.0], [30.0]], (40, 2, 60))
    x_RCL[0, 0, 0] = 1e12
    reader = fit({"vibration": list(x_RCL)})
    low, middle, high = np.quantile(x_RCL, [0.25, 0.5, 0.75], axis=(0, 2))
    assert np.allclose(reader.center, middle)
    assert np.allclose(reader.scale, (high - low) / 1.349)
    z_CL = one(reader, x_RCL[1])
    assert np.allclose(
        z_CL, (x_RCL[1] - middle[:, None]) / np.array(reader.scale)[:, None], atol=1e-5
    )
    assert one(reader, x_RCL[0])[0, 0] == 100.0


def test_every_way_of_writing_a_series_reads_the_same(tmp_path: Path) -> None:
    x_L = DRAW.normal(0, 0.1, 50)
    np.save(tmp_path / "a.npy", x_L)
    np.savez(tmp_path / "a.npz", speed=x_L, other=x_L * 2)
    scipy.io.savemat(tmp_path / "a.mat", {"X118_DE_time": x_L[:, None], "X118RPM": 1796.0})
    (tmp_path / "a#1.csv").write_text(
        "t,v\n" + "\n".join(f"{i},{v!r}" for i, v in enumerate(x_L.tolist()))
    )
    soundfile.write(tmp_path / "a.wav", x_L, 100, subtype="DOUBLE")
    reader = fit({"vibration": [list(x_L)]}, rate_hz=100.0)
    expected = one(reader, x_L)
    for cell in [
        x_L.tolist(),
        tuple(x_L),
        json.dumps(x_L.tolist()),
        np.array(x_L, dtype=object),
        [x_L.tolist()],
        "a.npy",
        "a.npz#speed",
        "a.mat#X118_DE_time",
        "a#1.csv#v",
        "a.wav",
    ]:
        assert np.allclose(one(reader, cell, tmp_path), expected, atol=1e-5), cell
    soundfile.write(tmp_path / "b.wav", x_L, 200)
    status = reader.read(Cells({"vibration": ["b.wav"]}, tmp_path)).status[0]
    assert "200 samples a second, not rate_hz: 100" in status


def test_long_series_keep_their_last_samples() -> None:
    reader = fit({"vibration": [np.arange(100.0)]}, length=10)
    back = one(reader, np.arange(100.0))[0] * reader.scale[0] + reader.center[0]
    assert np.allclose(back, np.arange(90.0, 100.0), atol=1e-4)


def test_several_columns_are_channels_that_end_together() -> None:
    columns = {"de": [[1.0, 2.0, 3.0, 4.0], None, None], "fe": [[7.0, 8.0], [7.0, 9.0, 11.0], None]}
    reader = fit(columns, **{"from": ("de", "fe")})
    assert reader.columns == ("de", "fe")
    read = reader.read(Cells(columns))
    assert read.present.tolist() == [True, True, False]
    assert read.status == ["ok", "ok", "missing"]
    x_BCL, mask_BL = read.values["x"], read.values["mask"]
    assert x_BCL.shape == (3, 2, 4)
    assert mask_BL.tolist() == [[True] * 4, [True, True, True, False], [False] * 4]
    assert (x_BCL[0, 1, :2] == 0).all()  # the shorter channel is filled in front
    assert x_BCL[0, 1, 2] != 0
    assert not x_BCL[1, 0].any()
    assert not x_BCL[2].any()


def test_gaps_are_on_a_line_and_masked_where_no_channel_has_a_sample() -> None:
    one = np.array([[1.0, math.nan, math.nan, 5.0], [2.0, 3.0, math.nan, math.inf]])
    reader = fit({"vibration": [one, one + 1]})
    read = reader.read(Cells({"vibration": [one]}))
    assert read.values["mask"].tolist() == [[True, True, False, True]]
    x_CL = read.values["x"][0]
    assert np.allclose(np.diff(x_CL[0]), (x_CL[0, 3] - x_CL[0, 0]) / 3)
    assert (x_CL[1, 2:] == 0).all()  # after a channel's last sample there is no line
    older = replace(reader, lined=False).read(Cells({"vibration": [one]}))
    assert (older.values["x"][0, 0, 1:3] == 0).all()


def test_the_longest_row_and_the_rows_are_known() -> None:
    reader = fit({"vibration": [np.ones((1, 5)), np.ones((1, 9)), None]})
    assert (reader.longest, reader.rows) == (9, 3)
    assert fit({"vibration": [np.ones((1, 9))]}, length=6).longest == 6


def test_windows_over_rows_are_never_turned() -> None:
    history = {"by": ["run"], "order": "step", "rows": 4}
    windows = [Window(DRAW.normal(size=(6, k)), "day_first") for k in (1, 2, 4)]
    reader = fit({"vibration": windows}, history=history, **{"from": tuple("abcdef")})
    assert reader.columns == ("vibration",)
    assert reader.channels == 6
    read = reader.read(Cells({"vibration": windows}))
    assert read.values["x"].shape == (3, 6, 4)
    assert read.values["mask"].sum(1).tolist() == [1, 2, 4]
    assert reader.order_form == "day_first"
    assert SeriesReader.from_state(json.loads(json.dumps(reader.state()))) == reader


def test_a_window_says_what_of_its_row_could_not_be_read() -> None:
    x_CL = np.array([[1.0, 2.0, math.nan]], dtype=np.float32)
    reader = fit({"vibration": [Window(x_CL, "number")]}, history={"by": ["run"], "order": "step"})
    windows = [Window(x, "number", ("a", "b")) for x in (x_CL, x_CL[:, 2:])]
    read = reader.read(Cells({"vibration": [*windows, Window(x_CL[:, 2:], "number")]}))
    assert read.status == ["noted: a; b", "unreadable: a; b", "missing"]
    assert read.present.tolist() == [True, False, False]


def test_shaft_speed_is_a_number_or_a_column() -> None:
    cells = {"vibration": [[1.0, 2.0]] * 4, "rpm": [1800.0, None, -5.0, "fast"]}
    fixed = fit(cells, rpm=1500.0)
    assert fixed.columns == ("vibration",)
    assert fixed.read(Cells(cells)).values["speed_hz"].tolist() == [25.0] * 4
    read_off = fit(cells, rpm="rpm")
    assert read_off.columns == ("vibration", "rpm")
    speed = read_off.read(Cells(cells)).values["speed_hz"]
    assert speed.dtype == np.float32
    assert speed.tolist() == [30.0, 0.0, 0.0, 0.0]
    assert fit(cells).read(Cells(cells)).values["speed_hz"].tolist() == [0.0] * 4


def test_bad_cells_are_absent_and_say_why(tmp_path: Path) -> None:
    reader = fit({"vibration": [[1.0, 2.0, 3.0, 5.0]]})
    cells = [None, [], [math.nan], "none.npy", "[1, 'a']", 5.0, [[1.0] * 4] * 3, [[["1"]]], {}]
    read = reader.read(Cells({"vibration": cells}, tmp_path))
    assert not read.present.any()
    assert read.status[:3] == ["missing"] * 3
    assert all(s.startswith("unreadable: ") for s in read.status[3:])
    assert "3 channels, expected 1" in read.status[6]
    assert not read.values["x"].any()
    assert read.values["x"].shape[1] == 1


def test_columns_without_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="column 'vibration' is empty in all 2 training rows"):
        fit({"vibration": [None, [math.nan]]})
    with pytest.raises(TableError, match=r"no series can be read: unreadable: no file a\.npy"):
        fit({"vibration": ["a.npy", None]}, tmp_path)
    with pytest.raises(TableError, match="holds more than one channel"):
        fit({"a": [np.ones((2, 9))], "b": [[1.0]]}, **{"from": ("a", "b")})


def write(folder: Path, name: str, held: dict[str, np.ndarray], **options: Any) -> str:
    pd.DataFrame(held).to_csv(folder / name, **{"index": False, **options})
    return name


def wave(factor: float = 1.0) -> np.ndarray:
    return (factor * DRAW.normal(size=30)).round(3)


def test_channels_of_files_go_by_name_in_any_order(tmp_path: Path) -> None:
    force, sound = [wave() for _ in range(6)], [wave(50) + 700 for _ in range(6)]
    names = []
    for i in range(6):
        both = {"force": force[i], "sound": sound[i]}
        order = ["sound", "force"] if i % 2 else ["force", "sound"]
        names.append(write(tmp_path, f"{i}.csv", both, columns=order))
    reader = fit({"vibration": names}, tmp_path)
    assert reader.channel_names == ("force", "sound")
    assert not reader.alike
    assert np.allclose(reader.center[1], 700, atol=50)
    again = SeriesReader.from_state(json.loads(json.dumps(reader.state())))
    assert again == reader
    both = {"force": force[0], "sound": sound[0]}
    others = [
        write(tmp_path, "swapped.csv", both, columns=["sound", "force"]),
        write(tmp_path, "index.csv", both, index=True),
        write(tmp_path, "german.csv", both, sep=";", decimal=","),
        write(tmp_path, "capitals.csv", {"Sound ": sound[0], "FORCE": force[0]}),
        write(tmp_path, "units.csv", {"sound [dB]": sound[0], "force (N)": force[0]}),
        write(tmp_path, "more.csv", {"temp": wave(), **both, "t": np.arange(30) / 7}),
        write(tmp_path, "less.csv", {"force": force[0]}),
        write(tmp_path, "other.csv", {"force": force[0], "torque": sound[0]}),
        write(tmp_path, "bare.csv", both, header=False),
    ]
    read = again.read(Cells({"vibration": ["0.csv", *others]}, tmp_path))
    assert read.status[:6] == ["ok"] * 6
    assert read.status[6] == "noted: left out temp, no channel of training"
    lacks = "unreadable: less.csv lacks the channel sound of training; it has force"
    assert read.status[7] == lacks
    assert read.status[8].endswith("lacks the channel sound of training; it has force, torque")
    assert "bare.csv has no heading, and the files of training list" in read.status[9]
    assert read.present.tolist() == [True] * 7 + [False] * 3
    for x_CL in read.values["x"][1:7]:
        assert np.allclose(x_CL, read.values["x"][0])


def test_files_without_a_heading_go_by_place_and_mixing_is_told(tmp_path: Path) -> None:
    both = {"a": wave(), "b": wave(9)}
    bare = write(tmp_path, "bare.csv", both, header=False)
    named = write(tmp_path, "named.csv", both)
    swapped = write(tmp_path, "swapped.csv", both, columns=["b", "a"])
    by_place = fit({"vibration": [bare, bare]}, tmp_path)
    assert by_place.channel_names == ()
    read = by_place.read(Cells({"vibration": [bare, named]}, tmp_path))
    said = "noted: its columns a, b are taken in this order: training has no headings"
    assert read.status == ["ok", said]
    assert np.array_equal(read.values["x"][0], read.values["x"][1])
    by_name = fit({"vibration": [named, named]}, tmp_path)
    read = by_name.read(Cells({"vibration": [named, bare, swapped]}, tmp_path))
    assert read.status == ["ok", "noted: its channels have no names and are taken as a, b", "ok"]
    assert np.array_equal(read.values["x"][0], read.values["x"][1])
    assert np.array_equal(read.values["x"][0], read.values["x"][2])
    three = write(tmp_path, "three.csv", {**both, "c": wave()}, header=False)
    read = by_name.read(Cells({"vibration": [three]}, tmp_path))
    assert read.status == ["unreadable: three.csv has 3 channels without names, expected a, b"]


def test_headings_of_numbers_are_names(tmp_path: Path) -> None:
    both = {"400": wave(), "410": wave(9)}
    names = [write(tmp_path, "a.csv", both), write(tmp_path, "b.csv", both, columns=["410", "400"])]
    reader = fit({"vibration": names}, tmp_path)
    assert reader.channel_names == ("400", "410")
    x_BCL = reader.read(Cells({"vibration": names}, tmp_path)).values["x"]
    assert x_BCL.shape == (2, 2, 30)
    assert np.array_equal(x_BCL[0], x_BCL[1])


def test_headings_that_name_the_file_are_no_channels(tmp_path: Path) -> None:
    names = [write(tmp_path, f"{i}.csv", {f"specimen {i}": wave()}) for i in range(4)]
    reader = fit({"vibration": names}, tmp_path)
    assert (reader.channel_names, reader.alike) == ((), False)
    new = write(tmp_path, "new.csv", {"specimen 9": wave()})
    assert reader.read(Cells({"vibration": [new]}, tmp_path)).status == ["ok"]


def test_an_array_of_another_name_is_not_the_channel_of_training(tmp_path: Path) -> None:
    for name, variable in (("a", "force"), ("b", "force"), ("c", "sound")):
        np.savez(tmp_path / f"{name}.npz", **{variable: wave()})
        scipy.io.savemat(tmp_path / f"{name}.mat", {variable: wave()})
    for ending in ("npz", "mat"):
        reader = fit({"vibration": [f"a.{ending}", f"b.{ending}"]}, tmp_path)
        assert reader.channel_names == ("force",)
        cells = [f"b.{ending}", f"c.{ending}", f"c.{ending}#sound"]
        read = reader.read(Cells({"vibration": cells}, tmp_path))
        assert read.status[0] == read.status[2] == "ok"
        assert read.status[1].endswith("lacks the channel force of training; it has sound")


def test_the_channels_of_a_few_odd_files_do_not_set_those_of_a_column(tmp_path: Path) -> None:
    names = [write(tmp_path, f"{i}.csv", {"a": wave(), "b": wave()}) for i in range(9)]
    odd = write(tmp_path, "odd.csv", {"a": wave()})
    assert fit({"vibration": [odd, *names]}, tmp_path).channel_names == ("a", "b")
    more = [write(tmp_path, f"m{i}.csv", {"c": wave(), "b": wave(), "a": wave()}) for i in range(9)]
    assert fit({"vibration": [*names, *more]}, tmp_path).channel_names == ("a", "b")


def test_units_must_be_those_of_training_where_both_are_known(tmp_path: Path) -> None:
    draw = [{"force [N]": wave(), "sound": wave()} for _ in range(3)]
    names = [write(tmp_path, f"{i}.csv", both) for i, both in enumerate(draw)]
    plain = write(tmp_path, "plain.csv", {"Force": wave(), "sound [dB]": wave()})
    other = write(tmp_path, "other.csv", {"force [kN]": wave(), "sound": wave()})
    reader = fit({"vibration": [*names, plain, other]}, tmp_path)
    assert reader.channel_names == ("force [N]", "sound")
    assert reader.alike
    read = reader.read(Cells({"vibration": [names[0], plain, other]}, tmp_path))
    assert read.status[:2] == ["ok", "ok"]
    assert read.status[2].endswith(
        "lacks the channel force [N] of training; it has force [kN], sound"
    )


def test_runs_that_know_no_names_read_every_column_in_its_order(tmp_path: Path) -> None:
    both = {"a": wave(), "t": np.arange(30.0)}
    names = [write(tmp_path, "a.csv", both), write(tmp_path, "b.csv", both, columns=["t", "a"])]
    state = {
        "name": "vibration", "sources": ["vibration"], "history": False, "length": 30,
        "rate_hz": None, "rpm": None, "center": [0.0, 0.0], "scale": [1.0, 1.0],
    }  # fmt: skip
    old = SeriesReader.from_state(state)
    read = old.read(Cells({"vibration": names}, tmp_path))
    assert read.status == ["ok", "ok"]
    assert np.allclose(read.values["x"][0], [both["a"], both["t"]])
    assert np.allclose(read.values["x"][1], [both["t"], both["a"]])


def test_a_table_is_never_turned(tmp_path: Path) -> None:
    reader = fit({"vibration": [np.ones((2, 9)), wave().reshape(2, 15)]})
    short = write(tmp_path, "short.csv", {c: np.array([0.5, 1.5]) for c in "abcd"}, header=False)
    read = reader.read(Cells({"vibration": [short]}, tmp_path))
    assert read.status == ["unreadable: 4 channels, expected 2"]


def test_a_file_may_have_a_hash_in_its_name_and_a_path_of_another_place(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write(tmp_path / "run", "a#1.csv", {"v": wave(), "w": wave()})
    np.savez(tmp_path / "run" / "b.npz", v=wave(), w=wave())
    reader = fit({"vibration": ["run/a#1.csv#v", "run/b.npz#v"]}, tmp_path)
    assert reader.channel_names == ()
    cells = [r"RUN\a#1.csv#v", r"C:\x\run\b.npz#w ", "run/a#1.csv#V"]
    read = reader.read(Cells({"vibration": cells}, tmp_path))
    assert read.status[:2] == ["ok", "noted: found as run/b.npz"]
    assert "has no column V; it has v, w" in read.status[2]


ROW = st.one_of(
    st.none(), st.lists(st.one_of(st.floats(), st.integers(-9, 9)), max_size=6), st.text(max_size=3)
)


@given(st.lists(st.tuples(ROW, ROW, st.one_of(st.none(), st.floats())), min_size=1, max_size=6))
@settings(deadline=None, max_examples=80)
def test_a_row_reads_alone_as_it_does_among_others(rows: list[tuple[object, ...]]) -> None:
    reader = SeriesReader(
        "vibration", ("de", "fe"), False, 4, None, "rpm", (0.5, -1.0), (2.0, 1e-300)
    )
    assert SeriesReader.from_state(json.loads(json.dumps(reader.state()))) == reader
    columns = dict(zip(("de", "fe", "rpm"), map(list, zip(*rows, strict=True)), strict=True))
    together = reader.read(Cells(columns))
    assert np.isfinite(together.values["x"]).all()
    assert np.isfinite(together.values["speed_hz"]).all()
    for row in range(len(rows)):
        alone = reader.read(Cells({name: [column[row]] for name, column in columns.items()}))
        assert alone.status[0] == together.status[row]
        length = alone.values["x"].shape[2]
        assert np.array_equal(alone.values["x"][0], together.values["x"][row, :, :length])
        assert np.array_equal(alone.values["mask"][0], together.values["mask"][row, :length])
        assert not together.values["mask"][row, length:].any()
        assert alone.values["speed_hz"][0] == together.values["speed_hz"][row]
