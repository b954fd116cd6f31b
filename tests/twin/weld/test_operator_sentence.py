"""The operator's note: what it says of which weld, in which words, and how often."""

from collections import Counter

import numpy as np
import pytest

from modalloy.twin.weld import sentence
from modalloy.twin.weld.keyhole import Beam, Keyhole

BEAM = Beam(1000.0, 0.02, 20.0, 0.7e-3, "stainless", 0.6, 1.0)


def notes(beam: Beam, excess: float, count: int = 400) -> list[str]:
    keyhole = Keyhole(excess, 0.0, 0.0)
    return [
        sentence.sentence_of(beam, keyhole, np.random.default_rng(seed)) for seed in range(count)
    ]


def share(said: list[str], words: tuple[str, ...]) -> float:
    return sum(any(word in note for word in words) for note in said) / len(said)


@pytest.mark.parametrize(("excess", "kind"), [(-0.5, "none"), (0.6, "some"), (2.5, "much")])
def test_the_seam_is_told_as_it_looks(excess: float, kind: str) -> None:
    said = notes(BEAM, excess)
    assert share(said, sentence.SEAM[kind]) > 0.9
    assert len({note for note in said if note in sentence.SEAM[kind]}) == 3


def test_near_a_border_the_eye_errs_now_and_then() -> None:
    shares = [share(notes(BEAM, 0.1), sentence.SEAM[kind]) for kind in ("none", "some")]
    assert min(shares) > 0.2


def test_the_lens_is_called_dirty_the_oftener_the_less_is_absorbed() -> None:
    shares = [
        share(notes(BEAM._replace(absorptivity=part), 0.6), sentence.DIRTY)
        for part in (0.6, 0.52, 0.44, 0.36)
    ]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[3] == pytest.approx(0.5, abs=0.08)


def test_a_warm_plate_is_mentioned_half_of_the_time_and_a_cold_one_never() -> None:
    assert share(notes(BEAM._replace(plate_c=180.0), 0.6), sentence.WARM) == pytest.approx(
        0.5, abs=0.08
    )
    assert share(notes(BEAM, 0.6), sentence.WARM) == 0.0


def test_some_notes_hold_what_has_nothing_to_do_with_the_weld() -> None:
    assert share(notes(BEAM, 0.6), sentence.OTHER) == pytest.approx(0.1, abs=0.05)
    assert share(notes(BEAM, 0.6), sentence.CLEAN) == pytest.approx(0.1, abs=0.05)


def test_the_same_seed_writes_the_same() -> None:
    assert notes(BEAM, 0.6) == notes(BEAM, 0.6)
    assert len(Counter(notes(BEAM, 0.6))) > 5
