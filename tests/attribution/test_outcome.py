"""What is explained of spans and boxes is the number that the answer gives them."""

from pathlib import Path

import numpy as np
import pytest

from conftest import make_job, write_table
from modalloy.answer.decoding.logits import softmax
from modalloy.answer.predictor import Predictor
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.columns import share_columns
from modalloy.attribution.inside import look_inside
from modalloy.attribution.outcome import find_outcome, say_answer
from modalloy.errors import TableError
from modalloy.job.job_file import load_job
from modalloy.judge.metrics.spans import spans_of
from modalloy.table.open_table import open_table
from untrained import untrained

ROW = 5


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Path]:
    """An untrained run that marks words and boxes."""
    folder = tmp_path_factory.mktemp("marks")
    table = write_table(folder, rows=24)
    job = make_job(table, columns=("photo", "load"))
    job["columns"] |= {"words": {"type": "tokens", "max_tokens": 16, "vocabulary": 64}}
    job["tasks"] = {
        "entities": {"type": "tag", "target": "tags", "on": "words"},
        "boxes": {"type": "locate", "target": "boxes", "labels": "box_names", "on": "photo"},
    }
    job["tasks"]["sets"] = job["tasks"]["boxes"] | {"head": "detr", "queries": 8}
    return Predictor(untrained(folder / "run", table, job=load_job(job))), table


def asked_row(predictor: tuple[Predictor, Path], row: int = ROW) -> AskedRow:
    """One row of the table."""
    return AskedRow(predictor[0], predictor[0].open(open_table(predictor[1]))[0], row)


def test_a_box_is_told_by_its_score(predictor: tuple[Predictor, Path]) -> None:
    asked = asked_row(predictor)
    answer = predictor[0].answers(predictor[1])["boxes"]
    for item in (0, 2):
        outcome = find_outcome(asked, "boxes", label=None, item=item)
        score = outcome.value(asked, [frozenset()])[0]
        assert score == pytest.approx(answer["scores"][ROW][item], abs=1e-6)
        assert f"'{answer['names'][ROW][item]}'" in outcome.what
    found = share_columns(asked, outcome)
    assert found.shares.nothing == 0.0  # without the picture there is no box
    assert found.shares.value_N.sum() == pytest.approx(score, abs=1e-4)
    (inside,) = look_inside(asked, outcome, ["photo"])
    assert inside.part.shape == (16, 16)
    assert np.abs(inside.part).max() > 0
    many = len(answer["boxes"][ROW])
    with pytest.raises(TableError, match=f"answers {many} boxes, counted from 0; there is no item"):
        find_outcome(asked, "boxes", label=None, item=many)


def test_a_span_is_told_by_its_words(predictor: tuple[Predictor, Path]) -> None:
    asked = asked_row(predictor)
    target = predictor[0].run.targets["entities"]
    tags = asked.ask("entities", [frozenset()])["tags"][0]
    span = spans_of(tags)[0]
    outcome = find_outcome(asked, "entities", label=None, item=0)
    p_WC = softmax(asked.outputs("entities", [frozenset()])["logits"])[0, 0]
    index = [target.names.index(t) for t in tags[span.first : span.last]]
    expected = p_WC[np.arange(span.first, span.last), index].mean()
    assert outcome.value(asked, [frozenset()])[0] == pytest.approx(expected, abs=1e-6)
    assert outcome.worth(asked, [frozenset({"words"})])[0] == 0.0
    (inside,) = look_inside(asked, outcome, ["words"])
    assert len(inside.words) == len(inside.part) == len(tags)
    assert say_answer(asked, "entities").startswith(f"{len(spans_of(tags))} span")


def test_a_row_without_its_picture_has_no_box(predictor: tuple[Predictor, Path]) -> None:
    asked = asked_row(predictor, 3)  # its photo is missing
    assert find_outcome(asked, "boxes", label=None, item=0) is None
    assert say_answer(asked, "boxes") == "0 boxes"


def test_a_box_of_a_query_is_told_by_its_score_wherever_queries_go(
    predictor: tuple[Predictor, Path],
) -> None:
    asked = asked_row(predictor)
    answer = predictor[0].answers(predictor[1])["sets"]
    outcome = find_outcome(asked, "sets", label=None, item=0)
    score = outcome.value(asked, [frozenset()])[0]
    assert score == pytest.approx(answer["scores"][ROW][0], abs=1e-4)
    assert outcome.box == pytest.approx(answer["boxes"][ROW][0], abs=0.06)
    found = share_columns(asked, outcome)
    assert found.shares.nothing == 0.0  # without the picture there is no box
    assert found.shares.value_N.sum() == pytest.approx(score, abs=1e-4)
    (inside,) = look_inside(asked, outcome, ["photo"])
    assert np.abs(inside.part).max() > 0
    assert "box" in say_answer(asked, "sets")
