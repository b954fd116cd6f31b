"""The bench of the bracket twin: budgets are kept, only good designs are called light, and peaks
are heard where modes are."""

import numpy as np
import pytest
from bench.bracket import __main__ as bench
from bench.bracket import as_built, bounds, search
from bench.bracket.search import Run

from modalloy.twin.bracket import bracket


def test_variables_are_those_of_the_file() -> None:
    own = search.variables()
    assert (own.names[0], own.names[-1], len(own.names), len(own.hidden)) == ("x1", "wall_6", 16, 6)
    values = own.values(np.full(16, 0.5), "steel")
    assert [values[n] for n in ("x1", "y2", "wall_3")] == pytest.approx([230.0, -50.0, 1.7])
    assert values["wall_scatter_2"] == 0.0
    assert own.values(np.zeros(16), "steel", [0.0, 0.1, 0, 0, 0, 0])["wall_scatter_2"] == 0.1


def test_the_lightest_is_a_good_one() -> None:
    runs = [Run(0.5, 0.7, 600.0, good=False), Run(0.9, 0.5, 600.0, good=True), Run()]
    assert search.lightest(runs).mass_kg == 0.9
    assert bench.said_kg(search.lightest(runs[:1])) == "none good"


def test_limits_count_by_their_size() -> None:
    assert Run(0.7, 0.6, 520.0, good=True).missed == 0.0
    assert Run(0.7, 0.72, 468.0).missed == pytest.approx(0.2 + 0.1)


def test_a_search_keeps_its_budget_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "DESIGNS", 30)
    own = search.variables()
    found, runs = search.search(own, "steel", 0, 100)
    assert runs == 100
    assert found == search.search(own, "steel", 0, 100)[0]
    assert not found.good or found.deflection_mm <= bracket.DEFLECTION_MM


def test_a_plan_counts_what_cannot_be_built(capsys: pytest.CaptureFixture[str]) -> None:
    own = search.variables()
    runs = search.plan(own, "steel", 0, 12)
    assert len(runs) == 12
    bench.of_plan("steel", 0, [*runs, Run()])
    assert "| 1 |" in capsys.readouterr().out


def test_frequencies_tell_copies_apart() -> None:
    y_C, x_CK = as_built.copies(search.variables(), np.random.default_rng(0), 60)
    assert x_CK.shape == (60, bracket.MODES)
    nothing, first, everything = as_built.of_copies(y_C, x_CK)
    assert nothing > 0.01
    assert everything < first < nothing
    assert as_built.unexplained(y_C, y_C[:, None]) == pytest.approx(0.0, abs=1e-9)


def test_the_lowest_peak_is_the_lowest_mode() -> None:
    own, draw = search.variables(), np.random.default_rng(1)
    for seed in range(12):
        of, found = as_built.behave(own, as_built.buildable(own, draw), draw)
        heard_hz = as_built.lowest_peak_hz(as_built.sound_of(of, found, seed=seed))
        assert heard_hz == pytest.approx(found.modes.frequency_hz_K[0], rel=0.01)


def test_a_row_that_tells_the_answer_is_learned() -> None:
    draw = np.random.default_rng(0)
    y_N = draw.normal(size=120)
    found = as_built.Made(draw.normal(size=(120, 3)), y_N, np.exp(y_N))
    alone, heard = as_built.learned(found, 80)
    assert heard < 0.1 < alone


def test_deflection_goes_by_the_lowest_frequency() -> None:
    found = [bracket.behaviour(of) for of in bounds.designs(search.variables(), "steel", 60)]
    held = bounds.tied(found)
    assert -3 < held.power < -1.5
    assert 0.8 < held.explained < 1
    assert held.stress_mpa == max(b.stress_mpa for b in found if b.deflection_mm <= 0.6)


def test_a_finer_mesh_is_lower() -> None:
    (of,) = bounds.designs(search.variables(), "steel", 1)
    above_K = bounds.too_high(of)
    assert (above_K > 0).all()
    assert above_K.max() < 0.05
