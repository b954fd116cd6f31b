"""A small Parquet file that is a large table is refused before it is laid out."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modalloy.errors import RequestError
from modalloy.serving.limits import Limits
from modalloy.serving.unpacked import check_unpacked

LIMITS = Limits(upload_mb=1.0, upload_rows=3000)
ONCE = np.zeros(2000, dtype=np.int32)


def again(cell: str | bytes) -> pa.DictionaryArray:
    """The same cell 2,000 times, written once."""
    return pa.DictionaryArray.from_arrays(pa.array(ONCE), pa.array([cell]))


def file_of(folder: Path, cells: pa.Array) -> Path:
    path = folder / "rows.parquet"
    whole = {"compression": "zstd", "dictionary_pagesize_limit": 1 << 30}
    pq.write_table(pa.table({"cells": cells}), path, **whole)
    return path


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (pa.nulls(3001), "has 3001 rows, more than 3000"),
        (again("x" * 1000), "unpacks to 1 MB, more than 1"),
        (again(b"x" * 10_000), "unpacks to 19 MB, more than 1"),
        (pa.array(["x" * 2_000_000]), "unpacks to 1 MB, more than 1"),
        (
            pa.ListArray.from_arrays(pa.array([0, 2000], pa.int32()), again("x" * 1000)),
            "unpacks to",
        ),
        (pa.array([[0.0] * 200_000]), "unpacks to 1 MB"),
        (pa.StructArray.from_arrays([again(b"x" * 1000)], ["bytes"]), "unpacks to 1 MB"),
    ],
)
def test_what_a_small_file_unpacks_to(tmp_path: Path, cells: pa.Array, said: str) -> None:
    path = file_of(tmp_path, cells)
    assert path.stat().st_size < 100_000
    with pytest.raises(RequestError, match=said) as refused:
        check_unpacked(path, LIMITS)
    assert refused.value.status == 413


def test_a_table_within_its_bounds_and_one_that_is_broken(tmp_path: Path) -> None:
    path = file_of(tmp_path, pa.array([{"bytes": b"x" * 1000, "path": None}, None] * 100))
    assert check_unpacked(path, LIMITS) is None
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RequestError, match="the table: cannot be read as Parquet") as refused:
        check_unpacked(path, LIMITS)
    assert str(tmp_path) not in str(refused.value)
