"""Which row a person looks at next, what counters say, and paths that are good for one look."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from modalloy.errors import RequestError
from modalloy.job.config import Classify, Locate, Regress, Tag
from modalloy.serving.metrics import Metrics
from modalloy.serving.page.counters import counted, quantile
from modalloy.serving.page.queue import doubts
from modalloy.serving.page.tickets import GOOD_S, MOST, Tickets

BOXES = Locate(target="boxes", on="photo")
CASES: list[tuple[Any, dict[str, list[Any]], list[int]]] = [
    (
        Classify(target="x"),
        {"x": list("aab"), "x.p[a]": [0.9, 0.5, 0.1], "x.p[b]": [0.1, 0.5, 0.9]},
        [1, 0, 2],
    ),
    (
        Classify(target="x", labels="multi"),
        {"x.p[a]": [0.99, 0.98, 0.6], "x.p[b]": [0.02, 0.45, 0.9]},
        [1, 2, 0],
    ),
    (Classify(target="x"), {"x.p[a]": [np.nan, 0.6, 0.7], "x.p[b]": [np.nan, 0.4, 0.3]}, [0, 1, 2]),
    (Regress(target="x"), {"x.low": [0.0, 0.0, 1.0], "x.high": [1.0, 5.0, 3.0]}, [1, 2, 0]),
    (Regress(target="x"), {"x": [1.0, 1.0, 1.0], "unlike.score": [0.1, 0.3, 0.2]}, [1, 2, 0]),
    (Tag(target="x", on="words"), {"x.confidence": [[0.9, 0.8], [0.99, 0.2], []]}, [1, 0, 2]),
    (BOXES, {"x.scores": [[0.9], [0.4, 0.9], []]}, [1, 0, 2]),
]


@pytest.mark.parametrize(("options", "answers", "order"), CASES)
def test_the_least_certain_come_first(
    options: Any, answers: dict[str, list[Any]], order: list[int]
) -> None:
    found = doubts(pd.DataFrame(answers), "x", options)
    assert np.argsort(-found, kind="stable").tolist() == order


def test_counters_say_what_was_asked() -> None:
    metrics = Metrics()
    assert counted(metrics)["latency_ms"] is None
    for route, status, seconds in (
        ("/predict", "200", 0.003), ("/predict", "200", 0.004), ("/predict", "422", 0.02),
        ("none", "404", 0.001), ("/page/live", "200", 0.001), ("/explain", "500", 2.0),
    ):  # fmt: skip
        metrics.requests.labels(route, status).inc()
        metrics.seconds.labels(route).observe(seconds)
    metrics.cells.labels("photo", "missing").inc(3)
    metrics.cells.labels("load", "missing").inc()
    found = counted(metrics)
    assert found["requests"] == {"answered": 2, "refused": 2, "failed": 1}
    assert list(found["cells"]["missing"].items()) == [("photo", 3), ("load", 1)]
    assert 2.5 < found["latency_ms"]["p50"] < 5 < found["latency_ms"]["p99"] <= 25
    assert found["since"] > 1e9


def test_quantiles_are_those_of_numpy_to_the_width_of_a_bucket() -> None:
    drawn = np.random.default_rng(0).exponential(0.05, 5000)
    ends = [0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    edges = [(end, float((drawn <= end).sum())) for end in ends] + [(float("inf"), 5000.0)]
    for share in (0.1, 0.5, 0.9, 0.99):
        true = float(np.quantile(drawn, share))
        width = next(b - a for a, b in zip([0.0, *ends], ends, strict=False) if b >= true)
        assert abs(quantile(edges, share) - true) < width
    assert quantile([(0.1, 0.0), (float("inf"), 5.0)], 0.5) == 0.1


def test_a_ticket_is_good_once_and_not_for_long() -> None:
    now = 0.0
    tickets = Tickets(clock=lambda: now)
    one, late = tickets.make(), tickets.make()
    tickets.use(one)
    for bad in (one, "guess", ""):
        with pytest.raises(RequestError, match="good for one look"):
            tickets.use(bad)
    now = GOOD_S + 1
    with pytest.raises(RequestError, match="ask again"):
        tickets.use(late)
    first = tickets.make()
    for _ in range(MOST):
        tickets.make()
    with pytest.raises(RequestError):
        tickets.use(first)
