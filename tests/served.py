"""A small run served in this process: rows as clients send them, and a client beside it."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from starlette.testclient import TestClient

from conftest import COLUMNS, make_job, write_table
from modalloy.deployment.deployment import Deployment
from modalloy.job.job_file import load_job
from modalloy.serving.app import build_app
from modalloy.serving.limits import Limits
from modalloy.serving.service import Service
from modalloy.serving.tokens import Tokens
from untrained import untrained

HERE = "http://127.0.0.1"
JSON = {"content-type": "application/json"}


def small_run(folder: Path, name: str = "press", *, seed: int = 0, **changes: Any) -> Path:
    """A run over every kind of column, with next to no training."""
    table = folder / "parts.parquet"
    if not table.exists():
        write_table(folder)
    job = load_job(make_job(table, columns=tuple(COLUMNS), **changes))
    return untrained(folder / name, table, seed=seed, job=job, steps=2).path


@contextmanager
def serving(
    run: Path, *, limits: Limits | None = None, loopback: bool = True, **given: Any
) -> Iterator[TestClient]:
    """A client of a service over a run: its app is `client.gate`, its service `client.service`."""
    deployment = Deployment.of(run)
    service = Service(deployment, limits or Limits(), **given)
    app = build_app(service, Tokens(deployment.path), loopback=loopback)
    with TestClient(app, base_url=HERE, raise_server_exceptions=True) as client:
        client.gate, client.service = app, service
        yield client


def rows_of(run: Path, count: int) -> list[dict[str, Any]]:
    """Rows of the small table as JSON has them: media in base64, null where there is no cell."""
    folder = run.parent
    found = []
    for row in pd.read_parquet(folder / "parts.parquet").head(count).to_dict("records"):
        cells = {name: plain(row[name]) for name in COLUMNS}
        for name in ("photo", "sound"):
            if cells[name] is not None:
                data = (folder / cells[name]).read_bytes()
                cells[name] = {"base64": base64.b64encode(data).decode()}
        found.append(cells)
    return found


def plain(cell: Any) -> Any:
    """A cell as JSON."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat()
    return cell.tolist() if hasattr(cell, "tolist") else cell
