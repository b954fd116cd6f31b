"""A network that misses what another method sees answers as that one; one that misses nothing stays
alone; every verb gives the same combined answers.
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.answer.answers import EVERYTHING
from modalloy.answer.blended import blended
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.blend import kept
from modalloy.blend.fitting import Weighed
from modalloy.blend.kept import blend_from_bytes, blend_to_bytes
from modalloy.blend.mixture import NOTHING
from modalloy.classical.fit import BOOSTED, fit_methods
from modalloy.classical.method import method_from_state
from modalloy.job.job_file import load_job
from modalloy.judge.baselines.baselines import Baselines
from modalloy.judge.metrics.score import score
from modalloy.judge.sections import Sections
from modalloy.learn import blending
from modalloy.learn.blending import UNHELD, Blended, fit_blend, say_why
from modalloy.learn.calibrate import answer_kept
from modalloy.learn.frozen_vectors import fitted_inputs, frozen_inputs, steady_inputs
from modalloy.learn.held_out import NETWORK
from modalloy.learn.training import Learned, learn_job
from modalloy.report import evaluate
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from xor import COLUMNS, fit_signs, signs, signs_from_state, write_xor, xor_job

Changed = Callable[..., tuple[Learned, Blended]]


@pytest.fixture(scope="module")
def only_signs() -> Any:
    """Only one classical method, which knows the signs, and what restores it; no lines to beat."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "baselines", lambda *_, **__: Baselines({}, {}, {}))
        patch.setattr(blending, "fit_methods", fit_signs)
        patch.setattr(kept, "method_from_state", signs_from_state)
        yield


@pytest.fixture(scope="module")
def trained(only_signs: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Path]:
    """A run over the table, and the table."""
    folder = tmp_path_factory.mktemp("blending")
    table = write_xor(folder)
    ma.train(xor_job(table), out=folder / "run", quiet=True)
    return Predictor(folder / "run"), table


@pytest.fixture
def learned(only_signs: None, tmp_path: Path) -> Changed:
    """Learns and blends without a report; `changes` are of the job."""
    table = open_table(write_xor(tmp_path))

    def learn(**changes: Any) -> tuple[Learned, Blended]:
        job = load_job(xor_job(tmp_path / "xor.parquet", **changes))
        found = learn_job(job, table, split_job(table, job), out=tmp_path, quiet=True)
        given = (found.model, found.loader, found.parts, found.held_out)
        return found, fit_blend(*given, Sections(), refit=found.refit)

    return learn


def test_the_run_answers_as_the_stronger_method(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    mixture = predictor.blend.tasks["same"]
    assert [m.name for _, m in mixture.methods] == ["signs"]
    assert mixture.methods[0][0] > 0.8
    report = json.loads((predictor.run.path / "report.json").read_text())
    frame = pd.read_parquet(table)
    test = np.flatnonzero(frame["part"] == "test")
    run, truth = predictor.run, frame["same"][test].tolist()
    method = mixture.methods[0][1]
    own = method.answer(open_table(table).take(list(COLUMNS), test), None)
    theirs = score(run.job.tasks["same"], truth, own, run.targets["same"].names)
    assert report["tasks"]["same"]["accuracy"] >= theirs["accuracy"] - 0.005
    assert report["tasks"]["score"]["rmse"] < 15
    said = report["made_of"]["same"]
    assert said["blended"]
    assert said["rows"] == 60
    assert list(said["members"]) == [NETWORK, "signs"]
    assert sum(m["weight"] for m in said["members"].values()) == pytest.approx(1.0)
    assert said["members"]["signs"]["accuracy"] > said["members"][NETWORK]["accuracy"]
    assert said["together"]["accuracy"] >= said["members"]["signs"]["accuracy"] - 0.005
    page = (run.path / "report.html").read_text()
    assert "How the answer is made" in page
    assert " signs" in (run.path / "card.md").read_text()
    assert run.parts == ("blend.safetensors",)


def test_predict_evaluate_and_frames_agree(trained: tuple[Predictor, Path], tmp_path: Path) -> None:
    predictor, table = trained
    frame = pd.read_parquet(table)
    test = frame["part"] == "test"
    answers = ma.predict(predictor.run, table, quiet=True)[test.to_numpy()]
    report = json.loads((predictor.run.path / "report.json").read_text())
    hits = (answers["same"] == frame["same"][test].to_numpy()).mean()
    assert hits == pytest.approx(report["tasks"]["same"]["accuracy"])
    off = answers["score"].to_numpy() - frame["score"][test].to_numpy()
    assert np.sqrt((off**2).mean()) == pytest.approx(report["tasks"]["score"]["rmse"], rel=1e-5)
    own = tmp_path / "own.parquet"
    frame[test].to_parquet(own, index=False)
    again = ma.evaluate(predictor.run, own, out=tmp_path / "r.html", quiet=True)
    assert again.tasks["same"]["log_loss"] == pytest.approx(report["tasks"]["same"]["log_loss"])
    assert again.made_of == report["made_of"]


def test_a_row_alone_is_the_row_in_a_batch(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    whole = predictor.answers(table, part=slice(0, 40))
    for row in (0, 7, 39):
        alone = predictor.answers(table, part=slice(row, row + 1))
        for task in ("same", "score"):
            for key, array in whole[task].items():
                assert alone[task][key][0] == pytest.approx(array[row], rel=1e-5)


def test_what_is_hidden_is_missing_for_methods_too(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    frame = pd.read_parquet(table).head(30)
    table_hidden = frozenset({"table"})
    found = predictor.answers(frame, inputs=["left", "noise"], hidden=[table_hidden])
    blank = predictor.answers(frame.assign(right=None))
    nothing = predictor.answers(frame.assign(**dict.fromkeys((*COLUMNS, "noise"))))
    for task in ("same", "score"):
        for key in found[task]:
            assert np.array_equal(found[task][key], blank[task][key]), (task, key)
            gone = found.hidden[table_hidden][task][key]
            assert np.array_equal(gone, nothing[task][key]), (task, key)
    seen = predictor.answers(frame)
    assert not np.allclose(seen["same"]["probability"], blank["same"]["probability"], atol=0.1)


def test_quantiles_move_with_the_value(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    loader, _ = predictor.open(open_table(table))
    which = np.arange(50)
    network = answer_rows(predictor.model, loader, which)
    combined = blended(predictor.blend, network, loader, which)[EVERYTHING]["score"]
    alone = network.seen[EVERYTHING]["score"]
    assert not np.allclose(combined["value"], alone["value"], rtol=0.01)
    spread = combined["quantiles"] - combined["value"][:, None]
    assert spread == pytest.approx(alone["quantiles"] - alone["value"][:, None], abs=1e-3)
    assert combined["value"].dtype == alone["value"].dtype


@pytest.mark.parametrize(
    ("option", "value", "tasks"),
    [
        ("use", "never", set()),
        ("least_rows", 61, set()),
        ("least_rows", 60, {"same"}),
    ],
)
def test_options_say_whether_it_is_blended(
    learned: Changed, option: str, value: Any, tasks: set[str]
) -> None:
    one = {"same": xor_job(Path())["tasks"]["same"]}
    found, made = learned(tasks=one, blend={option: value})
    assert set(made.blend.tasks) == tasks
    assert (found.held_out is None) == (value == "never")
    if value == "never":
        assert made.made_of == {}
    if option == "least_rows" and not tasks:
        assert (
            made.made_of["same"]["why"] == "60 held-back rows have an answer, and least_rows is 61"
        )


def test_always_blends_what_does_not_help_and_a_least_weight_drops_it(
    learned: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"same": xor_job(Path())["tasks"]["same"]}
    weighed = blending.weigh

    def useless(*given: Any, **options: Any) -> Any:
        return weighed(*given, **options)._replace(helps=False)

    monkeypatch.setattr(blending, "weigh", useless)
    assert learned(tasks=one)[1].blend.tasks == {}
    always = learned(tasks=one, blend={"use": "always"})[1]
    assert always.blend.tasks["same"].methods
    assert always.made_of["same"]["why"] == "the job says so (use: always)"
    every = learned(tasks=one, blend={"use": "always", "least_weight": 0.0})[1]
    least = every.made_of["same"]["members"][NETWORK]["weight"] + 0.01
    assert 0.01 < least < 0.5
    high = learned(tasks=one, blend={"use": "always", "least_weight": least})[1]
    assert high.made_of["same"]["members"][NETWORK]["weight"] == 0.0


def test_a_network_that_misses_nothing_stays_alone(
    learned: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit_nothing(*given: Any, **options: Any) -> list[Any]:
        (method,) = fit_signs(*given, **options)
        flat = np.tile(method.state()[1]["said"].mean(0), (3, 1))
        return [signs(method.readers, flat, "constant")]

    monkeypatch.setattr(blending, "fit_methods", fit_nothing)
    columns = {"score": {"type": "number", "bins": 4}}
    tasks = {"same": {"type": "classify", "target": "same"}}
    train = {"epochs": 12, "batch": 16, "lr": 0.01, "precision": "float32"}
    _, made = learned(columns={**xor_job(Path())["columns"], **columns}, tasks=tasks, train=train)
    said = made.made_of["same"]
    assert said["members"][NETWORK]["accuracy"] > 0.95
    assert made.blend.tasks == {}
    assert not said["blended"]
    assert said["members"]["constant"]["weight"] < 0.15  # 60 rows against 30 for even weights


def test_with_refit_weights_are_of_the_network_before_and_methods_of_all_rows(
    learned: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []

    def noted(*given: Any, **options: Any) -> list[Any]:
        rows.append(len(given[4]))
        return fit_signs(*given, **options)

    monkeypatch.setattr(blending, "fit_methods", noted)
    one = {"same": xor_job(Path())["tasks"]["same"]}
    train = xor_job(Path())["train"]
    plain, first = learned(tasks=one)
    assert rows == [120]
    refit, second = learned(tasks=one, train=train | {"refit": True})
    assert refit.refit
    assert rows == [120, 120, 180]
    assert second.made_of == first.made_of
    assert [m.name for m in second.methods["same"]] == [m.name for m in first.methods["same"]]
    assert plain.held_out is not None
    assert refit.held_out is not None
    given = (h.answered.seen[EVERYTHING]["same"] for h in (plain.held_out, refit.held_out))
    assert np.array_equal(*(a["probability"] for a in given))


def test_calibration_rows_see_the_blend(learned: Changed) -> None:
    found, made = learned()
    which = found.parts.test
    alone, after = (
        answer_kept(found.model, found.loader, which, blend)["same"].answer["probability"]
        for blend in (NOTHING, made.blend)
    )
    assert not np.array_equal(alone, after)


def test_held_back_rows_are_calibrated_as_the_blend_answers_them(learned: Changed) -> None:
    found, made = learned()
    assert found.held_out is not None
    rows, answer = made.held["same"]
    network = found.held_out.answered.seen[EVERYTHING]["same"]["probability"]
    assert set(rows) <= set(found.parts.validation)
    together = score_of(found, rows, answer["probability"])
    assert together == pytest.approx(made.made_of["same"]["together"]["log_loss"])
    assert together < score_of(found, found.held_out.rows, network)


def score_of(found: Learned, rows: np.ndarray, p: np.ndarray) -> float:
    """Log loss of answers to these rows."""
    target = found.loader.targets["same"]
    truth = target.truth(found.loader.cells(target.columns, rows))
    return float(-np.mean([np.log(p[i, target.names.index(t)]) for i, t in enumerate(truth)]))


def test_what_cannot_be_fitted_leaves_the_network_alone_and_is_named(
    learned: Changed, monkeypatch: pytest.MonkeyPatch, failing_parts: None
) -> None:
    def broken(*_: Any, **__: Any) -> list[Any]:
        raise ValueError("no boosting here")

    monkeypatch.setattr(blending, "fit_methods", broken)
    found, _ = learned()
    made = Sections()
    given = (found.model, found.loader, found.parts, found.held_out)
    assert fit_blend(*given, made, refit=False).blend.tasks == {}
    assert [f["message"] for f in made.failed] == ["no boosting here"] * 2


def test_where_boosting_wins_by_far_the_blend_is_as_good(
    learned: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blending, "fit_methods", fit_methods)
    monkeypatch.setattr(kept, "method_from_state", method_from_state)
    one = {"same": xor_job(Path())["tasks"]["same"]}
    found, made = learned(tasks=one)
    say = {m.name: w for w, m in made.blend.tasks["same"].methods}
    assert say[BOOSTED] > 0.5
    loader, which = found.loader, found.parts.test
    network = answer_rows(found.model, loader, which)
    answer = blended(made.blend, network, loader, which)[EVERYTHING]["same"]
    names = loader.targets["same"].names
    truth = list(loader.targets["same"].truth(loader.cells(["same"], which)))
    (boosting,) = (m for _, m in made.blend.tasks["same"].methods if m.name == BOOSTED)
    options, cells = found.model.job.tasks["same"], loader.cells([*COLUMNS, "noise"], which)
    theirs = score(options, truth, boosting.answer(cells, None), names)["accuracy"]
    ours, alone = (
        score(options, truth, a, names)["accuracy"]
        for a in (answer, network.seen[EVERYTHING]["same"])
    )
    assert theirs > alone + 0.2
    assert ours >= theirs - 0.005
    again = blend_from_bytes(blend_to_bytes(made.blend), loader.readers)
    same = blended(again, network, loader, which)[EVERYTHING]["same"]
    assert np.array_equal(same["probability"], answer["probability"])
    row = answer_rows(found.model, loader, which[3:4])
    own = {"same": {"probability": network.seen[EVERYTHING]["same"]["probability"][3:4]}}
    row.seen[EVERYTHING] = own
    lone = blended(again, row, loader, which[3:4])[EVERYTHING]["same"]["probability"]
    assert np.array_equal(lone, answer["probability"][3:4])


def test_it_is_said_where_no_rows_were_held_back(learned: Changed) -> None:
    found, _ = learned()
    made = fit_blend(found.model, found.loader, found.parts, None, Sections(), refit=False)
    assert not made.blend.tasks
    assert made.made_of["same"] == {"blended": False, "why": UNHELD, "rows": 0}


def test_fronts_that_are_fitted_are_told_from_those_that_never_change() -> None:
    def encoder(*, frozen: bool, fits: bool, trunk: object = 1) -> Any:
        return SimpleNamespace(frozen=frozen, fits=fits, trunk=trunk)

    encoders = {
        "photo": encoder(frozen=True, fits=False),
        "shaking": encoder(frozen=True, fits=True),
        "note": encoder(frozen=False, fits=False),
        "speed": encoder(frozen=True, fits=False, trunk=None),
    }
    model: Any = SimpleNamespace(encoders=encoders)
    assert frozen_inputs(model) == ["photo", "shaking"]
    assert fitted_inputs(model) == ["shaking"]
    assert steady_inputs(model) == ["photo"]


def test_one_that_takes_over_is_not_said_to_be_several() -> None:
    def why(**weights: float) -> str:
        return say_why(True, Weighed(weights, {}, np.arange(2), True, True))

    assert why(network=0.0, boosting=1.0).startswith("it costs less than the network alone")
    assert why(network=0.5, boosting=0.5).startswith("together they cost less")


def test_a_blend_that_is_only_the_safer_answer_says_so() -> None:
    even = {"network": 0.5, "boosting": 0.5}
    said = say_why(True, Weighed(even, {}, np.arange(2), cheaper=False, helps=True))
    assert said.startswith("together they cost no more than chance explains")
    assert "less" not in said
    alone = say_why(False, Weighed({"network": 1.0}, {}, np.arange(2), cheaper=False, helps=False))
    assert alone == "the network alone costs less on rows that no weight was fitted on"
