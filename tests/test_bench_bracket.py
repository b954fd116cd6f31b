"""The bench of the bracket twin: budgets are kept, and only good designs are called light."""

import numpy as np
import pytest
from bench import bracket as bench
from bench.bracket import Run

from modalloy.twin.bracket import bracket


def test_variables_are_those_of_the_file() -> None:
    own = bench.variables()
    assert (own.names[0], own.names[-1], len(own.names), len(own.hidden)) == ("x1", "wall_6", 16, 6)
    values = own.values(np.full(16, 0.5), "steel")
    assert (values["x1"], values["y2"], values["wall_3"]) == (230.0, -50.0, 1.65)
    assert values["wall_scatter_2"] == 0.0
    assert own.values(np.zeros(16), "steel", wall_scatter_2=0.1)["wall_scatter_2"] == 0.1


def test_the_lightest_is_a_good_one() -> None:
    runs = [Run(0.5, 0.7, 600.0, good=False), Run(0.9, 0.5, 600.0, good=True), Run()]
    assert bench.lightest(runs).mass_kg == 0.9
    assert np.isinf(bench.lightest(runs[:1]).mass_kg)


def test_limits_count_by_their_size() -> None:
    assert Run(0.7, 0.6, 520.0, good=True).missed == 0.0
    assert Run(0.7, 0.72, 468.0).missed == pytest.approx(0.2 + 0.1)


def test_a_search_keeps_its_budget_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "DESIGNS", 30)
    own = bench.variables()
    found, runs = bench.search(own, "steel", 0, 100)
    assert runs == 100
    assert found == bench.search(own, "steel", 0, 100)[0]
    if found.good:
        assert found.deflection_mm <= bracket.DEFLECTION_MM


def test_frequencies_tell_copies_apart() -> None:
    y_C, x_CK = bench.copies(bench.variables(), np.random.default_rng(0), 60)
    assert x_CK.shape == (60, bracket.MODES)
    nothing, first, everything = bench.of_copies(y_C, x_CK)
    assert nothing > 0.01
    assert everything < first < nothing
    assert bench.unexplained(y_C, y_C[:, None]) == pytest.approx(0.0, abs=1e-9)
