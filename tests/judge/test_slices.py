"""Slices: the commonest values by name and number, missing cells too, each figure with its ends."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from modalloy.job import config
from modalloy.judge.slices import MOST_SLICES, columns_of, slices
from modalloy.readers.category import CategoryReader
from modalloy.table.open_table import open_table


def shops(count: int = 25) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Rows of many shops, shop 0 the commonest; its crack is rare elsewhere and common there."""
    shop = [f"s{i:02d}" for i in range(count) for _ in range(6 + (i == 0) * 6)] + [None] * 8
    rows = len(shop)
    draw = np.random.default_rng(0)
    truth: list[str | None] = ["crack" if draw.random() < 0.2 else "ok" for _ in shop]
    truth[:8] = ["crack"] * 8
    truth[-1] = None
    yes = np.array([t == "crack" for t in truth])
    p = np.clip(0.3 + 0.3 * yes + draw.normal(0, 0.2, rows), 0.01, 0.99)
    job = config.Job.model_validate(
        {
            "table": "t.csv",
            "split": {"by": "day"},
            "columns": {"shop": {"type": "category"}},
            "tasks": {"fault": {"type": "classify", "target": "fault"}},
        }
    )
    table = open_table(pd.DataFrame({"shop": shop, "day": [f"d{i % 30}" for i in range(rows)]}))
    target = SimpleNamespace(names=("crack", "ok"))
    judged = SimpleNamespace(job=job, table=table, readers={}, targets={"fault": target})
    return judged, {"fault": truth}, {"fault": {"probability": np.stack([p, 1 - p], 1)}}


def cut(**options: Any) -> dict[str, Any]:
    rows, truth, answers = shops()
    return sliced(rows, truth, answers, **options)


def sliced(rows: Any, truth: Any, answers: Any, **options: Any) -> dict[str, Any]:
    columns = columns_of(rows, np.arange(len(truth["fault"])), "category")
    names = {n: t.names for n, t in rows.targets.items()}
    return slices(rows.job.tasks, names, columns, truth, answers, **options)["fault"]["shop"]


def test_the_commonest_values_and_how_many_there_are() -> None:
    found = cut()
    assert len(found) == MOST_SLICES == 12
    assert list(found)[:3] == ["s00", "missing", "s01"]
    assert [found[v]["rows"] for v in ("s00", "missing", "s01")] == [12, 7, 6]
    assert {f["values"] for f in found.values()} == {26}


def test_each_figure_has_an_interval_around_it() -> None:
    for figures in cut().values():
        low, high = figures["interval"]["accuracy"]
        assert low <= figures["accuracy"] <= high
        assert figures["accuracy"] in (0.0, 1.0) or low < high


def test_whole_groups_are_drawn_where_there_are_groups() -> None:
    _, truth, _ = shops()
    pairs = [i // 6 for i in range(len(truth["fault"]))]  # two groups in shop 0, one in shop 1
    found = cut(groups=pairs)
    assert found["s00"]["interval"]["accuracy"] != cut()["s00"]["interval"]["accuracy"]
    assert found["s01"]["interval"] == {}


def test_average_precision_is_about_the_same_class_in_every_slice() -> None:
    _, truth, answers = shops()
    yes = [t == "crack" for t in truth["fault"][:12]]
    assert sum(yes) > 6  # the commoner class here, the rarer one of all rows
    expected = average_precision_score(yes, answers["fault"]["probability"][:12, 0])
    assert cut()["s00"]["average_precision"] == pytest.approx(expected)


def test_slices_go_by_the_names_that_the_model_tells_apart() -> None:
    rows, truth, answers = shops()
    count = len(truth["fault"])
    versions = [("1.1", "1.10", "1.1", "1.10")[i % 4] for i in range(count)]
    rows.table = open_table(pd.DataFrame({"shop": versions, "day": ["d"] * count}))
    cells = rows.table.take(["shop"], np.arange(count))
    rows.readers = {"shop": CategoryReader.fit("shop", config.Category(), cells)}
    found = sliced(rows, truth, answers)
    assert set(found) == {"1.1", "1.10"}
