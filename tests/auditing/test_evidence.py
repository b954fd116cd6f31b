"""An evidence folder: gaps first, facts that are the run's, and a seal that any change breaks."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from typer.testing import CliRunner

import modalloy as ma
from conftest import make_job, write_table
from modalloy.auditing.about_file import KEYS, read_about
from modalloy.auditing.chapters.use import handed_over
from modalloy.auditing.write_evidence import CHAPTERS, Evidence
from modalloy.cli import app
from modalloy.errors import BundleError, JobError, RunError
from modalloy.job import config
from modalloy.judge.report import Report
from modalloy.machine.sums import sum_of
from modalloy.runs.run import Run
from untrained import untrained

ABOUT = "\n".join(f"{key}: 'Said of {key}: [x](y)'" for key in KEYS)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, no_lines: None) -> Run:
    """A small run with a report, promises, and what it knows of training rows."""
    folder = tmp_path_factory.mktemp("evidence")
    job = make_job(write_table(folder), columns=("load", "site"), calibrate={}, unlike={})
    return ma.train(job | {"train": {"epochs": 1, "batch": 16}}, out=folder / "run", quiet=True)


@pytest.fixture(scope="module")
def made(run: Run) -> Evidence:
    """Its evidence, without its owner's words and without a signature."""
    return ma.evidence(run.path, out=run.path.parent / "bare")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key, its public one beside it as `key.pub`."""
    return write_key(tmp_path / "key.pem")


def write_key(path: Path) -> Path:
    own = Ed25519PrivateKey.generate()
    pem = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem)
    public = own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_suffix(".pub").write_bytes(public)
    return path


def chapter(found: Evidence, key: str) -> Any:
    return next(c for c in found.chapters if c.key == key)


def test_gaps_stand_first_and_the_owners_words_close_theirs(
    run: Run, made: Evidence, tmp_path: Path
) -> None:
    whats = [gap.what for gap in made.gaps]
    for said in KEYS.values():
        assert f"Nobody has said {said}" in whats
    assert "The folder is not signed" in whats
    assert any("Nobody has attacked it" in what for what in whats)
    text, page = ((made.path / n).read_text() for n in ("README.md", "index.html"))
    for whole in (text, page):
        assert whole.index("Nobody has attacked it") < whole.index("How test rows were kept apart")
    assert page.index('id="gaps"') < page.index('id="use"')
    assert "<script" not in page
    (tmp_path / "about.yaml").write_text(ABOUT)
    told = ma.evidence(run, out=tmp_path / "told", about=tmp_path / "about.yaml")
    assert len(told.gaps) == len(made.gaps) - len(KEYS)
    assert "Purpose: Said of purpose" in (told.path / "index.html").read_text()
    assert r"Said of purpose: \[x\](y)" in (told.path / "README.md").read_text()


def test_facts_are_those_of_the_run_and_its_table(run: Run, made: Evidence) -> None:
    assert len(made.chapters) == len(CHAPTERS) + 1
    data, split = chapter(made, "data"), chapter(made, "split")
    assert any(sum_of(Path(run.job.table)) in said for said in data.said)
    assert any(run.sealed["rows.safetensors"] in said for said in data.said)
    machines = pd.read_parquet(run.job.table)["machine"].nunique()
    (line,) = split.tables[0].rows
    assert (line[0], line[-1]) == ("machine", "0")
    assert sum(map(int, line[1:-1])) == machines
    report = Report.load(run.path / "report.json")
    by = {table.title: table.rows for table in chapter(made, "figures").tables}
    assert {row[0] for row in by["fault by machine"]} == set(report.groups["fault"]["machine"])
    assert {row[0] for row in by["fault by site"]} == set(report.slices["fault"]["site"])
    assert any("sets or intervals" in said for said in chapter(made, "oversight").said)
    assert any(
        "are unlike all that was learned from" in said for said in chapter(made, "limits").said
    )
    assert run.identity in chapter(made, "changes").said[0]
    told = json.loads((made.path / "evidence.json").read_text())
    assert [c["key"] for c in told["chapters"]] == [c.key for c in made.chapters]
    for name in ("run.json", "card.md", "report.html"):
        assert (made.path / "run" / name).read_bytes() == (run.path / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: (d / "README.md").write_text("all is well"), "changed: README.md"),
        (lambda d: (d / "run" / "card.md").unlink(), "missing: run/card.md"),
        (lambda d: (d / "more.txt").write_text(""), "not listed: more.txt"),
        (lambda d: (d / "card.md").symlink_to(d / "run" / "card.md"), "not listed: card.md"),
    ],
)
def test_any_change_of_a_file_is_seen(
    change: Callable[[Path], Any], said: str, made: Evidence, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made.path, copy)
    whole = CliRunner().invoke(app, ["evidence", "--verify", str(copy)])
    assert whole.exit_code == 0
    assert "are as they were sealed" in whole.stdout
    assert "It is not signed" in whole.stdout
    change(copy)
    done = CliRunner().invoke(app, ["evidence", "--verify", str(copy)])
    assert done.exit_code == 1
    assert said in done.stdout


def test_a_signature_says_whose_it_is_and_breaks_with_the_manifest(
    run: Run, key: Path, tmp_path: Path
) -> None:
    words = ["evidence", str(run.path), "-o", str(tmp_path / "e"), "--sign", str(key)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "not that what they say is true" in done.stdout
    folder, public = tmp_path / "e", key.with_suffix(".pub")
    assert ma.verify_evidence(folder).ok
    assert "which it names itself" in ma.verify_evidence(folder).signed
    assert ma.verify_evidence(folder, trust=public).ok
    other = ma.verify_evidence(folder, trust=write_key(tmp_path / "other.pem").with_suffix(".pub"))
    assert not other.ok
    assert "signed with another key" in other.signed
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "README.md").write_text("forged")
    told["files"]["README.md"] = sum_of(folder / "README.md")
    (folder / "manifest.json").write_text(json.dumps(told, indent=1))
    for trust in (None, public):
        found = ma.verify_evidence(folder, trust=trust)
        assert not found.differing.any
        assert not found.ok
    (folder / "manifest.sig").unlink()
    assert not ma.verify_evidence(folder).ok
    with pytest.raises(BundleError, match="private key"):
        ma.verify_evidence(folder, trust=key)


def test_what_cannot_be_looked_at_is_a_gap_and_no_figure(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run.path, copy)
    report = json.loads((copy / "report.json").read_text())
    report["job"] += "\nseed: 7\n"
    (copy / "report.json").write_text(json.dumps(report))
    kept = Path(run.job.table)
    hidden = kept.with_suffix(".away")
    kept.rename(hidden)
    try:
        found = ma.evidence(copy, out=tmp_path / "e")
    finally:
        hidden.rename(kept)
    whats = " | ".join(gap.what for gap in found.gaps)
    assert "The table cannot be looked at" in whats
    assert "There are no figures: report.json was made of another job" in whats
    assert chapter(found, "figures").tables == []


def test_attacks_on_it_are_found_in_the_hardened_run_beside_it(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "own")
    own = ma.load_run(tmp_path / "own")
    pair = {"fault, worst of all attacks": {"accuracy": [0.25, 0.5, None]}}
    compared = {"verb": "harden", "rows": 20, "which": "test rows", "tasks": pair, "units": {}}
    told = {"compared": compared | {"costs": {}, "said": []}, "budgets": {"load": "0.5 sd"}}
    note = told | {"said": [{"what": "it holds better"}], "after": {}}
    table = Path(run.job.table)
    parent = own.as_parent("harden")
    untrained(tmp_path / "hard", table, parent=parent, hardened=note)
    found = chapter(ma.evidence(own, out=tmp_path / "e"), "robustness")
    assert found.gaps == []
    assert found.said[0] == "This run's own figures are those before hardening."
    assert "Hardened: hard, which was made from this run." in found.said
    assert found.tables[0].rows[0][2:4] == ["25.0 %", "50.0 %"]


def test_refusals_are_sentences_and_write_nothing(
    run: Run, made: Evidence, key: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="holds files"):
        ma.evidence(run, out=made.path)
    about = tmp_path / "about.yaml"
    for text, said in (
        ("purpos: x", r"about.yaml:1: there is no 'purpos'\. Did you mean 'purpose'"),
        ("users: [a]", "users is no sentence"),
        ("- a", "holds no keys"),
        ("a: [", "is not YAML"),
    ):
        about.write_text(text)
        with pytest.raises(JobError, match=said):
            ma.evidence(run, out=tmp_path / "e", about=about)
    about.write_text("purpose:\nusers: ' '\ncontact: me\n")
    assert read_about(about) == {"contact": "me"}
    with pytest.raises(BundleError, match="holds a public key"):
        ma.evidence(run, out=tmp_path / "e", sign=key.with_suffix(".pub"))
    bundle = tmp_path / "b.zip"
    bundle.write_bytes(b"")
    with pytest.raises(RunError, match="needs the run that it was exported from"):
        ma.evidence(bundle, out=tmp_path / "e")
    with pytest.raises(RunError, match="is no evidence folder"):
        ma.verify_evidence(run.path)
    assert not (tmp_path / "e").exists()
    for words in (["--verify", "d", "-o", "e"], ["r"], ["r", "-o", "e", "--trust", "k"]):
        assert CliRunner().invoke(app, ["evidence", *words]).exit_code == 2


def test_rules_of_deciding_are_told() -> None:
    decide = config.Decide(costs={"miss": 10.0, "false_alarm": 1.0, "ask": 0.5})
    (said,) = handed_over(config.Classify(target="x", decide=decide), None)
    assert "rows are handed to people" in said
    alone = config.Decide(costs={"miss": 10.0, "false_alarm": 1.0})
    (said,) = handed_over(config.Classify(target="x", decide=alone), None)
    assert "nobody is asked" in said
