"""Split training end to end: what it reaches, what travels, what its runs answer, how it fails."""

import json
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from asked_directly import Direct
from matched_sites import JOB, KEY, OWN, job_of, parts_of, tables_of
from modalloy.answer.predictor import Predictor
from modalloy.errors import FederationError, JobError, RunError
from modalloy.federation.matched.match_run import match_here
from modalloy.federation.matched.page import in_words
from modalloy.federation.matched.site import MatchedSite
from modalloy.federation.matched.split_server import SplitServer
from modalloy.federation.matched.summaries import summaries_of
from modalloy.federation.page import PAGE
from modalloy.federation.wire import Message, fingerprint, unpack
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.model.layers.scale import Standardise
from modalloy.runs.run import Run, load_run
from modalloy.table.open_table import open_table


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODALLOY_SITE_KEY", KEY)


class Trained(NamedTuple):
    run: Run
    frame: pd.DataFrame
    asked: list[Message]
    answered: dict[str, list[Message]]
    raw: bytes  # all that travelled, inflated


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """One training with all comparisons, and all that travelled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODALLOY_SITE_KEY", KEY)
        job = load_job(
            {
                **JOB,
                "train": {**JOB["train"], "epochs": 12},
                "federate": {**JOB["federate"], "compare": True},
            }
        )
        frame, mark = parts_of(400, 1), fingerprint(job)
        tables = {n: open_table(t) for n, t in tables_of(frame).items()}
        out, ways = tmp_path_factory.mktemp("matched") / "run", []
        answered: dict[str, list[Message]] = {n: [] for n in OWN}

        def reach(sites: Any) -> Direct:
            ways.append(Direct(sites))

            def note(site: str, data: bytes) -> bytes:
                answered[site].append(unpack(data, mark))
                return data

            ways[0].change = note
            return ways[0]

        run = match_here(job, tables, out, reach=reach, quiet=True)
        seen = [d for d in ways[0].seen if d]
        bodies = [zlib.decompress(d[6:]) if d[5] else d[6:] for d in seen]
        yield Trained(run, frame, [unpack(d, mark) for d in seen], answered, b"".join(bodies))


def accuracy(figures: dict[str, Any]) -> float:
    return figures["fault"]["accuracy"]


def test_it_learns_about_what_the_joined_table_teaches(trained: Trained) -> None:
    figures = trained.run.notes["matched"]["figures"]
    split, joined = accuracy(figures["split"]), accuracy(figures["joined"])
    alone = {site: accuracy(own) for site, own in figures["alone"].items()}
    assert split >= joined - 0.06, figures
    assert split >= max(alone.values()) + 0.05
    low, high = figures["gain"]["fault"]["accuracy"][2]
    assert 0.0 < low < high
    assert figures["split"]["fault"]["interval"]["accuracy"]


def test_without_the_other_site_it_answers_as_well_as_alone(trained: Trained) -> None:
    figures = trained.run.notes["matched"]["figures"]
    assert accuracy(figures["without"]) >= accuracy(figures["alone"]["customer"]) - 0.06


def test_the_run_answers_new_rows_with_summaries_and_without(trained: Trained) -> None:
    run, fresh = load_run(trained.run.path), parts_of(300, 9)
    own = fresh[["part", "heat"]]
    alone = Predictor(run).frame(own)["fault"]
    supplier = load_run(run.path / "sites" / "supplier" / "run", pretrained=True)
    made = summaries_of(supplier, fresh[OWN["supplier"]])
    assert sorted(made) == ["supplier.table", "supplier.wave"]
    both = Predictor(run).frame(own.assign(**made))["fault"]
    right = {n: (a.to_numpy() == fresh["fault"].to_numpy()).mean() for n, a in
             (("alone", alone), ("both", both))}  # fmt: skip
    assert right["both"] >= right["alone"] + 0.05
    assert right["alone"] > 0.6


def test_summaries_come_from_sites_without_the_answers_alone(trained: Trained) -> None:
    with pytest.raises(RunError, match="is no run of a site without the answers"):
        summaries_of(trained.run, trained.frame)


def test_no_answer_no_cell_and_no_id_travels(trained: Trained) -> None:
    for text in ("rejected", "passed", *trained.frame["part"][:9]):
        assert text.encode() not in trained.raw, text
    for site, column in (("supplier", "load"), ("customer", "heat")):
        cells = tables_of(trained.frame)[site][column].to_numpy()[:20]
        for pair in pairwise(cells):  # one float32 may well occur by chance
            assert np.array(pair, np.float32).tobytes() not in trained.raw
            assert np.float64(pair[0]).tobytes() not in trained.raw
            assert str(pair[0]).encode() not in trained.raw
    for cells in trained.frame["wave"][:9]:
        assert np.asarray(cells, np.float32)[:4].tobytes() not in trained.raw


def test_the_site_with_the_answers_sends_gradients_and_the_split_alone(trained: Trained) -> None:
    names = {n.partition("/")[0] for m in trained.answered["customer"] for n in m.arrays}
    parts = {"train", "validation", "test", "calibration"}
    assert names == {"ids", "key", "gradient"} | parts
    facts = {n for m in trained.answered["customer"] for n in m.facts}
    assert facts == {
        "inputs", "encoded", "labels", "batch", "per_epoch", "epochs", "look_every", "loss",
        "score", "keep", "over", "run",
    }  # fmt: skip


def test_the_other_site_sends_hashes_and_summaries_alone(trained: Trained) -> None:
    messages = trained.answered["supplier"]
    names = {n.partition("/")[0] for m in messages for n in m.arrays}
    assert names == {"ids", "key", "z", "present"}
    width = JOB["fuse"]["width"]
    assert {x.shape[1] for m in messages for n, x in m.arrays.items() if n[:2] == "z/"} == {width}
    assert {n for m in messages for n in m.facts} == {"inputs", "encoded", "labels", "run"}


def test_the_page_shows_every_network_and_what_it_cost(trained: Trained) -> None:
    page = (trained.run.path / PAGE).read_text()
    said = in_words(trained.run)
    passes = trained.run.notes["matched"]["epochs"]
    assert said.startswith(f"400 parts at 2 sites, {passes} passes; customer has the answers")
    for way in ("split", "split, without others", "customer alone", "supplier alone", "joined"):
        assert f"fault, {way}, Accuracy" in said
        assert f"{way}, Accuracy" in page
    assert "split over joined" in page
    assert "sent by supplier, and to it" in page


def test_bytes_are_those_that_travelled(trained: Trained) -> None:
    told = trained.run.notes["matched"]
    assert told["bytes"]["up"] == sum(own["up"] for own in told["bytes_of"].values())
    steps, summaries = 6 * told["epochs"], 2 * JOB["fuse"]["width"] * 32 * 4
    assert told["bytes_of"]["supplier"]["up"] > 0.7 * steps * summaries
    assert json.loads((trained.run.path / "run.json").read_text())


# --- without a run: servers and sites alone ------------------------------------------------------


def server_of(
    job: config.Job, tables: dict[str, pd.DataFrame], folder: Path
) -> tuple[SplitServer, Direct]:
    """A server and its sites, not yet matched."""
    sites = Direct(
        {n: MatchedSite(n, job, open_table(t), folder / n, noise_seed=0) for n, t in tables.items()}
    )
    return SplitServer(job, sites), sites


def weights_after(job: config.Job, frame: pd.DataFrame, folder: Path) -> tuple[int, np.ndarray]:
    """Passes, and a weight of the supplier's that was learned over the border."""
    server, sites = server_of(job, tables_of(frame), folder)
    server.begin()
    server.run()
    server.settle()
    found = sites.sites["supplier"].below().body.state_dict()
    name = next(n for n in found if n.endswith("outward.weight"))
    return server.epochs, found[name].numpy()


def test_every_option_changes_what_is_learned(tmp_path: Path) -> None:
    frame = parts_of(120, 2)
    frame["other"] = frame["part"].sample(frac=1.0, random_state=4).to_numpy()
    plain = {"epochs": 1, "clip": 2.0}
    base = weights_after(job_of(**plain), frame, tmp_path)
    again = weights_after(job_of(**plain), frame, tmp_path)
    assert np.array_equal(base[1], again[1])
    for more in ({"clip": 1.0}, {"noise": 0.3}, {"epochs": 2}):
        found = weights_after(job_of(**{**plain, **more}), frame, tmp_path)
        assert not np.array_equal(base[1], found[1]), more
    assert weights_after(job_of(epochs=3), frame, tmp_path)[0] == 3


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_with_noise_a_summary_is_of_its_own_row_alone(noise: float, tmp_path: Path) -> None:
    """Else another row would move it by the batch's figures, for which the noise is not enough."""
    job, frame = job_of(clip=2.0, noise=noise), parts_of(120, 2)
    server, sites = server_of(job, tables_of(frame), tmp_path)
    server.begin()
    side = sites.sites["supplier"].below()
    layers = [m for m in side.body.modules() if isinstance(m, Standardise)]
    assert layers
    before = [float(m.seen) for m in layers]
    side.forward(Message("forward", {"epoch": 0, "at": 0}))
    after = [float(m.seen) for m in layers]
    assert (before == after) is bool(noise)
    assert any(m.training for m in side.body.modules()) is not bool(noise)
    assert min(after) > 0


def test_a_site_whose_run_is_there_is_refused_before_it_learns(tmp_path: Path) -> None:
    place = tmp_path / "run" / "sites" / "supplier" / "run"
    place.mkdir(parents=True)
    (place / "run.json").write_text("{}")
    tables = {n: open_table(t) for n, t in tables_of(parts_of(60, 2)).items()}
    with pytest.raises(RunError, match="supplier/run: holds a finished run"):
        match_here(job_of(), tables, tmp_path / "run", quiet=True)


def test_rows_are_matched_by_the_column_that_is_named(tmp_path: Path) -> None:
    frame = parts_of(120, 2)
    tables = {n: t.rename(columns={"part": "serial"}) for n, t in tables_of(frame).items()}
    server, _ = server_of(job_of(by="serial"), tables, tmp_path)
    server.begin()
    assert server.rows == 120
    with pytest.raises(FederationError, match="supplier has no column 'part'"):
        server_of(job_of(), tables, tmp_path)


def test_too_few_common_parts_end_it_before_it_begins(tmp_path: Path) -> None:
    tables = tables_of(parts_of(60, 2))
    tables["customer"] = tables["customer"][:30]
    server, _ = server_of(job_of(fewest=40), tables, tmp_path)
    with pytest.raises(FederationError, match="30 parts of column 'part' in common"):
        server.begin()


def test_three_sites_one_of_which_has_answers_alone(tmp_path: Path) -> None:
    frame = parts_of(120, 2)
    own = {
        "a": ["part", "load", "line"], "b": ["part", "heat", "wave"], "c": ["part", "fault"],
    }  # fmt: skip
    server, sites = server_of(job_of(epochs=1), {n: frame[c] for n, c in own.items()}, tmp_path)
    server.begin()
    server.run()
    server.settle()
    assert server.label == "c"
    assert server.inputs == {"a": ["a.table"], "b": ["b.table", "b.wave"]}
    assert sites.sites["c"].above().model.inputs == ["a.table", "b.table", "b.wave"]
    assert 0.0 <= accuracy(sites.sites["c"].figures["split"]) <= 1.0


def test_a_site_that_is_lost_ends_it_with_a_sentence(tmp_path: Path) -> None:
    server, sites = server_of(job_of(), tables_of(parts_of(120, 2)), tmp_path)
    server.begin()
    server.step(0, 0)
    sites.lost.add("supplier")
    with pytest.raises(FederationError, match=r"supplier did not answer: it is gone\. Split train"):
        server.run()


def test_a_site_that_was_started_anew_says_so(tmp_path: Path) -> None:
    job, tables = job_of(), tables_of(parts_of(120, 2))
    server, sites = server_of(job, tables, tmp_path)
    server.begin()
    server.step(0, 0)
    sites.sites["supplier"] = MatchedSite("supplier", job, open_table(tables["supplier"]), tmp_path)
    with pytest.raises(FederationError, match="supplier was asked to learn before sites were mat"):
        server.step(0, 1)


def test_a_message_that_was_missed_is_noticed(tmp_path: Path) -> None:
    server, _ = server_of(job_of(), tables_of(parts_of(120, 2)), tmp_path)
    server.begin()
    server.step(0, 0)
    with pytest.raises(FederationError, match="is at batch 1 of pass 1 and was asked for batch 2"):
        server.step(0, 2)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"a": ["part", "load", "line", "wave"], "b": ["part", "heat"]}, "no site has the answers"),
        (
            {"a": ["part", "load", "line", "wave", "fault"], "b": ["part", "heat", "fault"]},
            "a and b all have the answers",
        ),
        ({"a": ["part", "load", "fault"], "b": ["part", "heat"]}, "column 'line': no site has it"),
    ],
)
def test_sites_that_do_not_add_up_are_refused(
    tables: dict[str, list[str]], said: str, tmp_path: Path
) -> None:
    frame = parts_of(60, 2)
    server, _ = server_of(job_of(), {n: frame[c] for n, c in tables.items()}, tmp_path)
    with pytest.raises(FederationError, match=said):
        server.begin()


def test_a_site_that_brings_nothing_is_refused(tmp_path: Path) -> None:
    frame = parts_of(60, 2)[["part"]]
    with pytest.raises(FederationError, match="idle has no column of the job"):
        MatchedSite("idle", job_of(), open_table(frame), tmp_path)


def test_what_split_training_does_not_do_is_refused(tmp_path: Path) -> None:
    table = open_table(parts_of(60, 2))
    job = load_job(JOB)
    for train, said in (({"minutes": 1.0}, "train.minutes"), ({"weighting": "pcgrad"}, "pcgrad")):
        changed = job.model_copy(update={"train": job.train.model_copy(update=train)})
        with pytest.raises(JobError, match=said):
            MatchedSite("a", changed, table, tmp_path)


def test_numbers_that_are_none_are_refused_with_whose_they_are(tmp_path: Path) -> None:
    server, sites = server_of(job_of(), tables_of(parts_of(120, 2)), tmp_path)
    server.begin()
    body = sites.sites["supplier"].below().body
    body.encoder("wave").absent_D.data[:] = float("nan")
    for weight in body.encoder("wave").parameters():
        weight.data[:] = float("nan")
    with pytest.raises(FederationError, match=r"what supplier sent cannot be used: 'z/"):
        server.step(0, 0)
