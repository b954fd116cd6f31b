"""Sites that fail, come late or come again: what a server and a site then do, and what they say."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asked_directly import Direct
from modalloy.errors import FederationError
from modalloy.federation.plant import Plant
from modalloy.federation.server import Federation
from modalloy.federation.wire import Message, pack, unpack
from modalloy.job import config
from modalloy.job.job_file import load_job
from plants import JOB, job_of, plants_of, rows_of

FRAMES = {"A": rows_of(60, 1), "B": rows_of(80, 2)}


def begun(folder: Path, job: config.Job, frames: Mapping[str, pd.DataFrame] = FRAMES) -> Federation:
    made = Federation(job, Direct(plants_of(folder, frames, job)), folder / "server")
    made.begin()
    return made


def direct(made: Federation) -> Direct:
    assert isinstance(made.sites, Direct)
    return made.sites


def test_a_federation_in_which_nobody_can_learn_ends_with_the_reason(tmp_path: Path) -> None:
    """Else its model would be as it began, and look like any other."""
    made = begun(tmp_path, job_of())

    def fail(self: Plant, asked: Message) -> Message:
        raise ValueError("no room for it")

    for plant in direct(made).sites.values():
        plant.learn = fail.__get__(plant)
    with pytest.raises(
        FederationError, match=r"round 1: no site could learn \(A: no room for it; "
    ):
        made.run()
    assert made.done == 0


def test_a_model_that_no_round_changed_is_none(tmp_path: Path) -> None:
    job = job_of(rounds=2, deadline_s=1.0)
    made = begun(tmp_path, job)
    direct(made).change = lambda site, data: data if made.done == job.federate.rounds else b"dust"
    with pytest.raises(FederationError, match="no round has changed the model, so that there is"):
        made.run()


class Slow(Direct):
    """B's answer to the last round comes in the place of what it is asked next, as a grid has it:
    who owes an answer is not asked anew."""

    def __init__(self, sites: Mapping[str, Any], last: int) -> None:
        super().__init__(sites)
        self.last, self.asks, self.held = last, 0, b""

    def ask(self, asked: Mapping[str, bytes], *, deadline_s: float | None) -> dict[str, bytes]:
        self.asks += deadline_s is not None
        if self.held:
            rest = {s: data for s, data in asked.items() if s != "B"}
            held, self.held = self.held, b""
            return {**super().ask(rest, deadline_s=deadline_s), "B": held}
        found = super().ask(asked, deadline_s=deadline_s)
        if deadline_s is not None and self.asks == self.last:
            self.held = found.pop("B")
        return found


def test_a_late_answer_is_not_taken_for_another(tmp_path: Path) -> None:
    """Its score is of an older model; and the site still gets its run."""
    job = job_of(rounds=2, deadline_s=1.0)
    sites = Slow(plants_of(tmp_path, FRAMES, job), last=2)
    made = Federation(job, sites, tmp_path / "server")
    made.begin()
    made.run()
    kinds = [unpack(d, made.mark).kind for d in sites.seen if d]
    assert kinds.count("scored") == 2
    scores = [unpack(d, made.mark) for d in sites.seen if d]
    scored = [(m.facts["score"], m.facts["judged"]) for m in scores if m.kind == "scored"]
    right = np.average([s for s, _ in scored], weights=[n for _, n in scored])
    assert made.history[-1]["score"] == pytest.approx(float(right))
    found = made.finish()
    assert {s: own["run"] for s, own in found.items()} == {"A": "run", "B": "run"}


def test_rows_count_as_agreed_on(tmp_path: Path) -> None:
    """A site that later says that it has a million rows is not heard."""
    weights = []
    for claimed in (None, 10**6):
        made = begun(tmp_path / str(claimed), job_of(rounds=1))

        def claim(site: str, data: bytes, made=made, claimed=claimed) -> bytes:
            said = unpack(data, made.mark)
            if claimed is None or site != "B" or said.kind != "learned":
                return data
            return pack(Message(said.kind, {**said.facts, "rows": claimed}, said.arrays), made.mark)

        direct(made).change = claim
        made.run()
        weights.append(np.concatenate([x.ravel() for x in made.weights.values()]))
    np.testing.assert_array_equal(*weights)


def test_a_server_killed_in_the_end_asks_again_for_what_is_there(tmp_path: Path) -> None:
    job = job_of(rounds=1)
    made = begun(tmp_path, job)
    made.run()
    found = made.finish()
    place = tmp_path / "A" / "run"
    first = (place / "run.json").stat().st_mtime_ns
    (tmp_path / "B" / "run" / "report.html").unlink()
    fresh = Federation(job, Direct(plants_of(tmp_path, FRAMES, job)), tmp_path / "server")
    assert fresh.resume()
    fresh.run()
    again = fresh.finish()
    assert again["A"]["run"] == "run"
    assert again["A"]["federated"] == found["A"]["federated"]
    assert (place / "run.json").stat().st_mtime_ns == first
    assert (tmp_path / "B" / "run" / "report.html").is_file()


def test_a_table_that_changed_meanwhile_is_not_learned_from(tmp_path: Path) -> None:
    """Rows that were learned from might be test rows of the new one."""
    job = job_of(rounds=2)
    made = begun(tmp_path, job)
    made.round()
    other = plants_of(tmp_path, {"A": FRAMES["A"].iloc[::-1].reset_index(drop=True)}, job)["A"]
    direct(made).sites["A"] = other
    made.run()
    assert made.history[1]["sites"] == ["B"]
    assert any("no longer holds the rows that this site began with" in text for text in made.said)


def test_a_site_that_alone_can_learn_nothing_says_no_cell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = {"A": rows_of(60, 1, share=0.0), "B": FRAMES["B"]}
    made = begun(tmp_path, job_of(rounds=1, compare=True), frames)
    made.run()
    with caplog.at_level(logging.WARNING, logger="modalloy.federation"):
        found = made.finish()
    assert found["A"]["alone_failed"] == "TableError"
    assert "'good'" not in json.dumps(found["A"]["alone_failed"])
    assert "holds only 'good'" in caplog.text
    assert any(text.startswith("A: nothing could be learned from its rows") for text in made.said)


def test_balanced_classes_end_well(tmp_path: Path) -> None:
    """The attack that every page shows takes no weights of classes."""
    tasks = {"fault": {**JOB["tasks"]["fault"], "class_weights": "balanced"}}
    job = load_job({**JOB, "tasks": tasks, "federate": {**JOB["federate"], "rounds": 1}})
    made = begun(tmp_path, job)
    made.run()
    found = made.finish()
    assert sorted(found) == ["A", "B"]
    assert 0.0 <= found["A"]["membership"]["auc"] <= 1.0


def test_what_stays_at_sites_is_said_of_the_common_run(tmp_path: Path) -> None:
    assert not any("personal" in text for text in begun(tmp_path / "a", job_of()).said)
    made = begun(tmp_path / "b", job_of(personal=["heads"]))
    assert any(t.startswith("heads stay at the sites (personal), so that") for t in made.said)
