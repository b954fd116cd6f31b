from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modalloy.errors import TableError
from modalloy.table.channels import Samples
from modalloy.table.sample_csv import read_csv

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
        ("a,b\nOVL,2\n4,5\n5,6\n7,8\n", None, "'OVL' below the heading is no number"),
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
