"""Answers are judged alike, whoever gave them; no network is asked, and torch not even imported."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score

from modalloy.job.job_file import load_job
from modalloy.judge.judging import report_of
from modalloy.judge.slices import Groups

OF_EVERY_KIND = """
import json, sys
import numpy as np
from modalloy.job.job_file import load_job
from modalloy.judge.judging import report_of
job = load_job({
    "table": "parts.csv",
    "columns": {"words": {"type": "tokens"}, "photo": {"type": "image"}},
    "split": {"random": "stratified"},
    "tasks": {
        "fault": {"type": "classify", "target": "f"},
        "life": {"type": "regress", "target": "h"},
        "spans": {"type": "tag", "target": "t", "on": "words"},
        "marks": {"type": "locate", "target": "b", "on": "photo"},
    },
})
boxes = np.empty(2, dtype=object)
boxes[:] = [np.array([[0.0, 0, 4, 4]]), np.zeros((0, 4))]
scores, found, tags = (np.empty(2, dtype=object) for _ in range(3))
scores[:] = [np.array([0.9]), np.zeros(0)]
found[:] = [["box"], []]
tags[:] = [["B-part", "O"], ["O"]]
answers = {
    "fault": {"probability": np.array([[0.8, 0.2], [0.6, 0.4]])},
    "life": {"value": np.array([1.0, 3.0])},
    "spans": {"tags": tags, "confidence": np.ones(2)},
    "marks": {"boxes": boxes, "scores": scores, "names": found},
}
empty = {"boxes": np.zeros((0, 4)), "names": []}
truth = {
    "fault": ["bad", "good"],
    "life": [1.0, 2.0],
    "spans": [["B-part", "O"], ["B-part"]],
    "marks": [{"boxes": np.array([[0.0, 0, 4, 4]]), "names": ["box"]}, empty],
}
names = {"fault": ["bad", "good"], "life": None, "spans": ["O", "B-part", "I-part"]}
report = report_of(job, answers, truth, {**names, "marks": ["box"]})
assert not {"torch", "transformers"} & {n.split(".")[0] for n in sys.modules}
assert report.failed == []
told = {n: {k: v for k, v in f.items() if k != "interval"} for n, f in report.tasks.items()}
print(json.dumps(told))
"""


def test_answers_of_every_kind_of_task_are_judged_without_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OF_EVERY_KIND], capture_output=True, text=True, check=True
    )
    figures = json.loads(done.stdout)
    assert figures["fault"]["accuracy"] == 0.5
    assert figures["life"]["mae"] == 0.5
    assert figures["spans"]["span_f1"] == pytest.approx(2 / 3)
    assert figures["marks"]["map50"] == 1.0


def test_the_answers_of_another_library_are_judged_by_the_same_figures() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 3))
    labels = np.where(x[:, 0] + draw.normal(size=300) > 0, "bad", "good")
    model = LogisticRegression().fit(x[:200], labels[:200])
    p = model.predict_proba(x[200:])
    job = load_job(
        {
            "table": "parts.csv",
            "columns": {"load": {"type": "number"}},
            "split": {"random": "stratified"},
            "tasks": {"fault": {"type": "classify", "target": "fault"}},
        }
    )
    given = {"fault": {"probability": p}}, {"fault": list(labels[200:])}
    report = report_of(job, *given, {"fault": list(model.classes_)})
    found = report.tasks["fault"]
    assert found["accuracy"] == accuracy_score(labels[200:], model.predict(x[200:]))
    assert found["auroc"] == pytest.approx(roc_auc_score(labels[200:] == "good", p[:, 1]))
    low, high = found["interval"]["accuracy"]
    assert low < found["accuracy"] < high
    assert report.about["fault"]["rows"] == 100
    by = Groups("machine", [f"m{i // 25}" for i in range(100)])
    grouped = report_of(job, *given, {"fault": list(model.classes_)}, groups=by)
    assert grouped.drawn == {"by": "machine", "groups": 4}
    assert grouped.tasks["fault"]["interval"] != found["interval"]
