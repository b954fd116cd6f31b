"""Text from a row, from the job to the answer: other verbs work with it or refuse in a sentence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.errors import JobError
from tiny_causal import tiny_folder

ROWS = 120
LONG = 9  # a training row with an answer that is cut


def frame(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    size, color, kind = (
        draw.choice(words, rows)
        for words in (["small", "big"], ["red", "blue"], ["star", "box", "ring"])
    )
    load = np.where(size == "big", 5.0, 1.0) + draw.normal(0, 0.1, rows)
    made = pd.DataFrame({"load": load, "color": color, "seen": [f"a {k} is here" for k in kind]})
    made["caption"] = [f"A {s} {c} {k}." for s, c, k in zip(size, color, kind, strict=True)]
    made["code"] = [f"P-{k[0]}{c[0]}" for c, k in zip(color, kind, strict=True)]
    made.loc[[2, 7], "caption"] = None
    made.loc[4, "color"] = None
    return made


def job(**task: Any) -> dict[str, Any]:
    return {
        "table": "frame",
        "split": {"random": "stratified"},
        "columns": {
            "load": {"type": "number", "bins": 4},
            "color": {"type": "category"},
            "seen": {"type": "text", "max_tokens": 8, "vocabulary": 80},
        },
        "fuse": {"type": "concat", "width": 32, "layers": 1},
        "tasks": {
            "caption": {
                "type": "generate",
                "target": "caption",
                "vocabulary": 290,
                "max_tokens": 24,
                **task,
            }
        },
        "train": {"epochs": 16, "batch": 8, "lr": 2e-3, "folds": 0, "precision": "float32"},
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    table = tmp_path_factory.mktemp("generate") / "parts.parquet"
    rows = frame()
    rows.loc[LONG, "caption"] = "the quick brown fox jumps over a lazy dog"
    rows.to_parquet(table, index=False)
    return ma.train(job() | {"table": str(table)}, out=table.parent / "run", quiet=True)


def test_a_row_becomes_its_text_and_the_report_says_how_well(run: Any) -> None:
    report = json.loads((run.path / "report.json").read_text())
    assert report["failed"] == []
    found = report["tasks"]["caption"]
    assert set(found) == {"chrf", "bleu", "exact_match", "interval"}
    assert found["exact_match"] > 0.7
    lines = report["baselines"]["caption"]
    copy = lines["text of the most alike training row"]
    assert lines["the commonest text"]["chrf"] < copy["chrf"]
    assert copy["margin"]["metric"] == "chrf"
    assert len(copy["margin"]["interval"]) == 2
    page = (run.path / "report.html").read_text()
    assert "from the best written to the worst" in page
    (cut,) = [f for f in run.notes["findings"] if "is cut" in f["what"]]
    assert cut["rows"] == [LONG]
    assert "training answers is longer than max_tokens 24, and is cut; the longest" in page
    curve = report["curves"][-1]
    assert curve["score"] == pytest.approx(curve["validation"]["caption"]["chrf"])


def test_answers_are_the_same_alone_and_in_a_batch_and_come_back_from_disk(
    run: Any, tmp_path: Path
) -> None:
    table = frame()
    answers = ma.predict(str(run.path), table, quiet=True)
    known = table["caption"].notna()
    assert (answers["caption"] == table["caption"])[known].mean() > 0.8
    assert answers["caption.confidence"].between(0, 1).all()
    for row in (0, 4, 11):
        alone = ma.predict(run, table.iloc[row : row + 1], quiet=True)
        assert alone["caption"][0] == answers["caption"][row]
        np.testing.assert_allclose(
            alone["caption.confidence"][0], answers["caption.confidence"][row], rtol=1e-4
        )
    ma.predict(run, table, out=tmp_path / "answers.csv", quiet=True)
    assert list(pd.read_csv(tmp_path / "answers.csv")["caption"]) == list(answers["caption"])
    scored = ma.evaluate(run, table, out=tmp_path / "scored.html", quiet=True)
    assert scored.tasks["caption"]["chrf"] > 0.8


def test_verbs_that_need_one_answer_a_row_refuse_in_a_sentence(run: Any, tmp_path: Path) -> None:
    with pytest.raises(
        JobError, match="task 'caption' is of type generate: explain knows classify"
    ):
        ma.explain(run, frame(), row=0)
    with pytest.raises(JobError, match="generate gives no single answer a row"):
        ma.economize(run, out=tmp_path / "economized")
    notes = [f["what"] for f in run.notes["findings"] if f["where"] == "calibrate"]
    assert any("caption: nothing is promised of texts" in note for note in notes)


def test_adapt_learns_another_wording(run: Any, tmp_path: Path) -> None:
    table = frame(80, seed=5)
    table["caption"] = table["caption"].str.replace("A ", "One ", regex=False)
    before = ma.evaluate(run, table, out=tmp_path / "before.html", quiet=True)
    adapted = ma.adapt(run, table, out=tmp_path / "adapted", method="head", quiet=True)
    after = ma.evaluate(adapted, table, out=tmp_path / "after.html", quiet=True)
    assert after.tasks["caption"]["chrf"] > before.tasks["caption"]["chrf"] + 0.05


def test_a_causal_model_learns_by_lora_writes_only_what_exists_and_needs_no_folder_later(
    tmp_path: Path,
) -> None:
    decoder = tiny_folder(tmp_path / "llama")
    some = job(decoder=decoder, target="code", only="code", search="beam", beams=2, max_tokens=12)
    del some["tasks"]["caption"]["vocabulary"]
    some["train"] |= {"epochs": 3, "batch": 32}
    run = ma.train(some, table=frame(), out=tmp_path / "run", quiet=True)
    assert "q_proj" in " ".join(run.notes["adapted"]["layers"])
    for path in (tmp_path / "llama").iterdir():
        path.unlink()
    answers = ma.predict(str(run.path), frame(seed=3), quiet=True)
    assert set(answers["caption"]) <= set(frame()["code"])
    kept = ma.load_run(run.path)
    assert kept.targets["caption"].allowed == tuple(dict.fromkeys(kept.targets["caption"].allowed))


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ({"only": "nothing"}, r"tasks\.caption\.only: .* has no column 'nothing'"),
        ({"only": []}, r"tasks\.caption\.only: is an empty list"),
        ({"beams": 3}, r"tasks\.caption\.beams: is for search: beam. Got search: greedy"),
        ({"prefix": 3}, r"tasks\.caption\.prefix: is for a pretrained decoder"),
        ({"decoder": "smollm2"}, r"tasks\.caption\.vocabulary: is for decoder: scratch"),
        ({"min_tokens": 30}, r"tasks\.caption\.min_tokens: is 30, above max_tokens 24"),
    ],
)
def test_what_fits_no_table_or_no_other_option_is_told(task: dict[str, Any], why: str) -> None:
    with pytest.raises(JobError, match=why):
        ma.check(job(**task), table=frame())


def test_check_counts_training_answers_that_are_cut() -> None:
    table = frame()
    table["caption"] = table["code"]
    told = [f for f in ma.check(job(), table=table).findings if "are cut" in f.what]
    assert told == []
    draw = np.random.default_rng(0)
    long = ["".join(draw.choice(list("abcdefghijklmnopqrstuvwxyz"), 60)) for _ in range(30)]
    table.loc[::4, "caption"] = long
    table["caption"] = table["caption"].where(table.index % 5 > 0)
    some = job()
    some["split"] = {"column": "part"}
    table["part"] = ["train"] * 100 + ["validation"] * 10 + ["test"] * 10
    (told,) = [f for f in ma.check(some, table=table).findings if "are cut" in f.what]
    cut = [i for i in range(100) if i % 4 == 0 and i % 5 > 0]
    said = f"{len(cut)} of 80 training answers are longer than max_tokens 24, and are cut; "
    assert (told.level, told.where) == ("warning", "caption")
    assert told.what.startswith(said)
    assert told.rows == cut[:10]
    assert told.count == len(cut) == 20
    assert 24 < int(told.what.removeprefix(f"{said}the longest takes ")) <= 60


def test_check_names_what_a_decoder_has_no_positions_for(tmp_path: Path) -> None:
    some = job(decoder=tiny_folder(tmp_path / "gpt2", "gpt2", places=16))
    del some["tasks"]["caption"]["vocabulary"]
    (found,) = ma.check(some, table=frame()).errors
    assert "has 16 positions, and prefix 8, a start and max_tokens 24 take 33" in found.what


def test_init_takes_texts_for_texts_and_the_job_trains() -> None:
    rng = np.random.default_rng(0)
    table = frame(200)
    table["caption"] = [f"{c} number {rng.integers(1e6)}" for c in table["caption"]]
    text = ma.init(table, target="caption")
    assert "caption: {type: generate, target: caption}" in text
    assert "different texts in 200 rows" in text
    table["caption"] = [f"id{i}" for i in range(200)]
    with pytest.raises(ma.TableError, match="are no classes"):
        ma.init(table, target="caption")
    found = ma.check(job(), table=frame())
    assert found.ok
