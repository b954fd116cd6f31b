"""Answers cite rows that were found, are refused where none is near, and filters stay."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from conftest import write_table
from modalloy.retrieval.conversation import Conversation
from modalloy.retrieval.found import Hit
from modalloy.retrieval.searcher import Searcher
from modalloy.retrieval.threshold import Threshold, calibrated, held_back, threshold_of
from retrieval.test_searcher import space_job


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    """The rows of a run with a space, opened once."""
    folder = tmp_path_factory.mktemp("talk")
    run = ma.pretrain(space_job(write_table(folder)), out=folder / "run", quiet=True)
    return Searcher(run)


def test_the_threshold_parts_true_from_random_pairs() -> None:
    found = calibrated(np.array([0.6, 0.7, 0.8, 0.2]), np.array([-0.1, 0.0, 0.1, 0.3]))
    assert found == Threshold(pytest.approx(0.45), 0.75, 0.0, 4)


def test_it_comes_from_rows_that_were_held_back(rows: Searcher) -> None:
    found = threshold_of(rows, "note")
    frame = pd.read_parquet(rows.run.job.table)
    which = held_back(rows, "note")
    prints = rows.run.prints()
    assert found.rows == len(which) <= len(prints.validation)
    assert frame.loc[which, "note"].notna().all()
    assert threshold_of(rows, "note") == found  # kept beside the index
    assert (rows.index.folder / "threshold2.json").is_file()


def test_an_answer_cites_its_rows_or_is_refused(
    rows: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = Threshold(-1.0, 1.0, 0.0, 20)
    monkeypatch.setattr("modalloy.retrieval.conversation.threshold_of", lambda *_: near)
    talk = Conversation(rows)
    found = talk.ask("long crack on the housing", top=3)
    assert not found.refused
    assert found.rows
    assert set(found.rows) <= set(found.found.rows)
    assert f"[row {found.found.rows[0]}]" in found.answer
    far = Threshold(1.1, 1.0, 0.0, 20)
    monkeypatch.setattr("modalloy.retrieval.conversation.threshold_of", lambda *_: far)
    refused = talk.ask("long crack on the housing", top=3)
    assert refused.refused
    assert refused.rows == []
    assert "is near enough" in refused.answer
    assert "1.10" in refused.answer


def test_a_composer_that_invents_rows_is_not_believed(
    rows: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = Threshold(-1.0, 1.0, 0.0, 20)
    monkeypatch.setattr("modalloy.retrieval.conversation.threshold_of", lambda *_: near)

    def liar(question: str, hits: Sequence[Hit]) -> str:
        return f"All is well [row 4711]. It is loud [row {hits[0].row}]. Trust me."

    found = Conversation(rows, composer=liar).ask("loud", top=2)
    assert found.answer == f"It is loud [row {found.found.rows[0]}]."
    only = Conversation(rows, composer=lambda *_: "So it is [row 4711].").ask("loud")
    assert only.refused
    assert "4711" not in only.answer


def test_filters_of_earlier_turns_stay_until_replaced(rows: Searcher, tmp_path: Path) -> None:
    talk = Conversation(rows)
    frame = pd.read_parquet(rows.run.job.table)
    first = talk.search(text="crack near the weld", where="site=north", top=80)
    assert set(frame.loc[first.rows, "site"]) == {"north"}
    second = talk.search(text="clean load>=8", top=80)
    assert talk.where == ["site=north", "load>=8"]
    assert (frame.loc[second.rows, "load"] >= 8).all()
    assert set(frame.loc[second.rows, "site"]) == {"north"}
    talk.save(tmp_path / "talk.json")
    third = ma.search(
        rows.run,
        text="clean",
        where="site=south",
        follow=tmp_path / "talk.json",
        top=80,
        quiet=True,
    )
    assert third.where == ["site=south", "load>=8"]
    assert set(frame.loc[third.rows, "site"]) == {"south"}
    other = Conversation(rows)
    other.resume(tmp_path / "talk.json")
    assert len(other.turns) == 3
    assert other.where == third.where
    for text in ("[]", '{"made_by": "", "turns": [], "where": ["nothing"]}'):
        (tmp_path / "no.json").write_text(text)
        with pytest.raises(ma.RunError, match="is no dialogue"):
            other.resume(tmp_path / "no.json")
    state = (tmp_path / "talk.json").read_text()
    made_by = state.split('"made_by": "')[1].split('"')[0]
    (tmp_path / "no.json").write_text(state.replace(made_by, "another"))
    with pytest.raises(ma.RunError, match="a dialogue with another run"):
        other.resume(tmp_path / "no.json")


def test_conditions_of_one_turn_on_one_column_all_hold(rows: Searcher) -> None:
    talk = Conversation(rows)
    load = pd.read_parquet(rows.run.job.table)["load"]
    found = talk.search(text="crack", where=["load>=8", "load<10"], top=80)
    assert found.where == talk.where == ["load>=8", "load<10"]
    assert load[found.rows].between(8, 10, inclusive="left").all()
    assert len(found) == load.between(8, 10, inclusive="left").sum()
    found = talk.search(text="crack load>7, load<=9?", top=80)
    assert talk.where == ["load>7", "load<=9"]
    assert len(found) == load.between(7, 9, inclusive="right").sum()
    assert talk.turns[-1]["asked"] == "text “crack”"


@pytest.mark.parametrize(
    ("question", "words", "said"),
    [
        ("loud load>8 ones", "loud ones", ["load>8"]),
        ("loud load<8.", "loud", ["load<8"]),
        ("loud load<=8.5?", "loud", ["load<=8.5"]),
        ("loud load=8.., site!=north;", "loud", ["load=8..", "site!=north"]),
        ("loud load=8...", "loud", ["load=8.."]),
        ("is a<b or load>", "is a<b or load>", []),
    ],
)
def test_conditions_stand_in_a_question(
    rows: Searcher, question: str, words: str, said: list[str]
) -> None:
    assert Conversation(rows).parted(question) == (words, said)


def test_a_turn_that_failed_leaves_no_condition(rows: Searcher) -> None:
    talk = Conversation(rows)
    talk.search(text="crack", where="site=north")
    for bad in ("lad>8", "load", "site>=2"):
        with pytest.raises(ma.TableError):
            talk.search(text="crack", where=["load>8", bad])
        with pytest.raises(ma.TableError):
            talk.ask("crack", where=["load>8", bad])
    assert talk.where == ["site=north"]
    assert len(talk.turns) == 1
    assert talk.search(text="crack").where == ["site=north"]


def test_the_verb_answers(rows: Searcher, tmp_path: Path) -> None:
    page = tmp_path / "answer.html"
    found = ma.search(rows.run, answer="crack near the weld", top=3, out=page, quiet=True)
    assert "held-back rows" in found.text()
    assert page.is_file()
    assert found.refused or set(found.rows) <= set(found.found.rows)
