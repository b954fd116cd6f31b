"""`federate` of sites that know the same parts: by the verb, over Flower's messages, or refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import modalloy as ma
from matched_sites import JOB, KEY, parts_of, tables_of
from modalloy.cli import app
from modalloy.errors import JobError
from modalloy.runs.run import load_run

pytest.importorskip("flwr", reason="federations need the extra `federated`")


@pytest.fixture(autouse=True)
def key_and_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODALLOY_SITE_KEY", KEY)
    monkeypatch.setattr("modalloy.commands.federate.take_cores", lambda: None)  # a busy machine


def test_the_verb_writes_a_run_for_each_site_and_says_what_was_learned(tmp_path: Path) -> None:
    job = {**JOB, "train": {**JOB["train"], "epochs": 1}}
    (tmp_path / "job.yaml").write_text(json.dumps(job))
    given = []
    for site, table in tables_of(parts_of(120, 2)).items():
        table.to_parquet(tmp_path / f"{site}.parquet")
        given += ["--site", f"{site}={tmp_path / site}.parquet"]
    out = tmp_path / "run"
    said = CliRunner().invoke(app, ["federate", str(tmp_path / "job.yaml"), *given, "-o", str(out)])
    assert said.exit_code == 0, said.output
    assert "120 parts at 2 sites, 1 passes; customer has the answers" in said.output
    assert "fault, split, Accuracy" in said.output
    assert (out / "federate.html").is_file()
    assert load_run(out).notes["matched"]["site"] == "customer"
    supplier = load_run(out / "sites" / "supplier" / "run", pretrained=True)
    assert supplier.notes["matched"] == {"site": "supplier", "rows": 120, "epochs": 1}


def test_what_it_cannot_go_on_from_is_refused(tmp_path: Path) -> None:
    sites = tables_of(parts_of(60, 2))
    with pytest.raises(JobError, match="keeps nothing to go on from"):
        ma.federate(JOB, out=tmp_path / "run", sites=sites, resume=True)


def test_sites_on_other_machines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"split training asks each site in every"):
        ma.federate(JOB, out=tmp_path / "run", superlink="127.0.0.1:9", certificates=tmp_path)
