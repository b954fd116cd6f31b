"""`federate` from tables to runs and a page; a plant's own run answers rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import modalloy as ma
from modalloy.cli import app
from modalloy.errors import BundleError, FederationError, JobError, RunError
from modalloy.federation.page import PAGE, in_words
from modalloy.runs.run import Run
from plants import JOB, job_of, rows_of

FRAMES = {"A": rows_of(240, 1, share=0.2), "B": rows_of(300, 2), "C": rows_of(300, 3)}
FRAMES["C"] = FRAMES["C"].drop(columns="heat")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("federated") / "run"
    return ma.federate(
        job_of(rounds=5, epochs=3.0, compare=True), sites=FRAMES, out=out, quiet=True
    )


def test_each_site_gets_a_run_and_a_comparison(made: Run) -> None:
    assert made.job.federate.compare
    told = made.notes["federated"]
    assert list(told["sites"]) == ["A", "B", "C"]
    for site, own in told["sites"].items():
        for way in ("alone", "federated", "central"):
            figures = own[way]["fault"]
            assert 0.5 < figures["accuracy"] <= 1.0
            assert figures["interval"]["accuracy"][0] < figures["interval"]["accuracy"][1]
        assert len(own["gain"]["fault"]["accuracy"]) == 3
        path = made.path / "sites" / site / "run"
        run = ma.load_run(path)
        assert run.notes["federated"]["site"] == site
        assert (path / "report.html").is_file()
        said = ma.predict(path, FRAMES["B"].drop(columns="fault"))
        assert (said["fault"].to_numpy() == FRAMES["B"]["fault"].to_numpy()).mean() > 0.8


def test_without_comparison_nobody_learns_alone(tmp_path: Path) -> None:
    frames = {"A": FRAMES["A"], "B": FRAMES["B"]}
    run = ma.federate(job_of(rounds=1), sites=frames, out=tmp_path / "run", quiet=True)
    own = run.notes["federated"]["sites"]["A"]
    assert "alone" not in own
    assert "central" not in own
    assert own["federated"]["fault"]["accuracy"] > 0.5


def test_the_common_run_answers_where_a_column_is_missing(made: Run) -> None:
    rows = FRAMES["C"].drop(columns="fault").assign(heat=None)
    said = ma.predict(made.path, rows)
    assert (said["fault"].to_numpy() == FRAMES["C"]["fault"].to_numpy()).mean() > 0.75


def test_the_page_shows_all_three_ways(made: Run) -> None:
    page = (made.path / PAGE).read_text()
    for text in ("Does it pay?", "Round after round", "What it cost", "gain over alone"):
        assert text in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert in_words(made).startswith("3 sites, 5 rounds, the best of which was ")


def test_it_is_the_same_each_time(made: Run, tmp_path: Path) -> None:
    again = ma.federate(
        job_of(rounds=5, epochs=3.0, compare=True), sites=FRAMES, out=tmp_path / "run", quiet=True
    )
    one, other = made.model().state_dict(), again.model().state_dict()
    assert all(np.array_equal(one[n].numpy(), other[n].numpy()) for n in one)


def test_an_interrupted_one_goes_on_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modalloy.federation.server import Federation

    out, run = tmp_path / "run", Federation.round

    def once(self: Federation) -> None:
        if self.done == 1:
            raise KeyboardInterrupt
        run(self)

    frames = {"A": FRAMES["A"], "B": FRAMES["B"]}
    monkeypatch.setattr(Federation, "round", once)
    with pytest.raises(KeyboardInterrupt):
        ma.federate(job_of(), sites=frames, out=out, quiet=True)
    monkeypatch.setattr(Federation, "round", run)
    with pytest.raises(RunError, match="go on with --resume"):
        ma.federate(job_of(), sites=frames, out=out, quiet=True)
    made = ma.federate(job_of(), sites=frames, out=out, resume=True, quiet=True)
    assert [r["round"] for r in made.notes["federated"]["rounds"]] == [1, 2, 3, 4]
    with pytest.raises(RunError, match="holds a finished run"):
        ma.federate(job_of(), sites=frames, out=out, resume=True, quiet=True)


def test_a_sites_run_becomes_a_bundle_and_learns_on(made: Run, tmp_path: Path) -> None:
    """Of a site that lacks a column, from its own rows."""
    run = made.path / "sites" / "C" / "run"
    bundle = ma.export(run, out=tmp_path / "c.zip", quiet=True)
    said = ma.predict(tmp_path / "c.zip", FRAMES["C"].drop(columns="fault"))
    torch_said = ma.predict(run, FRAMES["C"].drop(columns="fault"))
    assert said["fault"].tolist() == torch_said["fault"].tolist()
    assert bundle.path == tmp_path / "c.zip"


def test_each_site_makes_a_bundle_of_its_own_run(tmp_path: Path) -> None:
    """With the columns that it has, on its own machine; one that cannot says why."""
    frames = {"A": FRAMES["A"], "C": FRAMES["C"]}
    asked = job_of(rounds=2, epochs=1.0, bundle="export")
    run = ma.federate(asked, sites=frames, out=tmp_path / "run", quiet=True)
    for site, rows in frames.items():
        own = run.notes["federated"]["sites"][site]
        place = run.path / "sites" / site / own["bundle"]
        assert own["bundle_bytes"] == place.stat().st_size
        rows = rows.drop(columns="fault")
        torch_said = ma.predict(run.path / "sites" / site / "run", rows)
        assert ma.predict(place, rows)["fault"].tolist() == torch_said["fault"].tolist()


def test_a_bundle_that_cannot_be_made_leaves_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modalloy.federation import site_run

    def refuse(*_: object, **__: object) -> None:
        raise BundleError("nothing is as fast as the run itself")

    monkeypatch.setattr(site_run, "compress_run", refuse)
    frames = {"A": FRAMES["A"], "B": FRAMES["B"]}
    asked = job_of(rounds=1, bundle="compress")
    run = ma.federate(asked, sites=frames, out=tmp_path / "run", quiet=True)
    told = run.notes["federated"]
    assert told["sites"]["A"]["bundle"] is None
    assert "A: no bundle was written: nothing is as fast as the run itself" in told["said"]
    assert (run.path / "sites" / "A" / "run" / "report.html").is_file()


def test_what_is_asked_wrongly_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="give the sites' tables"):
        ma.federate(job_of(), out=tmp_path / "a")
    with pytest.raises(FederationError, match="needs two sites or more"):
        ma.federate(job_of(), sites={"A": FRAMES["A"]}, out=tmp_path / "b")
    for wrong, said in (
        ({"controls": True}, "federate.controls: corrects plain gradients"),
        ({"rule": "krum", "keep": 0.5}, "federate.rule: compares whole changes"),
        ({"secure": True, "bits": 8}, "federate.bits: cannot be had where secure"),
        ({"personal": ["headz"]}, "'headz' is none of heads"),
        ({"columns": {"A": {"line": {"times": 2.0}}}}, "only numbers are converted"),
    ):
        with pytest.raises(JobError, match=said):
            ma.load_job({**JOB, "federate": wrong})


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FRAMES["A"].to_csv("a.csv", index=False)
    FRAMES["B"].to_csv("b.csv", index=False)
    from modalloy.job.job_file import save_job

    save_job(job_of(rounds=2), tmp_path / "job.yaml")
    run = CliRunner().invoke
    told = run(app, ["federate", "job.yaml", "--site", "A=a.csv", "--site", "B=b.csv", "-o", "run"])
    assert told.exit_code == 0, told.output
    assert "2 sites, 2 rounds" in told.output
    assert "its page run/federate.html" in told.output
    shown = run(app, ["site", "job.yaml", "--table", "a.csv", "--name", "A", "--propose"])
    assert shown.exit_code == 0, shown.output
    assert '"names": [' in shown.output
    for row in pd.read_csv("a.csv")["load"].head(20):
        assert str(row) not in shown.output
    for given, said in (
        (["federate", "job.yaml", "--site", "A", "-o", "x"], "write NAME=TABLE"),
        (
            ["federate", "job.yaml", "--site", "A=a.csv", "--site", "A=b.csv", "-o", "x"],
            "two sites",
        ),
        (["site", "job.yaml", "--table", "a.csv", "--name", "A"], "give --join HOST:PORT"),
        (
            ["site", "job.yaml", "--table", "a.csv", "--name", "A", "--join", "x:1"],
            "--ca is needed",
        ),
        (["federate", "job.yaml", "--superlink", "x:1", "-o", "x"], "--certificates a folder"),
    ):
        refused = run(app, given)
        assert refused.exit_code == 2
        assert said in refused.stderr
