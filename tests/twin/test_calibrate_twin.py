"""A twin that is calibrated to rows, from the file to the twin that is written; its findings."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from jets import NOISE, TRUTH, Jet, jet
from modalloy.errors import TwinError
from modalloy.twin.calibrate import calibrate_twin, told
from modalloy.twin.calibration.calibrated import CalibratedTwin
from modalloy.twin.calibration.fit import Manner, fit_hidden
from modalloy.twin.calibration.plant_columns import PlantColumns
from modalloy.twin.calibration.prior import prior_of
from modalloy.twin.calibration.trials import Simulated
from modalloy.twin.twin_file import load_twin
from toy_twins import write_twin

ALIKE = Manner(spread=False)


def found_in(
    one: Jet,
    change: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    *,
    manner: Manner = ALIKE,
    simulated: Simulated | None = None,
) -> CalibratedTwin:
    """A jet calibrated. change: of y_NO by u_ND, which the twin knows nothing of."""
    plant = one.plant
    if change is not None:
        plant = plant._replace(y_NO=change(plant.y_NO.copy(), plant.u_ND))
    prior = prior_of(one.twin.hidden)
    fit = fit_hidden(simulated or one.simulated, prior, plant, manner)
    return told(one.twin, plant, prior, fit, manner)


def test_a_plant_like_its_twin_gives_no_misfit() -> None:
    for seed in range(12):
        found = found_in(jet(seed))
        assert found.findings == ()
        assert all(one.told == "alone" and not one.at_bound for one in found.hidden)
        assert [one.noise for one in found.outputs] == pytest.approx(NOISE, rel=0.5)
        assert [one.explained for one in found.outputs] == pytest.approx([0.97, 0.98], abs=0.02)


def test_the_calibrated_twin_draws_as_the_next_part_would() -> None:
    found = found_in(jet(0, spread=(0.2, 0.0)), manner=Manner())
    a, k = found.hidden
    assert a.spread_low < 0.2 < a.spread_high
    own = found.twin.hidden["a"]
    assert own.default == pytest.approx(TRUTH[0], abs=0.1)
    assert own.deviation == pytest.approx(np.hypot(a.spread, a.deviation), rel=1e-5)
    assert k.spread_low == 0.0
    assert any(sentence.startswith("k: rows do not show that parts") for sentence in found.findings)


def test_an_output_that_is_off_is_named() -> None:
    def off(y_NO: np.ndarray, u_ND: np.ndarray) -> np.ndarray:
        return y_NO + np.array([0.3, 0.0])

    findings = "\n".join(found_in(jet(0), off).findings)
    assert "u: the twin misfits; the plant lies" in findings
    assert "mm above the twin on average" in findings


@pytest.mark.parametrize(("bend", "word"), [(False, "rises"), (True, "bends")])
def test_a_variable_that_the_twin_does_not_know_is_named(bend: bool, word: str) -> None:
    def changed(y_NO: np.ndarray, u_ND: np.ndarray) -> np.ndarray:
        z_N = u_ND[:, 1]
        y_NO[:, 0] += (z_N - 0.5) ** 2 * 1.2 if bend else z_N * 0.3
        return y_NO

    findings = "\n".join(found_in(jet(1), changed).findings)
    assert f"u: the twin misfits; what is left {word} by 0.3" in findings
    assert "with z over the rows' range" in findings


def test_a_row_far_off_is_named() -> None:
    def changed(y_NO: np.ndarray, u_ND: np.ndarray) -> np.ndarray:
        y_NO[7, 0] += 2.0
        return y_NO

    (sentence,) = found_in(jet(0, rows=100), changed).findings
    assert sentence.startswith("row 7: its u lies 10 deviations away; leave out rows")


def test_noise_that_is_given_shows_a_misfit() -> None:
    (sentence,) = found_in(jet(0), manner=Manner(noise={"u": 0.02}, spread=False)).findings
    assert "u: the twin misfits; 2.7 times as much is left" in sentence


def test_what_rows_do_not_tell_stays_as_it_was() -> None:
    one = jet(0)

    def blind(row_M: np.ndarray, h_MK: np.ndarray) -> np.ndarray:
        return one.simulated(row_M, np.stack([h_MK[:, 0], np.full(len(h_MK), TRUTH[1])], axis=1))

    found = found_in(one, simulated=blind)
    assert [h.told for h in found.hidden] == ["alone", "not"]
    assert found.hidden[1].low == pytest.approx(0.1 + 0.05 * 1.9, abs=0.01)  # as without rows
    assert found.twin.hidden["k"] == one.twin.hidden["k"]
    assert "k: these rows do not tell it" in found.findings[0]
    assert "k: not told by these rows; 1.05 stays" in found.text()


def test_two_that_cannot_be_told_apart_fit_together() -> None:
    one = jet(0)

    def summed(row_M: np.ndarray, h_MK: np.ndarray) -> np.ndarray:
        half_M = h_MK.sum(1) / TRUTH.sum()
        return one.simulated(row_M, half_M[:, None] * TRUTH)

    found = found_in(one, simulated=summed)
    assert [h.told for h in found.hidden] == ["together", "together"]
    assert found.correlation[0][1] == pytest.approx(-1.0, abs=1e-3)
    assert "a and k cannot be told apart (correlation -1.00)" in found.findings[0]
    own = found.twin.hidden
    assert own["a"].default + own["k"].default == pytest.approx(TRUTH.sum(), abs=0.1)
    assert own["a"].deviation < 0.05  # else the two drawn apart would leave their sum


def test_a_truth_beyond_the_bounds_and_one_against_the_file() -> None:
    one = jet(0)
    narrow = one.twin.hidden["a"].model_copy(update={"high": 1.2})
    sure = one.twin.hidden["k"].model_copy(update={"default": 1.4, "deviation": 0.1})
    twin = one.twin.model_copy(update={"hidden": {"a": narrow, "k": sure}})
    found = found_in(one._replace(twin=twin))
    findings = "\n".join(found.findings)
    assert found.hidden[0].estimate == found.twin.hidden["a"].default == 1.2
    assert "a: stops at its bound 1.2" in findings
    assert "k: lies" in findings
    assert "deviations from its default" in findings


def rows_of(path: Path, wear: float) -> pd.DataFrame:
    """Plates of a plant whose wear is this, as its own columns have them."""
    designs = [
        {"width": w, "load": n, "teeth": 4, "material": "steel", "wear": wear}
        for w, n in zip(np.linspace(10, 40, 24), np.geomspace(5, 100, 24)[::-1], strict=True)
    ]
    made = ma.simulate(path, out=path.parent / "plant.parquet", designs=designs, seed=9, quiet=True)
    frame = pd.DataFrame(made.rows)[["width", "load", "teeth", "sag"]]
    return frame.rename(columns={"sag": "Sag [mm]"})


def test_from_rows_to_the_twin_that_simulate_takes(tmp_path: Path) -> None:
    lasting = {"limits: {seconds: 20}": "limits: {seconds: 20, runs_per_process: 9999}"}
    twin = write_twin(tmp_path, **lasting)
    plant = rows_of(twin, 0.6)
    out = tmp_path / "ours" / "plate-calibrated.yaml"
    columns = PlantColumns({"Sag [mm]": "sag"}, {"material": "steel"})
    found = calibrate_twin(twin, plant, out=out, columns=columns, workers=1)

    (wear,) = found.hidden
    assert wear.low < 0.6 < wear.high
    assert wear.high - wear.low < 0.03
    assert wear.before == 0.25
    assert found.outputs[0].noise == pytest.approx(0.014, rel=0.5)  # of the plant's seeds and ours

    again = load_twin(out)
    before = load_twin(twin)
    assert again.hidden["wear"].default == pytest.approx(wear.estimate, rel=1e-5)
    assert again.hidden["wear"].deviation == pytest.approx(wear.written)
    assert again.model_copy(update={"hidden": before.hidden}) == before
    assert out.read_text().startswith("# plate: calibrated to 24 rows, ")
    told_json = json.loads(out.with_suffix(".json").read_text())
    assert told_json["hidden"][0]["estimate"] == wear.estimate
    assert told_json["runs"] == found.runs

    made = ma.simulate(out, out=tmp_path / "next.parquet", runs=8, show_hidden=True, quiet=True)
    drawn = [row["hidden_wear"] for row in made.rows]
    assert np.mean(drawn) == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        (Manner(confidence=1.0), "--confidence: must lie between 0 and 1. Got 1."),
        (Manner(starts=0), "--starts: must be 1 or more. Got 0."),
        (Manner(rows=0), "--rows: must be 1 or more. Got 0."),
        (Manner(noise={"sag": 0.0}), "--noise sag: must be a number above 0. Got 0."),
        (Manner(noise={"sagg": 0.1}), "--noise sagg: is no output that rows and twin both have."),
    ],
)
def test_a_manner_that_makes_no_sense_gets_a_sentence(
    tmp_path: Path, manner: Manner, said: str
) -> None:
    rows = pd.DataFrame(
        {"width": [10.0], "load": [5.0], "teeth": [4], "material": ["steel"], "sag": [1.0]}
    )
    with pytest.raises(TwinError) as raised:
        calibrate_twin(write_twin(tmp_path), rows, out=tmp_path / "no.yaml", manner=manner)
    assert said in str(raised.value)
    assert not (tmp_path / "no.yaml").exists()
