"""New rows are parted by the job's rules as far as their table allows, and else that is said."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from modalloy.adaptation.new_rows import OWN, part_rows
from modalloy.job.job_file import load_job
from modalloy.table.open_table import open_table

JOB: dict[str, Any] = {
    "table": "x",
    "columns": {"a": {"type": "number"}},
    "tasks": {"y": {"type": "classify", "target": "y"}},
}


def frame(**columns: Any) -> pd.DataFrame:
    """Forty rows of two classes."""
    rows = np.arange(40)
    return pd.DataFrame({"a": rows * 1.0, "y": np.array(["p", "q"])[rows % 2], **columns})


@pytest.mark.parametrize(
    ("split", "columns", "by"),
    [
        ({"random": "stratified"}, {}, OWN),
        ({"by": "line"}, {"line": np.arange(40) // 8}, OWN),
        ({"by": "line", "hold_out": ["0"]}, {"line": np.arange(40) // 8}, OWN),
        ({"by": "line"}, {"line": 3}, "'line' parts them in no way"),
        ({"by": "line"}, {}, "'line' parts them in no way"),
        ({"column": "part"}, {"part": ["train", "val", "test", "train"] * 10}, OWN),
        ({"column": "part"}, {"part": "test"}, "'part' parts them in no way"),
        ({"time": "day"}, {"day": np.arange(40)}, OWN),
    ],
)
def test_rows_are_parted(split: dict[str, Any], columns: dict[str, Any], by: str) -> None:
    job = load_job(JOB | {"split": split})
    which = np.arange(2, 40)
    table = open_table(frame(**columns))
    parts, said = part_rows(job, table, which)
    assert by in said
    every = np.concatenate(parts)
    assert len(np.unique(every)) == len(every) == len(which)
    assert set(every) == set(which)
    assert min(map(len, parts[:3])) > 0
    if said == OWN and "by" in split:
        line = np.asarray(columns["line"])
        assert not set(line[parts.train]) & set(line[parts.test])
    if said == OWN and "time" in split:
        assert parts.train.max() < parts.test.min()
