"""Names that a reader takes for one are warned about; names that only look near are left alone."""

import numpy as np
import pandas as pd
import pytest

from drafts import draft_of
from modalloy.checks.check import Check, check
from modalloy.checks.spelling import say_alike, spelled_alike
from modalloy.infer.infer import job_yaml
from modalloy.job import config
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts


@pytest.mark.parametrize(
    "names",
    [
        ("OK", "ok"), ("OK", "O K"), ("not ok", "Not OK", "notok"), ("type 1", "Type1"),
        ("Größe", "größe"), ("a-b", "a_b", "a b"), ("x", "x\u200b"), ("Ａ", "a"), ("b", " b"),
    ],
)  # fmt: skip
def test_names_that_a_reader_takes_for_one(names: tuple[str, ...]) -> None:
    counts = {name: 10 - i for i, name in enumerate(names)}
    assert spelled_alike(counts) == [list(names)]


@pytest.mark.parametrize(
    "names", [("1 2", "12"), ("-1", "1"), ("A-", "A"), ("10-20", "1020"), ("A+", "A"), ("", "_")]
)
def test_names_that_only_look_near(names: tuple[str, str]) -> None:
    assert spelled_alike(dict.fromkeys(names, 5)) == []
    assert say_alike(dict.fromkeys(names, 5)) == ""


def test_a_sentence_tells_counts_and_what_it_leaves_out() -> None:
    said = say_alike({"OK": 40, "ok": 1, **{f"{c}{i}": 2 for c in "Aa" for i in range(5)}})
    assert said.startswith("'OK' (40 rows) and 'ok' (1 row), ")
    assert said.endswith(", and 3 more such names differ only in capitals, blanks or dashes")


def parts_frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    label = np.array(["good", "bad"])[rng.integers(0, 2, 60)].astype(object)
    label[[7, 50]] = "GOOD"
    site = np.array([f"hall {i % 4}" for i in range(60)], dtype=object)
    site[9] = "Hall 1"
    frame = pd.DataFrame({"load": rng.normal(size=60), "label": label, "site": site})
    return frame.assign(machine=[f"m{i // 6}" for i in range(60)])


def look(task: dict[str, str], frame: pd.DataFrame, **columns: dict[str, str]) -> Check:
    page = {
        "table": "t",
        "split": {"random": "stratified"},
        "columns": {"load": {"type": "number"}, **columns},
        "tasks": {"t": task},
    }
    rows = np.arange(len(frame))
    parts = Parts(rows[:40], rows[40:40], rows[40:])
    return check(config.Job.model_validate(page), open_table(frame), parts)


def test_check_names_labels_and_categories_that_differ_in_capitals_only() -> None:
    task = {"type": "classify", "target": "label"}
    said = look(task, parts_frame(), site={"type": "category"})
    found = {f.where: f for f in said.findings if "capitals" in f.what}
    assert set(found) == {"label", "site"}
    assert found["label"].level == found["site"].level == "warning"
    assert "'GOOD' (2 rows)" in found["label"].what
    assert found["label"].rows == [7, 50]
    assert "'hall 1' (14 rows) and 'Hall 1' (1 row)" in found["site"].what
    assert found["site"].rows == [9]


def test_check_looks_at_groups_and_at_labels_of_several() -> None:
    frame = parts_frame()
    frame.loc[3, "machine"] = "M0 "
    frame["tags"] = ["wet; cold" if i % 2 else "Wet" for i in range(60)]
    task = {"type": "classify", "target": "tags", "labels": "multi"}
    said = look(task, frame, machine={"type": "group"})
    found = {f.where for f in said.findings if "capitals" in f.what}
    assert found == {"tags", "machine"}


def test_init_says_so_in_its_comments() -> None:
    frame = parts_frame()
    draft = draft_of({c: frame[c].to_numpy() for c in ("load", "label", "site")}, "label")
    assert "'GOOD' (2 rows) differ only in capitals" in draft.tasks["label"].reason
    assert "'Hall 1' (1 row) differ only in capitals" in draft.columns["site"].reason
    assert job_yaml(draft, "t.csv").count("differ only in capitals") == 2
