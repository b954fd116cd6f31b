"""Counters are those that the shipped dashboard draws, and they count."""

import json
import re
from importlib.resources import files
from pathlib import Path

from served import rows_of, serving, small_run


def test_the_dashboard_draws_counters_that_there_are(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    rows = rows_of(run, 5)
    rows[0]["site"], rows[1]["load"] = "nowhere", None
    with serving(run) as client:
        sent = client.post("/predict", json={"rows": rows}).json()["rows"]
        client.post("/feedback", json={"id": sent[0]["id"], "task": "fault", "label": "ok"})
        client.post("/predict", json={"rows": []})
        told = client.get("/metrics").text
    counted = dict(re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", told, re.MULTILINE))
    assert counted['modalloy_requests_total{route="/predict",status="200"}'] == "1.0"
    assert counted['modalloy_requests_total{route="/predict",status="422"}'] == "1.0"
    assert counted['modalloy_rows_total{version="1"}'] == "5.0"
    assert counted['modalloy_odd_cells_total{column="site",worth="unknown"}'] == "1.0"
    empty = sum(row["load"] is None for row in rows)
    assert counted['modalloy_odd_cells_total{column="load",worth="missing"}'] == f"{empty}.0"
    assert counted['modalloy_labels_total{task="fault"}'] == "1.0"
    assert counted["modalloy_version"] == "1.0"
    drawn = json.loads(files("modalloy.serving").joinpath("grafana.json").read_text())
    asked = [t["expr"] for panel in drawn["panels"] for t in panel["targets"]]
    names = {n for expr in asked for n in re.findall(r"modalloy_\w+", expr)}
    known = set(re.findall(r"^# TYPE (\w+)", told, re.MULTILINE))
    known |= {f"{n}{end}" for n in known for end in ("_bucket", "_sum", "_count")}
    assert names
    assert names - known == set()
