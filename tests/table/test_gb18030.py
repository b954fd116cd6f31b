"""Tables of Chinese programs: GB18030 is read, and said; UTF-8 with its mark; broken ones not."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.errors import TableError
from modalloy.media.sample_csv import read_csv
from modalloy.table.dialect import LOOKED_AT
from modalloy.table.open_table import open_table

TABLE = "零件;备注;缺陷\n1;表面有裂纹,已返工;裂纹\n2;良好;合格\n"
NOTE = "not UTF-8; read as GB18030, as Chinese is written: '零件 备注 缺陷 表面有'"


def written(folder: Path, data: bytes, name: str = "零件.csv") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("spool_above_mb", [256, 0])
@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "utf-8", "utf-8-sig", "utf-16"])
def test_the_same_cells_in_every_encoding(
    encoding: str, spool_above_mb: float, tmp_path: Path
) -> None:
    path = written(tmp_path, TABLE.encode(encoding))
    table = open_table(path, spool_above_mb=spool_above_mb)
    assert table.columns == ["零件", "备注", "缺陷"]
    assert table.cells("备注") == ["表面有裂纹,已返工", "良好"]
    assert table.cells("缺陷") == ["裂纹", "合格"]
    assert table.notes == ((NOTE,) if encoding.startswith("gb") else ())


def test_compressed_and_with_four_byte_letters(tmp_path: Path) -> None:
    text = TABLE + "3;㐂𠮷合格;合格\n"
    table = open_table(written(tmp_path, gzip.compress(text.encode("gb18030")), "t.csv.gz"))
    assert table.cells("备注")[2] == "㐂𠮷合格"


@pytest.mark.parametrize("spool_above_mb", [256, 0])
def test_chinese_far_below_a_heading_in_ascii(spool_above_mb: float, tmp_path: Path) -> None:
    rows = LOOKED_AT // 8
    text = "part,note\n" + "".join(f"{i:06},ok\n" for i in range(rows)) + "7,轴承有异响\n"
    path = written(tmp_path, text.encode("gb18030"))
    table = open_table(path, spool_above_mb=spool_above_mb)
    assert table.rows == rows + 1
    assert table.cells("note", np.array([rows])) == ["轴承有异响"]
    assert table.notes[0].endswith("'轴承有异响'")


@pytest.mark.parametrize("spool_above_mb", [256, 0])
def test_a_letter_cut_in_the_middle_further_down_is_a_sentence(
    spool_above_mb: float, tmp_path: Path
) -> None:
    lines = "1;表面有裂纹;裂纹\n".encode("gb18030") * (LOOKED_AT // 10)
    path = written(tmp_path, TABLE.encode("gb18030") + lines + b"2;\xc1\n;\n")
    with pytest.raises(TableError, match=r"begins in GB18030, but holds bytes further down"):
        open_table(path, spool_above_mb=spool_above_mb)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("부품,불량\n균열,양호\n", "euc-kr"), ("零件,缺陷\n有裂紋,合格\n", "big5")],
)
def test_other_encodings_are_refused(text: str, encoding: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="the header holds letters that are not UTF-8"):
        open_table(written(tmp_path, text.encode(encoding)))


def test_the_note_is_in_the_job_that_init_writes_and_what_check_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"载荷": rng.normal(9, 2, 80).round(2), "温度": rng.normal(60, 5, 80)})
    frame["缺陷"] = rng.choice(["裂纹", "合格"], 80)
    frame.loc[0, "缺陷"] = "合格"
    frame.to_csv(tmp_path / "零件.csv", index=False, encoding="gb18030")
    text = ma.init(tmp_path / "零件.csv", target="缺陷")
    assert "# Read so: not UTF-8; read as GB18030" in text
    assert "载荷: {type: number}" in text
    (tmp_path / "job.yaml").write_text(text, encoding="utf-8")
    found = ma.check(tmp_path / "job.yaml").findings
    said = [f.what for f in found if "GB18030" in f.what]
    assert said == ["not UTF-8; read as GB18030, as Chinese is written: '载荷 温度 缺陷 合格'"]


@pytest.mark.parametrize("names", ["时间,振动", "t,电流(A)"])
def test_headings_of_samples_are_read_too(names: str, tmp_path: Path) -> None:
    lines = "".join(f"{i / 10},{i % 7}\n" for i in range(50))
    path = written(tmp_path, f"{names}\n{lines}".encode("gb18030"), "测点.csv")
    channel = names.split(",")[1].partition("(")[0]
    (x_L,) = read_csv(path, channel).x_CL
    assert np.array_equal(x_L, np.arange(50) % 7)
    assert read_csv(path, None).names[1] == names.split(",")[1]
