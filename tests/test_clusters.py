"""The lines of docs/clusters.md in local clusters of two workers: the answers of one process."""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from golden_rows import BUNDLE, golden_rows
from modalloy import runtime

PAGE = Path(__file__).resolve().parent.parent / "docs" / "clusters.md"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder of the page: `model.zip` and `parts.parquet`, in two parts of 24 rows."""
    shutil.copyfile(BUNDLE, tmp_path / "model.zip")
    rows = golden_rows()
    (tmp_path / "parts.parquet").mkdir()
    for part in range(2):
        some = rows.iloc[24 * part : 24 * (part + 1)]
        some.to_parquet(tmp_path / "parts.parquet" / f"{part}.parquet", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(heading: str) -> None:
    """Run the python block under a heading of the page."""
    found = re.search(rf"^## {heading}$.*?^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert found is not None
    exec(compile(found[1], f"clusters.md, {heading}", "exec"), {})


def compare(place: Path) -> None:
    """The answers that were written are those of this process."""
    answer = runtime.answerer("model.zip", keep=["machine"])
    parts = [pd.read_parquet(p) for p in sorted((place / "parts.parquet").glob("*.parquet"))]
    expected = pd.concat([answer(part) for part in parts])
    got = pd.concat([pd.read_parquet(p) for p in sorted((place / "answers").glob("*.parquet"))])
    # Rows that were read in two files may be handed over together, and count on then.
    order = ["machine", "life"]
    pd.testing.assert_frame_equal(
        got.drop(columns="row").sort_values(order).reset_index(drop=True),
        expected.drop(columns="row").sort_values(order).reset_index(drop=True),
        check_dtype=False,
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.filterwarnings("ignore")
def test_ray(place: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'modalloy[cluster]'")
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        run("Ray Data")
    finally:
        ray.shutdown()
    compare(place)


@pytest.mark.filterwarnings("ignore")
def test_dask(place: Path) -> None:
    pytest.importorskip("dask.dataframe", reason="Dask is not installed")
    distributed = pytest.importorskip("distributed", reason="Dask's cluster is not installed")
    given = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**given) as cluster, distributed.Client(cluster):
        run("Dask")
    compare(place)


@pytest.mark.filterwarnings("ignore")
def test_spark(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="Spark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not here")
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)  # workers take PATH's python3 otherwise
    session = spark.getOrCreate()
    try:
        run("Spark")
    finally:
        session.stop()
    compare(place)
