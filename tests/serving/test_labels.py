"""Labels have the form of their task's answers, and leave the row's own cells as they were."""

from pathlib import Path
from typing import Any

import pytest

from conftest import make_job, write_table
from modalloy.errors import RequestError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.serving.labels import refuse_label
from served import serving
from untrained import untrained

CLASS, LABELS = config.Classify(target="y"), config.Classify(target="y", labels="multi")
BOXES = config.Locate(target="y", on="p")
NAMED = config.Locate(target="y", on="p", labels="n")
BOX = [[1.0, 2.0, 3.0, 4.0]]


@pytest.mark.parametrize(
    ("options", "good", "bad"),
    [
        (CLASS, ["ok", 3, True], [None, ["ok"], {"a": 1}]),
        (LABELS, [["ok"], [], "a;b"], [None, 3, [3]]),
        (config.Regress(target="y"), [3, 2.5], [None, "3", True, float("nan"), [3]]),
        (config.Tag(target="y", on="w"), [["O", "B-x"]], [None, "O", [1], {"y": []}]),
        (config.Generate(target="y"), ["a text"], [None, 3, ["a"]]),
        (BOXES, [BOX, []], [None, "box", {"y": BOX}]),
        (NAMED, [{"y": BOX, "n": ["a"]}], [None, BOX, {"y": BOX}]),
        (config.Custom(target="y", use="a.b:C"), [3, "a", [1]], [None]),
    ],
    ids=lambda options: getattr(options, "type", ""),
)
def test_labels_of_every_kind(options: Any, good: list[Any], bad: list[Any]) -> None:
    for label in good:
        refuse_label("task", options, label)
    for label in bad:
        with pytest.raises(RequestError, match="label"):
            refuse_label("task", options, label)


def test_words_stay_beside_the_tags_that_a_person_gave(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = make_job(table, columns=("load",))
    job["columns"]["words"] = {"type": "tokens"}
    job["tasks"] = {"parts": {"type": "tag", "target": "tags", "on": "words"}}
    run = untrained(tmp_path / "run", table, job=load_job(job)).path
    row = {"load": 3.0, "words": ["check", "the", "pump"]}
    with serving(run) as client:
        told = client.post("/predict", json={"rows": [row, row]}).json()["rows"]
        answer = client.post("/page/answer", json={"row": row}).text
        assert 'data-do="why"' in answer  # spans are explained
        page = client.get("/page/queue?task=parts").text
        assert page.count("check") >= 2  # the words are shown, not the tags alone
        tags = ["O", "O", "B-part"]
        label = {"id": told[0]["id"], "task": "parts", "label": tags}
        assert client.post("/feedback", json=label).is_success
        frame = client.service.rows.frame()
        assert [list(words) for words in frame["words"]] == [row["words"]] * 3
        assert [None if t is None else list(t) for t in frame["tags"]] == [tags, None, None]
        assert client.get("/page/queue?task=parts").text.count("<article") == 2
