"""Rounds whose sum alone is learned: what cannot be hidden is refused, and no mask serves twice."""

from pathlib import Path

import numpy as np
import pytest

from asked_directly import Direct
from modalloy.errors import FederationError
from modalloy.federation.hidden_sum import masked_change, masker_of
from modalloy.federation.memory import Memory
from modalloy.federation.secure_sum import Masker
from modalloy.federation.server import Federation
from modalloy.federation.wire import Message, pack
from plants import job_of, plants_of, rows_of


def test_two_sites_are_too_few_to_hide_each_other(tmp_path: Path) -> None:
    """Without a refusal every round would be lost, and the model be as it began."""
    job = job_of(secure=True, rounds=1)
    frames = {s: rows_of(60, i) for i, s in enumerate("AB")}
    frames["C"] = rows_of(60, 3).drop(columns="fault")
    made = Federation(job, Direct(plants_of(tmp_path, frames, job)), tmp_path / "server")
    made.begin()
    with pytest.raises(FederationError, match=r"a round asks 2 sites .* of 3 to 20"):
        made.run()


@pytest.mark.parametrize("number", [np.nan, np.inf, -200.0])
def test_what_a_sum_cannot_hold_is_refused_at_the_site(number: float) -> None:
    """The server would see noise in any case, and the sum would be wrong."""
    sites = {n: Masker(n) for n in "ABC"}
    facts = {"keys": {n: s.public.hex() for n, s in sites.items()}, "of": 20, "round": 1}
    zero = {"a": np.zeros(2, np.float32), "b": np.zeros((1, 2), np.float32)}
    change = {"b": np.array([[1.0, number]], np.float32)}
    with pytest.raises(FederationError, match="a hidden sum holds numbers up to 64"):
        masked_change(sites["A"], change, zero, 10, facts)
    arrays, shares = masked_change(sites["A"], {"b": np.ones((1, 2))}, zero, 10, facts)
    assert arrays["m"].shape == (4,)
    assert sorted(shares) == ["A", "B", "C"]


def test_masks_of_one_federation_are_not_of_the_next(tmp_path: Path) -> None:
    job = job_of(secure=True)
    frames = {s: rows_of(60, i) for i, s in enumerate("ABC")}

    def key_of_a() -> bytes:
        plants = plants_of(tmp_path, frames, job)
        Federation(job, Direct(plants), tmp_path / "server").begin()
        return masker_of("A", plants["A"].memory).public

    first = key_of_a()
    memory = Memory(tmp_path / "A" / "memory")
    memory.keep_told({1: ({"B"}, set())})
    assert masker_of("A", memory).public == first
    assert (memory.folder / "mask.key").stat().st_mode & 0o077 == 0
    noise = memory.secret()
    assert key_of_a() != first
    assert not memory.told()
    assert memory.secret() == noise


def test_a_site_whose_run_is_there_begins_no_other_federation(tmp_path: Path) -> None:
    """It would be told so after the last round otherwise."""
    job = job_of()
    plant = plants_of(tmp_path, {"A": rows_of(60, 1)}, job)["A"]
    plant.out.mkdir(parents=True)
    (plant.out / "run.json").write_text("{}")
    with pytest.raises(Exception, match="holds a finished run; give this site another folder"):
        plant.answer(pack(Message("agree", {"schema": {}}), plant.mark))
