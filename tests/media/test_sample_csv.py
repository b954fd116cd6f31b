from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modalloy.errors import TableError
from modalloy.media.channels import Samples
from modalloy.media.sample_csv import read_csv

DRAW = np.random.default_rng(0)
FORCE = DRAW.normal(0, 2, 40).round(3)
SOUND = DRAW.normal(5, 1, 40).round(3)
FRAME = pd.DataFrame({"force": FORCE, "sound": SOUND})


def read(path: Path, text: str | bytes, channel: str | None = None) -> Samples:
    path = path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, channel)


def lines(separator: str, decimal: str = ".", end: str = "\n") -> str:
    rows = [f"{a}{separator}{b}".replace(".", decimal) for a, b in zip(FORCE, SOUND, strict=True)]
    return end.join(rows) + end


@pytest.mark.parametrize(
    "text",
    [
        "force,sound\n" + lines(","),
        "force;sound\n" + lines(";"),
        "force;sound\n" + lines(";", ","),
        "force\tsound\r\n" + lines("\t", ",", "\r\n"),
        "force sound\n" + lines(" "),
        "force   sound\n" + lines("   ", ","),
        "force|sound\n" + lines("|"),
        "force, sound\n" + lines(", "),
        '"force","sound"\n' + lines(","),
        "\ufeffforce;sound\n" + lines(";", ","),
        "sep=;\nforce;sound\n" + lines(";", ","),
        "# made by a logger, 2024;x\n# rate: 100 Hz\nforce;sound\n" + lines(";"),
        "# force,sound\n" + lines(","),
        "% force sound\n" + lines(" "),
        "Logger 7\nrate;100 Hz\n\nforce;sound\n" + lines(";", ","),
        "force;sound;\n" + lines(";").replace("\n", ";\n"),
        "force,sound\n" + lines(",").replace("\n", ",\n"),
        ("force,sound\n" + lines(",")).encode("utf-16"),
        "force,sound\n" + lines(",", end="\n\n"),
    ],
)
def test_every_way_to_write_a_file_gives_the_same_channels(
    tmp_path: Path, text: str | bytes
) -> None:
    found = read(tmp_path, text)
    assert found.names == ("force", "sound")
    assert found.counted == ()
    assert np.allclose(found.x_CL, [FORCE, SOUND])


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", "|"])
def test_files_without_a_heading_have_no_names(tmp_path: Path, separator: str) -> None:
    found = read(tmp_path, lines(separator))
    assert found.names is None
    assert np.allclose(found.x_CL, [FORCE, SOUND])


def test_units_below_the_heading_are_kept_with_the_names(tmp_path: Path) -> None:
    for units in ("N;dB", "[N];[dB]", "(N); (dB)"):
        found = read(tmp_path, f"force;sound\n{units}\n" + lines(";", ","))
        assert found.names == ("force [N]", "sound [dB]")
        assert found.x_CL.shape == (2, 40)
    found = read(tmp_path, "Kraft [µN];m/s²\n".encode("cp1252") + lines(";", ",").encode())
    assert found.names == ("Kraft [µN]", "m/s²")
    assert np.allclose(read(tmp_path, "force;sound\nN;dB\n" + lines(";"), "force").x_CL, [FORCE])


def test_row_numbers_and_times_are_no_channels(tmp_path: Path) -> None:
    seconds = (np.arange(40) / 7).round(4)
    stamps = [f"2024-05-01 06:30:{i:02d}" for i in range(40)]
    for text, said in [
        (FRAME.to_csv(), "row numbers"),
        (FRAME.set_axis(range(1, 41)).to_csv(), "row numbers"),
        (FRAME.to_csv().replace(",force", "Unnamed: 0,force"), "row numbers"),
        (FRAME.set_axis(seconds).to_csv(), "a column without a name that rises"),
        (FRAME.reset_index().to_csv(index=False), "row numbers in column index"),
        (FRAME.assign(t=seconds).to_csv(index=False), "times in column t"),
        (FRAME.assign(**{"Time [s]": seconds}).to_csv(index=False), "times in column Time [s]"),
        (FRAME.assign(time_ms=seconds).to_csv(index=False), "times in column time_ms"),
        (FRAME.assign(at=stamps).to_csv(index=False), "times in column at"),
        (FRAME.set_axis(stamps).to_csv(), "times in column 0"),
        ("force,sound\n" + FRAME.set_axis(range(1, 41)).to_csv(header=False), "row numbers"),
    ]:
        found = read(tmp_path, text)
        assert found.counted == (said,), text[:60]
        left = found.channels()
        assert left.names == ("force", "sound")
        assert np.allclose(left.x_CL, [FORCE, SOUND])
    # A time that does not rise is a measurement, and so is a column that stands alone.
    up_and_down = FRAME.assign(t=SOUND).to_csv(index=False)
    assert read(tmp_path, up_and_down).channels().names == ("force", "sound", "t")
    alone = read(tmp_path, pd.DataFrame({"t": seconds}).to_csv(index=False))
    assert alone.channels().names == ("t",)
    # Asked for by name or place, it is read.
    assert np.allclose(read(tmp_path, FRAME.to_csv(), "0").x_CL, [np.arange(40)])
    assert np.allclose(read(tmp_path, "t,x\n" + "0,5\n1,6\n", "t").x_CL, [[0, 1]])


@pytest.mark.parametrize(
    ("first", "x_CL", "heading"),
    [
        ("400,410", [FORCE, SOUND], True),
        ("0,1", [FORCE, SOUND], True),
        ("400,410", DRAW.integers(0, 90, (2, 40)), True),
        ("400", [FORCE], True),
        ("7,3", DRAW.integers(0, 9, (2, 40)), False),
        ("0,5", [np.arange(1, 41) / 10, FORCE], True),
        ("0,1", [np.arange(1, 41), FORCE], False),
        ("-1,7", [FORCE, SOUND], False),
        ("400.0,410.0", [FORCE, SOUND], False),
        ("3,3", [FORCE, SOUND], False),
    ],
)
def test_a_heading_of_numbers_is_no_sample(
    tmp_path: Path, first: str, x_CL: list[np.ndarray], heading: bool
) -> None:
    rows = "\n".join(",".join(map(str, row)) for row in np.array(x_CL).T)
    if heading and first == "0,5":
        first = "12,5"  # a time that begins at 0.1 does not go on from 12
    found = read(tmp_path, f"{first}\n{rows}\n")
    assert found.names == (tuple(first.split(",")) if heading else None)
    assert found.x_CL.shape[1] == (40 if heading else 41)


def test_gaps_and_marks_are_missing_samples(tmp_path: Path) -> None:
    found = read(tmp_path, "a,b\n,\n,1\n" + "2,3\n" * 5)
    assert found.names == ("a", "b")
    assert found.x_CL.shape == (2, 7)
    text = "a;b\n1,5;-\n;2,5\nn.d.;3,5\nNaN;1.234,5\n"
    found = read(tmp_path, text)
    nan = np.nan
    assert np.allclose(found.x_CL, [[1.5, nan, nan, nan], [nan, 2.5, 3.5, 1234.5]], equal_nan=True)


def test_decimal_commas_that_come_late_are_seen(tmp_path: Path) -> None:
    found = read(tmp_path, "a;b\n" + "0;1\n" * 300 + "0,5;1\n")
    assert found.x_CL[0, -1] == 0.5
    found = read(tmp_path, "force\n" + "1,5\n2\n3,25\n" * 3)
    assert np.allclose(found.x_CL, [[1.5, 2, 3.25] * 3])
    found = read(tmp_path, 'a,b\n"1,5",2\n"2,5",3\n')
    assert np.allclose(found.x_CL, [[1.5, 2.5], [2, 3]])


@pytest.mark.parametrize(
    ("text", "channel", "words"),
    [
        ("a,b\n1,5,2,5\n1,7,2,6\n", None, r"heading has 2 names \(a, b\) and its samples 4 cells"),
        ("a;b\n1,5;2\n1.7;2\n", None, r"mixes decimal commas and points \(1,5, 1\.7\)"),
        (
            "a,b\n1,2\nOVL,3\n4,5\n5,6\n7,8\n",
            None,
            "column a holds more than numbers, as 'OVL' in line 3",
        ),
        (
            "a,b\nOVL,2\n4,5\n5,6\n7,8\n",
            None,
            "column a holds more than numbers, as 'OVL' in line 2;",
        ),
        ("a,b\n\n1,2\n\n3,4\n\n5,x\n", None, "as 'x' in line 7;"),
        ("a,b\n1,2\n3,4\n", "c", "no column c; it has a, b"),
        ("1,2\n3,4\n", "c", "no column c; it has 2 without names"),
        ("a,b\n1,2\n3,4\n", "2", "no column 2"),
        ("# nothing\n\n", None, "holds no samples"),
        ("a\n2024-05-01\n2024-05-02\n", None, "holds no column of numbers"),
    ],
)
def test_files_that_cannot_be_read_get_a_sentence(
    tmp_path: Path, text: str, channel: str | None, words: str
) -> None:
    with pytest.raises(TableError, match=words):
        read(tmp_path, text, channel)


PAIRS = "".join(f"{i},{i * 7 % 10}\n" for i in range(30))


@pytest.mark.parametrize("head", ["", "a,b\n", "# a,b\n", "Logger 7\na,b\n"])
@pytest.mark.parametrize(
    ("text", "line", "length"),
    [(PAIRS + "30", 31, 31), (PAIRS[:20] + "7\n" + PAIRS[20:], 6, 31), (PAIRS, None, 30)],
)
def test_a_short_line_of_two_columns_makes_no_decimal_commas(
    tmp_path: Path, head: str, text: str, line: int | None, length: int
) -> None:
    found = read(tmp_path, head + text)
    assert found.x_CL.shape == (2, length)
    assert found.x_CL[:, 1].tolist() == [1, 7]
    assert found.names == (("a", "b") if head else None)
    assert found.parted == "','"
    assert np.isnan(found.x_CL).sum() == (line is not None)
    if line is None:
        assert found.notes == ()
    else:
        line += head.count("\n")
        assert found.notes == (f"line {line} ends after 1 of 2 columns: the rest is missing",)


@pytest.mark.parametrize("separator", [";", "\t", "|", ",", " "])
def test_short_lines_are_told_with_every_separator(tmp_path: Path, separator: str) -> None:
    text = "".join(f"{i}{separator}{i}.5{separator}{i}.25\n" for i in range(20))
    found = read(tmp_path, f"{text}3{separator}4\n5\n")
    assert found.x_CL.shape == (3, 22)
    (note,) = found.notes
    assert note == (
        "line 21 ends after 2 of 3 columns, and 1 more lines are short: the rest is missing"
    )


def test_one_column_of_decimal_commas_needs_a_heading_or_cells_that_are_no_integers(
    tmp_path: Path,
) -> None:
    for text in ("0,00125\n-0,01730\n0,12345\n", "1,5\n2,05\n3,25\n4\n", "2,5\n-0,5\n1\n0,25\n"):
        found = read(tmp_path, text)
        assert found.x_CL.tolist() == [[float(x.replace(",", ".")) for x in text.split()]]
        assert found.parted == "nothing"
    assert read(tmp_path, "force\n1,5\n2,5\n").x_CL.tolist() == [[1.5, 2.5]]
    assert read(tmp_path, "1,5\n2,5\n").x_CL.tolist() == [[1, 2], [5, 5]]
    with pytest.raises(TableError, match=r"nothing tells whether the commas part .*\(1,5\)"):
        read(tmp_path, "1,5\n2\n3,25\n" * 5)


ODD = ["OVERFLOW", "ovl", "<0.5", "> 3", "1'234.5", "1\u202f234.5", "1 234.5", "****", "low"]


@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("odd", ODD)
def test_odd_cells_below_a_heading_are_refused_by_their_line(
    tmp_path: Path, odd: str, count: int
) -> None:
    for head, row, end in (
        ("a", odd, ""),
        ("a;b", f"{odd};4", ";6"),
        ("a;b", f"{odd};{odd}", ";6"),
    ):
        rows = f"{head}\n" + f"{row}\n" * count + "".join(f"{i}.5{end}\n" for i in range(9))
        with pytest.raises(TableError, match=r"column a holds more than numbers, as .* in line 2;"):
            read(tmp_path, rows)
    if odd not in ("low", "1 234.5"):  # without a heading a single word is taken for one
        with pytest.raises(TableError, match=r"column 0 holds more than numbers, as .* in line 1;"):
            read(tmp_path, f"{odd}\n" * count + "0.5\n1.5\n2.5\n" * 4)


def test_different_odd_cells_and_units_leave_the_heading_as_it_is(tmp_path: Path) -> None:
    for text, line in [
        ("a;b\n1'234.5;2\n1'000.5;4\n999.5;6\n", 2),
        ("a;b\nN;dB\nOVERFLOW;2\n1.5;3\n2.5;4\n", 3),
        ("a\nN\nOVERFLOW\nUNDERFLOW\n1.5\n2.5\n3.5\n4.5\n", 3),
        ("# a;b\nOVERFLOW;2\n1.5;3\n2.5;4\n", 2),
        ("a;b\n\nOVERFLOW;2\n\n1.5;3\n2.5;4\n", 3),
    ]:
        with pytest.raises(TableError, match=rf"column a( \[N\])? holds more .* in line {line};"):
            read(tmp_path, text)
    # Marks for no value are missing samples there as elsewhere.
    found = read(tmp_path, "a\nerror\nn.d.\n0.5\n1.5\n2.5\n")
    assert found.names == ("a",)
    assert np.isnan(found.x_CL).tolist() == [[True, True, False, False, False]]
    # The sound column can be asked for, with all of its samples.
    assert read(tmp_path, "a;b\nOVL;2\nOVL;4\n1.5;6\n2.5;8\n", "b").x_CL.tolist() == [[2, 4, 6, 8]]


def test_lines_of_another_length_are_not_cut_or_left_out(tmp_path: Path) -> None:
    rows = "1,2\n" * 9
    late = "1,2\n" * 300
    for text, line in [
        ("a,b\n0,1,9\n" + rows, 2), ("0,1,9\n" + rows, 1), ("a,b\n" + rows + "1,2,3\n", 11),
        ("a,b\n" + late + "1,2,3\n" + late, 302),
    ]:  # fmt: skip
        with pytest.raises(TableError, match=rf"line {line} has 3 cells, the others 2"):
            read(tmp_path, text)
    with pytest.raises(TableError, match=r"line 2 \('OVERFLOW'\) below the heading holds no"):
        read(tmp_path, "a,b,c\nOVERFLOW\n" + "1,2,3\n" * 9)
    found = read(tmp_path, "plant,site\nforce,sound\n" + rows)
    assert found.names == ("force", "sound")
    assert found.notes == ("line 1 (plant, site) above the heading left out",)
