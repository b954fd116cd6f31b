"""Counters of a service in the form that Prometheus reads; grafana.json beside draws them."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from modalloy.serving.served_model import ServedModel, Told

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        given = {"registry": self.registry}
        self.requests = Counter(
            "modalloy_requests", "Requests by route and status.", ["route", "status"], **given
        )
        self.seconds = Histogram(
            "modalloy_request_seconds",
            "From the first byte of a request to the first of its answer.",
            ["route"],
            buckets=SECONDS,
            **given,
        )
        self.rows = Counter("modalloy_rows", "Rows answered by version.", ["version"], **given)
        self.batches = Histogram(
            "modalloy_batch_rows", "Rows answered together.", buckets=ROWS, **given
        )
        self.waiting = Gauge("modalloy_waiting_rows", "Rows that wait to be answered.", **given)
        self.version = Gauge("modalloy_version", "The version that answers.", **given)
        self.swaps = Counter(
            "modalloy_swaps", "Changes of the version, done or failed.", ["outcome"], **given
        )
        self.cells = Counter(
            "modalloy_odd_cells",
            "Cells that were missing, unreadable or unknown.",
            ["column", "worth"],
            **given,
        )
        self.abstained = Counter(
            "modalloy_abstained", "Answers whose set holds several or no class.", ["task"], **given
        )
        self.unlike = Counter(
            "modalloy_unlike_rows", "Rows unlike any that was learned from.", **given
        )
        self.labels = Counter("modalloy_labels", "Labels that came back.", ["task"], **given)

    def note(self, model: ServedModel, told: Sequence[Told]) -> None:
        """Count what was answered together."""
        rows = sum(len(one.answers) for one in told)
        self.rows.labels(str(model.version.number)).inc(rows)
        self.batches.observe(rows)
        tasks = model.predictor.run.job.tasks
        for one in told:
            for answer in one.answers:
                for task in tasks:
                    if answer.get(f"{task}.abstain") is True:
                        self.abstained.labels(task).inc()
                if answer.get("unlike") == "yes" or answer.get("row.unlike") == "yes":
                    self.unlike.inc()
            for cells in one.cells:
                for column, status in cells.items():
                    worth = status.partition(":")[0]
                    if worth in ("missing", "unreadable", "unknown"):
                        self.cells.labels(column, worth).inc()

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)
