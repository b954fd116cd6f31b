"""Answers from anyone are judged by the same figures, without a model and without torch."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from modalloy.errors import TableError
from modalloy.job import config
from modalloy.judge.judge import report_of
from modalloy.judge.report import Report
from modalloy.judge.slices import Groups

BY_HAND = """
import sys
import numpy as np
from modalloy.job import config
from modalloy.judge.judge import report_of
from modalloy.judge.slices import Groups

def lists(*items):
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out

job = config.Job.model_validate({
    "table": "parts.csv", "split": {"random": "stratified"},
    "columns": {"note": {"type": "tokens"}, "photo": {"type": "image"}},
    "tasks": {
        "fault": {"type": "classify", "target": "fault"},
        "marks": {"type": "classify", "target": "marks", "labels": "multi"},
        "life": {"type": "regress", "target": "hours", "unit": "h", "quantiles": [0.1, 0.9]},
        "parts": {"type": "tag", "target": "tags", "on": "note"},
        "dents": {"type": "locate", "target": "boxes", "labels": "names", "on": "photo"},
    },
})
truth = {
    "fault": ["crack", "ok", "ok", None],
    "marks": [["dirty"], [], ["dirty", "wet"], ["wet"]],
    "life": [10.0, 20.0, 30.0, 40.0],
    "parts": [["O", "B-x"], ["B-x", "I-x"], ["O"], None],
    "dents": [{"boxes": np.array([[0.0, 0, 9, 9]]), "names": ["dent"]}] * 4,
}
box = np.array([[0.0, 0, 9, 9]])
answers = {
    "fault": {"probability": np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])},
    "marks": {"probability": np.array([[0.9, 0.1], [0.2, 0.1], [0.6, 0.4], [0.1, 0.8]])},
    "life": {"value": np.array([11.0, 20, 30, 40]),
             "quantiles": np.array([[5.0, 15], [15, 25], [25, 35], [41, 45]])},
    "parts": {"tags": lists(["O", "B-x"], ["B-x", "I-x"], ["B-x"], ["O"]),
              "confidence": np.ones(4)},
    "dents": {"boxes": lists(box, box, box, box[:0]),
              "scores": lists(*(np.array([0.9]),) * 3, np.zeros(0)),
              "names": lists(["dent"], ["dent"], ["dent"], [])},
}
names = {"fault": ["crack", "ok"], "marks": ["dirty", "wet"]}
report = report_of(
    job, answers, truth, names=names,
    groups=Groups("machine", ["a", "a", "b", "b"]),
    sliced={"site": ["north"] * 4},
)
found = report.tasks
assert abs(found["fault"]["accuracy"] - 2 / 3) < 1e-9, found
assert abs(found["life"]["mae"] - 0.25) < 1e-9, found
assert abs(found["parts"]["span_f1"] - 0.8) < 1e-9, found
assert 0.7 < found["dents"]["map50"] < 0.8, found
assert 0.5 < found["marks"]["average_precision"] <= 1, found
assert all(f["interval"] for f in found.values()), found
assert report.drawn == {"by": "machine", "groups": 2}
assert report.about["life"]["unit"] == "h"
assert "crack" in report.reports["fault"]
assert "fault" in report.text()
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & {"torch", "transformers", "safetensors"}, loaded
print("JUDGED", len(found))
"""


def test_answers_made_by_hand_are_judged_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", BY_HAND], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "JUDGED 5" in done.stdout


def flowers() -> tuple[config.Job, list[str], list[str], np.ndarray]:
    """Truth and probabilities of a plain scikit-learn model for flowers that it has not seen."""
    data = load_iris()
    names = [str(n) for n in data.target_names]
    draw = np.random.default_rng(0).permutation(150)
    train, test = draw[:30], draw[30:]
    model = LogisticRegression(max_iter=500).fit(data.data[train], data.target[train])
    job = config.Job.model_validate(
        {
            "table": "flowers.csv",
            "split": {"random": "stratified"},
            "columns": {"petal": {"type": "number"}},
            "tasks": {"kind": {"type": "classify", "target": "kind"}},
        }
    )
    truth = [names[i] for i in data.target[test]]
    return job, names, truth, model.predict_proba(data.data[test])


def test_a_scikit_learn_models_answers_have_scikit_learns_figures() -> None:
    job, names, truth, p_BC = flowers()
    half = ["low" if i < 60 else "high" for i in range(120)]
    report = report_of(
        job,
        {"kind": {"probability": p_BC}},
        {"kind": truth},
        names={"kind": names},
        sliced={"half": half},
        grouped={"field": [f"f{i % 4}" for i in range(120)]},
    )
    found, chosen = report.tasks["kind"], [names[i] for i in p_BC.argmax(1)]
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, chosen))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, chosen, average="macro"))
    auroc = roc_auc_score(truth, p_BC, multi_class="ovr", labels=names)
    assert found["auroc"] == pytest.approx(auroc)
    low, high = found["interval"]["accuracy"]
    assert low < found["accuracy"] <= high
    at = [i for i, value in enumerate(half) if value == "low"]
    accuracy = accuracy_score([truth[i] for i in at], [chosen[i] for i in at])
    assert report.slices["kind"]["half"]["low"]["accuracy"] == pytest.approx(accuracy)
    assert set(report.groups["kind"]["field"]) == {"f0", "f1", "f2", "f3"}
    assert report.rows == {"test": 120}
    assert "tasks:" in report.job


def test_figures_are_added_to_what_is_known() -> None:
    job, names, truth, p_BC = flowers()
    known = Report(title="flowers", seconds={"training": 2.0}, rows={"train": 30, "test": 120})
    given: dict[str, Any] = {"kind": {"probability": p_BC}}
    report = report_of(job, given, {"kind": truth}, names={"kind": names}, known=known)
    assert (report.title, report.seconds, report.rows) == (known.title, known.seconds, known.rows)
    assert report.tasks["kind"]["accuracy"] > 0.8
    pairs = Groups("field", [f"f{i // 30}" for i in range(120)])
    grouped = report_of(job, given, {"kind": truth}, names={"kind": names}, groups=pairs)
    assert grouped.tasks["kind"]["accuracy"] == report.tasks["kind"]["accuracy"]
    assert grouped.tasks["kind"]["interval"] != report.tasks["kind"]["interval"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answers": {}}, "answers: nothing is given for task 'kind' of the job"),
        ({"truth": {}}, "truth: nothing is given for task 'kind' of the job"),
        ({"truth": {"kind": ["setosa"]}}, "has 120 of 'probability', its truth 1 rows"),
        ({"names": {"kind": ["setosa"]}}, "has 3 columns of probabilities and 1 names"),
        ({"names": {}}, "has 3 columns of probabilities and 0 names"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(change: dict[str, Any], words: str) -> None:
    job, names, truth, p_BC = flowers()
    given = {
        "answers": {"kind": {"probability": p_BC}},
        "truth": {"kind": truth},
        "names": {"kind": names},
    }
    with pytest.raises(TableError, match=words):
        report_of(job, **given | change)
