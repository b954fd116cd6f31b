"""What a run keeps of its rows: sums alone, the same after they were written and read."""

import numpy as np
import pytest

from modalloy.errors import RunError
from modalloy.observing.kept import reference_from_bytes, reference_to_bytes
from modalloy.observing.reference import VECTORS, Reference, refer_to
from modalloy.observing.said import blank
from modalloy.observing.seen import Feature, Seen

LOAD, BRIGHT = Feature("load"), Feature("photo", "brightness")


def seen(rows: int, draw: np.random.Generator) -> Seen:
    load = draw.normal(5.0, 1.0, rows)
    load[::7] = np.nan
    return Seen(
        rows,
        {"load": np.isfinite(load), "site": np.ones(rows, bool)},
        {LOAD: load, BRIGHT: draw.random(rows).astype(np.float32).astype(np.float64)},
        {"site": draw.integers(0, 4, rows)},
        {"photo": draw.normal(size=(rows, 8)), "note": draw.normal(size=(rows, 4))},
    )


@pytest.fixture
def reference(draw: np.random.Generator) -> Reference:
    sure = draw.random(60)
    said = blank("classes", 60, name_B=np.arange(60) % 2, sure_B=sure, right_B=np.round(sure))
    given = {"sizes": {"site": 5}, "frozen": frozenset({"photo"}), "draw": draw}
    return refer_to(seen(700, draw), seen(90, draw), {"fault": said}, **given)


def test_sums_are_of_both_kinds_of_rows(reference: Reference) -> None:
    assert (reference.rows, reference.held) == (790, 90)
    assert reference.present["site"] == 790
    assert reference.numbers[LOAD].own.count == reference.present["load"]
    assert reference.numbers[LOAD].own.median == pytest.approx(5.0, abs=0.15)
    assert reference.names["site"].learned_C.sum() == 700
    assert reference.names["site"].held_C.sum() == 90
    assert len(reference.vectors["photo"]) == VECTORS  # of a frozen encoder: of all rows
    assert len(reference.vectors["note"]) == 90  # learning has shaped them: of held-back rows
    assert reference.learned == {"note"}


def test_few_held_back_rows_keep_no_learned_vectors(draw: np.random.Generator) -> None:
    given = {"sizes": {"site": 5}, "frozen": frozenset({"photo"}), "draw": draw}
    few = refer_to(seen(100, draw), seen(20, draw), {}, **given)
    assert set(few.vectors) == {"photo"}


def test_it_is_the_same_after_a_round_trip(reference: Reference) -> None:
    data = reference_to_bytes(reference)
    assert data == reference_to_bytes(reference)
    again = reference_from_bytes(data)
    assert again.present == reference.present
    assert again.learned == reference.learned
    for feature, spread in reference.numbers.items():
        np.testing.assert_array_equal(again.numbers[feature].own.points_K, spread.own.points_K)
        assert again.numbers[feature].own.count == spread.own.count
    np.testing.assert_allclose(again.vectors["photo"], reference.vectors["photo"], atol=2e-3)
    assert again.said["fault"].kind == "classes"
    np.testing.assert_array_equal(again.said["fault"].name_B, reference.said["fault"].name_B)
    assert reference_to_bytes(again) == data


def test_a_newer_form_is_refused(reference: Reference) -> None:
    data = reference_to_bytes(reference).replace(b'\\"form\\": 1', b'\\"form\\": 9')
    with pytest.raises(RunError, match="newer version"):
        reference_from_bytes(data)
