"""Plants learn together, killed and resumed; each option changes a number."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asked_directly import Direct
from modalloy.errors import FederationError
from modalloy.federation.choice import chosen_blocks
from modalloy.federation.plant import Plant
from modalloy.federation.server import Federation
from modalloy.federation.travelling import (
    blocks,
    fitted_figures,
    personal_names,
    travelling,
    weights_of,
)
from modalloy.federation.wire import Message, unpack
from plants import job_of, plants_of, rows_of

FRAMES = {
    "A": rows_of(120, 1, share=0.2),
    "B": rows_of(160, 2, share=0.7),
    "C": rows_of(90, 3).drop(columns="heat"),
}


def run(folder: Path, frames: Any = None, **federate: Any) -> Federation:
    """A federation through all its rounds."""
    job = job_of(**federate)
    sites = Direct(plants_of(folder, frames or FRAMES, job))
    made = Federation(job, sites, folder / "server")
    made.begin()
    made.run()
    return made


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return run(tmp_path_factory.mktemp("usual"))


def flat(made: Federation) -> np.ndarray:
    return np.concatenate([x.ravel() for _, x in sorted(made.weights.items())])


def test_it_learns_and_is_the_same_to_the_bit(usual: Federation, tmp_path: Path) -> None:
    again = run(tmp_path)
    assert usual.best_score > 0.8
    assert len(usual.history) == 4
    np.testing.assert_array_equal(flat(usual), flat(again))
    assert (usual.up, usual.down) == (again.up, again.down)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("rounds", 2),
        ("epochs", 2.0),
        ("epochs", "auto"),
        ("rule", "trimmed_mean"),
        ("rule", "median"),
        ("server", "adam"),
        ("server", "yogi"),
        ("server_lr", 0.5),
        ("proximal", 1.0),
        ("sites", 0.5),
        ("keep", 0.1),
        ("bits", 8),
        ("bits", 4),
        ("bits", 16),
        ("personal", ["heads"]),
        ("personal", ["norms"]),
    ],
)
def test_each_option_changes_the_model(
    option: str, value: Any, usual: Federation, tmp_path: Path
) -> None:
    made = run(tmp_path, **{option: value})
    if option == "personal":
        assert set(made.weights) < set(usual.weights)
        gone = set(usual.weights) - set(made.weights)
        assert gone == personal_names(made.model, value) & set(usual.weights)
        return
    assert not np.allclose(flat(usual), flat(made), rtol=0, atol=1e-6)
    assert made.best_score > 0.6


def test_trim_says_how_many_sites_are_left_out(tmp_path: Path) -> None:
    frames = {s: rows_of(60, i) for i, s in enumerate("ABCDE")}
    few = run(tmp_path / "few", frames, rule="trimmed_mean", trim=0.2, rounds=1)
    many = run(tmp_path / "many", frames, rule="trimmed_mean", trim=0.45, rounds=1)
    assert not np.allclose(flat(few), flat(many), rtol=0, atol=1e-6)


def test_few_numbers_in_few_bits_take_few_bytes(usual: Federation, tmp_path: Path) -> None:
    made = run(tmp_path, keep=0.02, bits=8)
    assert any("with keep, train.optimizer: sgd loses less" in text for text in made.said)
    assert not any("with keep" in text for text in usual.said)
    assert sum(r["up"] for r in made.history) * 10 < sum(r["up"] for r in usual.history)


def test_personal_heads_stay_at_each_site(tmp_path: Path) -> None:
    job = job_of(personal=["heads"])
    plants = plants_of(tmp_path, FRAMES, job)
    made = Federation(job, Direct(plants), tmp_path / "server")
    made.begin()
    made.run()
    heads = {}
    for site, plant in plants.items():
        model, _, _ = plant.ready()
        own = [n for n in travelling(model) if n not in made.weights]
        heads[site] = np.concatenate([x.ravel() for x in weights_of(model, own).values()])
    assert heads["A"].size
    assert not np.allclose(heads["A"], heads["B"])


def test_controls_hold_sites_together_that_see_different_rows(tmp_path: Path) -> None:
    """A drifts to `good`, B to `bad`; after controls, what both send is less apart."""

    def apart(controls: bool) -> float:
        frames = {"A": rows_of(120, 1, share=0.05), "B": rows_of(120, 2, share=0.95)}
        job = job_of(sgd=True, controls=controls, rounds=6, epochs=3)
        sites = Direct(plants_of(tmp_path / str(controls), frames, job))
        seen: dict[str, np.ndarray] = {}

        def look(site: str, data: bytes) -> bytes:
            found = unpack(data, made.mark)
            if found.kind == "learned":
                parts = [x.ravel() for n, x in sorted(found.arrays.items()) if n[0] == "d"]
                seen[site] = np.concatenate(parts)
            return data

        sites.change = look
        made = Federation(job, sites, tmp_path / f"server-{controls}")
        made.begin()
        made.run()
        a, b = seen["A"], seen["B"]
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    assert apart(True) > apart(False)


@pytest.mark.parametrize("deadline", [None, 5.0])
def test_what_comes_late_counts_less(deadline: float | None, tmp_path: Path) -> None:
    """B's answers come a round later; with a deadline they are still used, weighed by their age."""

    class Late(Direct):
        def __init__(self, plants) -> None:
            super().__init__(plants)
            self.held: dict[str, bytes] = {}
            self.waited: list[float | None] = []

        def ask(self, asked, *, deadline_s):
            found = super().ask(asked, deadline_s=deadline_s)
            self.waited.append(deadline_s)
            if deadline_s is None:
                return found
            late, self.held = dict(self.held), {}
            if "B" in found:
                self.held["B"] = found.pop("B")
            return {**found, **late}

    def weights(staleness: float) -> np.ndarray:
        place = tmp_path / str(staleness)
        job = job_of(deadline_s=deadline, staleness=staleness)
        sites = Late(plants_of(place, FRAMES, job))
        made = Federation(job, sites, place / "server")
        made.begin()
        made.run()
        assert deadline in sites.waited
        return flat(made)

    same = np.allclose(weights(0.0), weights(2.0), rtol=0, atol=1e-6)
    assert same is (deadline is None)


def test_an_encoder_waits_while_others_are_worth_more(tmp_path: Path) -> None:
    from plants import pictures_of

    frames = {s: pictures_of(tmp_path / s, 48, i) for i, s in enumerate("AB")}
    job = job_of(pictures=True, upload=0.5, rounds=3)
    sites = Direct(plants_of(tmp_path, frames, job))
    sent: list[set[str]] = []

    def look(site: str, data: bytes) -> bytes:
        found = unpack(data, made.mark)
        if found.kind == "learned":
            fronts = {n.split(".")[1] for n in found.facts["names"] if n.startswith("encoders.")}
            sent.append(fronts)
        return data

    sites.change = look
    made = Federation(job, sites, tmp_path / "server")
    made.begin()
    made.run()
    assert all(len(some) < 3 for some in sent)
    waited = sites.sites["A"].memory.latest().waited
    longest = max(waited, key=lambda i: waited[i])
    assert waited[longest] >= 1
    model, loader, parts = sites.sites["A"].ready()
    given = (model, loader, parts.validation, blocks(model, travelling(model)), 0.5)
    before, _ = chosen_blocks(*given, {})
    after, _ = chosen_blocks(*given, {longest: 1000})
    assert longest in after
    assert longest not in before


def test_killed_it_goes_on_to_the_bit(usual: Federation, tmp_path: Path) -> None:
    job = job_of()
    made = Federation(job, Direct(plants_of(tmp_path, FRAMES, job)), tmp_path / "server")
    made.begin()
    made.round()
    made.round()
    fresh = Federation(job, Direct(plants_of(tmp_path, FRAMES, job)), tmp_path / "server")
    assert fresh.resume()
    assert fresh.done == 2
    fresh.run()
    np.testing.assert_array_equal(flat(usual), flat(fresh))
    assert fresh.best_round == usual.best_round


@pytest.mark.parametrize("options", [{"keep": 0.1}, {"personal": ["heads"]}, {}])
def test_a_site_asked_again_answers_the_same(options: dict[str, Any], tmp_path: Path) -> None:
    job = job_of(**options)
    plants = plants_of(tmp_path, FRAMES, job)
    sites = Direct(plants)
    answers: list[tuple[str, bytes, bytes]] = []
    first = sites.ask

    def ask(asked, *, deadline_s):
        found = first(asked, deadline_s=deadline_s)
        answers.extend((s, asked[s], found[s]) for s in found)
        return found

    sites.ask = ask  # pyrefly: ignore
    made = Federation(job, sites, tmp_path / "server")
    made.begin()
    made.round()
    made.round()
    site, asked, said = [a for a in answers if a[0] == "B"][-1]
    fresh = plants_of(tmp_path, FRAMES, job)[site]
    one, other = (unpack(d, made.mark).arrays for d in (said, fresh.answer(asked)))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_a_secure_sum_is_the_mean_and_shows_no_site(usual: Federation, tmp_path: Path) -> None:
    made = run(tmp_path, secure=True)
    np.testing.assert_allclose(flat(made), flat(usual), atol=2e-3)
    assert made.best_score == pytest.approx(usual.best_score, abs=0.05)
    assert made.history[0]["loss"] == usual.history[0]["loss"]


def test_a_secure_sum_bears_a_site_that_goes(tmp_path: Path) -> None:
    frames = {s: rows_of(60, i) for i, s in enumerate("ABCDE")}
    job = job_of(secure=True, rounds=2)
    sites = Direct(plants_of(tmp_path, frames, job))
    made = Federation(job, sites, tmp_path / "server")
    made.begin()
    made.round()
    before = flat(made)
    sites.lost.add("C")
    made.round()
    assert made.history[-1]["sites"] == ["A", "B", "D", "E"]
    assert 1e-6 < np.abs(flat(made) - before).max() < 1.0


def test_what_encoders_take_from_rows_is_the_same_everywhere(tmp_path: Path) -> None:
    """Random convolutions are fitted to all sites' rows, and a hidden sum leaves them alone."""

    def frame(seed: int) -> pd.DataFrame:
        draw, own = np.random.default_rng(seed), rows_of(80, seed)
        waves = draw.normal(0, 1, (80, 40)) + 0.8 * (own["fault"] == "bad").to_numpy()[:, None]
        return own.assign(waves=[*waves])

    frames = {s: frame(i) for i, s in enumerate("ABC")}
    job = job_of(waves=True, secure=True, rounds=2)
    plants = plants_of(tmp_path, frames, job)
    made = Federation(job, Direct(plants), tmp_path / "server")
    made.begin()
    made.round()
    fresh = Federation(job, Direct(plants_of(tmp_path, frames, job)), tmp_path / "server")
    assert fresh.resume()
    fresh.run()
    fitted = fitted_figures(fresh.model)
    assert fitted
    for plant in plants.values():
        model, _, _ = plant.ready()
        for name, x in weights_of(model, [n for n in fitted if n in made.weights]).items():
            np.testing.assert_array_equal(x, made.weights[name])
    assert fresh.best_score > 0.7, fresh.said


def test_a_site_that_sends_nan_is_left_out(tmp_path: Path) -> None:
    job = job_of()
    sites = Direct(plants_of(tmp_path, FRAMES, job))
    made = Federation(job, sites, tmp_path / "server")

    def spoil(site: str, data: bytes) -> bytes:
        from modalloy.federation.wire import pack

        found = unpack(data, made.mark)
        if site != "B" or found.kind != "learned":
            return data
        arrays = {n: np.full_like(x, np.nan) for n, x in found.arrays.items()}
        return pack(Message(found.kind, found.facts, arrays), made.mark)

    sites.change = spoil
    made.begin()
    made.run()
    assert np.isfinite(flat(made)).all()
    assert any("B: left out" in text and "NaN" in text for text in made.said)


def test_a_site_that_is_gone_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    job = job_of()
    sites = Direct(plants_of(tmp_path, FRAMES, job))
    made = Federation(job, sites, tmp_path / "server")
    made.begin()
    made.round()
    sites.lost.add("B")
    made.run()
    assert made.done == 4
    assert made.history[-1]["sites"] == ["A", "C"]
    assert "B: did not answer: it is gone" in made.said


def test_too_few_sites_and_rows_get_a_sentence(tmp_path: Path) -> None:
    def begin(frames: dict[str, pd.DataFrame], **federate: Any) -> Federation:
        job = job_of(**federate)
        place = tmp_path / str(len(list(tmp_path.glob("*"))))
        made = Federation(job, Direct(plants_of(place, frames, job)), place / "server")
        made.begin()
        return made

    with pytest.raises(FederationError, match="a federation needs two"):
        begin({"A": FRAMES["A"]})
    with pytest.raises(FederationError, match="krum needs 5 sites"):
        begin(FRAMES, rule="krum").run()
    unlabelled = FRAMES["B"].drop(columns="fault")
    made = begin({"A": FRAMES["A"], "B": unlabelled})
    assert any(t.startswith("B: has no labelled row") for t in made.said)
    made.run()
    assert made.history[0]["sites"] == ["A"]
    with pytest.raises(FederationError, match="no site has an answer to learn from"):
        begin({"A": unlabelled, "B": unlabelled})


def test_a_plant_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    from modalloy.federation.wire import pack

    job = job_of()
    plant: Plant = plants_of(tmp_path, FRAMES, job)["A"]
    with pytest.raises(FederationError, match="knows no message 'dance'"):
        plant.answer(pack(Message("dance"), plant.mark))
    with pytest.raises(FederationError, match="before sites agreed"):
        plant.answer(pack(Message("learn", {"round": 1}), plant.mark))
