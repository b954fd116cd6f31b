"""Rounds of private learning: what is promised stands in the facts, and nothing else is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modalloy as ma
from asked_directly import Direct
from modalloy.errors import FederationError, JobError
from modalloy.federation.page import PAGE
from modalloy.federation.private_round import secret_of
from modalloy.federation.server import Federation
from modalloy.federation.wire import Message, pack, unpack
from plants import JOB, job_of, plants_of, rows_of

FRAMES = {s: rows_of(600, i) for i, s in enumerate("AB")}
FRAMES = {s: f.assign(machine=[f"m{i % 90}" for i in range(len(f))]) for s, f in FRAMES.items()}
USUAL: dict[str, Any] = {"epsilon": 8.0}


def begun(folder: Path, rounds: int = 2, **private: Any) -> Federation:
    job = job_of(rounds=rounds, private={**USUAL, **private})
    made = Federation(job, Direct(plants_of(folder, FRAMES, job)), folder / "server")
    made.begin()
    return made


def test_each_option_changes_what_is_promised_or_learned(tmp_path: Path) -> None:
    usual = begun(tmp_path / "usual").privacy["A"]
    assert usual["epsilon"] == pytest.approx(8.0, rel=0.02)
    assert usual["unit"] == "row"
    for number, other in enumerate(
        (
            {"epsilon": 16.0},
            {"delta": 1e-4},
            {"share": 0.5},
            {"unit": "machine"},
            {"accountant": "prv"},
        )
    ):
        found = begun(tmp_path / str(number), **other).privacy["A"]
        if "unit" in other:
            assert found["units"] <= 90 < usual["units"]
        else:
            assert found["multiplier"] != usual["multiplier"], other
    # Of the same noise, longer gradients and larger rates go farther.
    steps = {}
    for name, other in (("usual", {}), ("clip", {"clip": 0.01}), ("lr", {"lr": 0.01})):
        made = begun(tmp_path / f"steps-{name}", **other)
        before = {n: x.copy() for n, x in made.weights.items()}
        made.round()
        moved = [np.square(made.weights[n] - before[n]).sum() for n in before]
        steps[name] = float(np.sqrt(np.sum(moved)))
    assert steps["clip"] < 0.5 * steps["usual"]
    assert steps["lr"] < 0.5 * steps["usual"]


def test_it_learns_and_tells_no_loss_and_no_score(tmp_path: Path) -> None:
    job = job_of(rounds=4, private={**USUAL, "epsilon": 20.0})
    sites, seen = Direct(plants_of(tmp_path, FRAMES, job)), []

    def look(site: str, data: bytes) -> bytes:
        found = unpack(data, made.mark)
        if found.kind in ("learned", "scored"):
            seen.append(dict(found.facts))
        return data

    sites.change = look
    made = Federation(job, sites, tmp_path / "server")
    made.begin()
    made.run()
    assert made.best_round == 4
    assert "learning is private and no score is told: the last round's model is kept" in made.said
    for facts in seen:
        assert facts.get("loss") is None
        assert facts["score"] is None
    found = made.finish()
    assert found["A"]["federated"]["fault"]["accuracy"] > 0.75
    assert 0.4 < found["A"]["membership"]["auc"] < 0.62


def test_what_was_left_out_is_forgotten(tmp_path: Path) -> None:
    job = job_of(rounds=2, keep=0.1, private=USUAL)
    plants = plants_of(tmp_path, FRAMES, job)
    made = Federation(job, Direct(plants), tmp_path / "server")
    made.begin()
    made.run()
    assert not plants["A"].memory.latest().waiting


def test_a_promise_that_cannot_be_kept_ends_it_before_it_begins(tmp_path: Path) -> None:
    frames = {s: rows_of(60, i) for i, s in enumerate("AB")}
    job = job_of(rounds=20, private={"epsilon": 0.1})
    made = Federation(job, Direct(plants_of(tmp_path, frames, job)), tmp_path / "server")
    with pytest.raises(FederationError, match=r"cannot be met with .* units would do"):
        made.begin()
    job = job_of(private={"unit": "plant"})
    made = Federation(job, Direct(plants_of(tmp_path / "b", frames, job)), tmp_path / "c")
    with pytest.raises(FederationError, match="has no column 'plant'"):
        made.begin()
    train = {**JOB["train"], "optimizer": "sgd"}
    both = {**JOB, "train": train, "federate": {"private": USUAL, "controls": True}}
    with pytest.raises(JobError, match=r"federate.controls: says of rows what no noise covers"):
        ma.load_job(both)


def test_a_round_is_told_once_from_one_model_and_none_beyond_the_plan(tmp_path: Path) -> None:
    """Each further step would be covered by no epsilon, whoever asks for it."""
    made = begun(tmp_path)
    plant = made.sites.sites["A"]  # pyrefly: ignore[missing-attribute]
    arrays = {f"w/{n}": x for n, x in made.weights.items()}

    def ask(number: int, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        data = plant.answer(pack(Message("learn", {"round": number}, weights), made.mark))
        return unpack(data, made.mark).arrays

    one, again = ask(1, arrays), ask(1, arrays)
    assert all(np.array_equal(one[n], again[n]) for n in one)
    moved = {n: x + np.float32(0.01) for n, x in arrays.items()}
    for number, weights in ((1, moved), (3, arrays), (0, arrays)):
        with pytest.raises(FederationError, match="covered by no epsilon"):
            ask(number, weights)
    assert ask(2, moved)


def test_noise_never_lies_on_two_different_steps() -> None:
    weights = {"a": np.ones(3)}
    one = secret_of(b"k", 1, weights)
    assert one == secret_of(b"k", 1, {"a": np.ones(3)})
    others = [secret_of(b"l", 1, weights), secret_of(b"k", 2, weights)]
    others.append(secret_of(b"k", 1, {"a": np.array([1.0, 1.0, 1.1])}))
    assert len({one, *others}) == 4


def test_the_promise_stands_in_the_run_and_on_the_page(tmp_path: Path) -> None:
    job = job_of(rounds=2, private=USUAL, compare=True)
    run = ma.federate(job, sites=FRAMES, out=tmp_path / "run", quiet=True)
    page = (run.path / PAGE).read_text()
    assert "What the model remembers" in page
    assert "for each row" in page
    said = json.dumps(run.notes["findings"])
    assert "A: differentially private for each row: epsilon " in said
    own = ma.load_run(run.path / "sites" / "A" / "run")
    assert "differentially private for each row" in json.dumps(own.notes["findings"])
    card = (own.path / "card.md").read_text()
    assert "differential privacy of each row: epsilon " in card
    assert "1 other sites, whose rows were never here" in card
