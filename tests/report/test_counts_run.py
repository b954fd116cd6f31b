"""Counts the whole way: trained, judged, answered with what to order, and drawn on the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.errors import JobError, TableError

ORDER = {"shortage": 9, "item": "part", "period": "month", "sold": "sold"}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """40 parts over 14 months, some of which sell much more than others."""
    draw = np.random.default_rng(0)
    rate_I = draw.gamma(0.7, 1.5, 40)
    sold_IT = draw.poisson(np.repeat(rate_I[:, None], 20, 1))
    rows = []
    for t in range(6, 19):
        use = "test" if t >= 15 else "val" if t >= 13 else "train"
        known = use == "test" or t not in (12, 14)
        for i in range(40):
            demand = sold_IT[i, t : t + 2].sum() if known else None
            mean = sold_IT[i, :t].mean()
            rows.append((f"p{i}", t, sold_IT[i, t], mean, sold_IT[i, t - 1], demand, use))
    names = ["part", "month", "sold", "mean", "last", "demand", "use"]
    path = tmp_path_factory.mktemp("counts") / "parts.parquet"
    pd.DataFrame(rows, columns=names).to_parquet(path, index=False)
    task = {"type": "regress", "target": "demand", "distribution": "negative_binomial"}
    return {
        "table": str(path),
        "split": {"column": "use"},
        "columns": {"mean": {"type": "number"}, "last": {"type": "number"}},
        "tasks": {"demand": task | {"order": ORDER, "quantiles": [0.5, 0.9]}},
        "fuse": {"type": "concat", "width": 16, "layers": 1, "modality_dropout": 0.0},
        "train": {"epochs": 6, "batch": 32, "lr": 1e-2},
    }


def test_orders_are_answered_and_judged_as_a_stock(job: dict[str, Any], tmp_path: Path) -> None:
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    report = json.loads((run.path / "report.json").read_text())
    assert report["failed"] == []
    assert report["tasks"]["demand"]["crps_skill"] > 0.1
    assert {"mae", "rmse", "pinball", "coverage", "crps", "zero_brier"} <= {
        *report["tasks"]["demand"]
    }
    assert "gradient boosting on plain features" in report["baselines"]["demand"]
    found = report["decided"]["demand"]  # by columns item, period and sold
    assert (found["run"], found["items"], found["periods"]) == (True, 40, 4)
    assert {"as decided", "quantile of 24 periods", "Croston, Poisson"} <= {*found["policies"]}
    page = (run.path / "report.html").read_text()
    assert "What its orders cost" in page
    assert "served at once" in page
    answers = ma.predict(run, pd.read_parquet(job["table"]), quiet=True)
    whole = ["demand.order_up_to", "demand.q[0.5]", "demand.low", "demand.high"]
    for column in whole:
        assert (answers[column] == np.floor(answers[column])).all()
    assert (answers["demand.order_up_to"] == answers["demand.q[0.9]"]).all()
    assert answers["demand.zero"].between(0, 1).all()
    assert answers["demand"].corr(pd.read_parquet(job["table"])["mean"]) > 0.8


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"distribution": "none"}, "tasks.demand.order: needs a distribution"),
        ({"scale": "log"}, "tasks.demand.scale: is for numbers"),
        ({"loss": "absolute"}, "tasks.demand.loss: is for numbers"),
        ({"order": {"shortage": 9, "item": "part"}}, "order.period: is needed too where one of"),
        ({"order": ORDER | {"sold": "last"}}, "order.sold: 'last' is an input"),
        ({"order": ORDER | {"item": "parts"}}, "order.item"),
    ],
)
def test_what_no_order_can_be_made_of_is_told(
    job: dict[str, Any], changes: dict[str, Any], why: str
) -> None:
    task = job["tasks"]["demand"] | changes
    with pytest.raises(JobError, match=why):
        ma.train(job | {"tasks": {"demand": task}}, out="never", quiet=True)


def test_a_fraction_among_counts_is_refused(job: dict[str, Any], tmp_path: Path) -> None:
    frame = pd.read_parquet(job["table"])
    frame.loc[3, "demand"] = 1.5
    frame.to_parquet(tmp_path / "parts.parquet", index=False)
    with pytest.raises(TableError, match=r"'demand' holds 1\.5, which is no whole number"):
        ma.train(job | {"table": str(tmp_path / "parts.parquet")}, out=tmp_path / "r", quiet=True)
