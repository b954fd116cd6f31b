"""What a service has done since it began, read from its counters, as the page shows it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client.samples import Sample

from modalloy.serving.language import Language
from modalloy.serving.metrics import Metrics
from modalloy.serving.page.figures import Bar
from modalloy.serving.page.numbers import num
from modalloy.serving.page.rendered import rendered

# Routes that somebody waits at; looks at the page and at the service's health are left out.
ASKED = (
    "/predict", "/v2/models/{name}/infer", "/batch", "/search", "/explain", "/feedback",
    "/page/answer", "/page/why", "/page/alike",
)  # fmt: skip
ANSWERING = ("/predict", "/v2/models/{name}/infer", "/page/answer")


def counted(metrics: Metrics) -> dict[str, Any]:
    """Counters as JSON. since: seconds since 1970. latency_ms: None before the first answer."""
    samples = [s for family in metrics.registry.collect() for s in family.samples]
    by_name: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_name[sample.name.removeprefix("modalloy_")].append(sample)
    asked = [s for s in by_name["requests_total"] if s.labels["route"] in (*ASKED, "none")]
    return {
        "since": first(by_name["unlike_rows_created"]),
        "requests": {
            "answered": total(s for s in asked if s.labels["status"] < "400"),
            "refused": total(s for s in asked if "400" <= s.labels["status"] < "500"),
            "failed": total(s for s in asked if s.labels["status"] >= "500"),
        },
        "rows": total(by_name["rows_total"]),
        "waiting": total(by_name["waiting_rows"]),
        "latency_ms": latency(by_name["request_seconds_bucket"]),
        "abstained": by_label(by_name["abstained_total"], "task"),
        "unlike": total(by_name["unlike_rows_total"]),
        "labels": by_label(by_name["labels_total"], "task"),
        "cells": {
            worth: by_label(
                (s for s in by_name["odd_cells_total"] if s.labels["worth"] == worth), "column"
            )
            for worth in ("missing", "unknown", "unreadable")
        },
    }


def live_html(language: Language, found: Mapping[str, Any]) -> str:
    """Counters, the version that answers, and drift, as the page shows them."""
    rows, cells = found["rows"], found["cells"]
    unknown = cells["unknown"] | cells["unreadable"]
    given = {"missing": bars(cells["missing"], rows), "unknown": bars(unknown, rows)}
    given |= {n: bars(found[n], rows) for n in ("abstained", "labels")}
    return rendered("live.html", language, **{**found, **given})


def bars(counts: Mapping[str, float], rows: float) -> list[Bar]:
    """A line for each count that is more than none, its bar the share of all rows."""
    return [Bar(name, n / rows if rows else 0.0, num(n)) for name, n in counts.items() if n]


def latency(buckets: Iterable[Sample]) -> dict[str, float] | None:
    """Median and 99th percentile of answers, as exact as the buckets are wide."""
    count: dict[float, float] = defaultdict(float)
    for sample in buckets:
        if sample.labels["route"] in ANSWERING:
            count[float(sample.labels["le"])] += sample.value
    edges = sorted(count.items())
    if not edges or not edges[-1][1]:
        return None
    return {"p50": 1000 * quantile(edges, 0.5), "p99": 1000 * quantile(edges, 0.99)}


def quantile(edges: Sequence[tuple[float, float]], share: float) -> float:
    """Between the edges of its bucket in proportion, as Prometheus reads a histogram.

    edges: upper end and count up to it. Beyond the last finite end it is that end.
    """
    rank, low, before = share * edges[-1][1], 0.0, 0.0
    for high, upto in edges:
        if upto >= rank:
            if high == float("inf"):
                return low
            return low + (high - low) * (rank - before) / ((upto - before) or 1.0)
        low, before = high, upto
    return low


def total(samples: Iterable[Sample]) -> float:
    """Their sum."""
    return sum(s.value for s in samples)


def first(samples: Sequence[Sample]) -> float | None:
    """The value of the only one."""
    return samples[0].value if samples else None


def by_label(samples: Iterable[Sample], label: str) -> Mapping[str, float]:
    """Value by what a label says, the largest first."""
    found: dict[str, float] = defaultdict(float)
    for sample in samples:
        found[sample.labels[label]] += sample.value
    return dict(sorted(found.items(), key=lambda kv: -kv[1]))
