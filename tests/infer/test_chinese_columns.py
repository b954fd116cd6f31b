"""Columns in Chinese: words without spaces, names of things, and encoders that know the letters."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy.infer.guessed as guessed
from drafts import N, draft_of
from modalloy.checks.check import check
from modalloy.checks.column_profile import word_count
from modalloy.checks.name_hints import names_a_group, tells, words
from modalloy.infer.infer import job_yaml
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.machine.encodings import is_han
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

DRAW = np.random.default_rng(4)
PARTS = ["主轴", "轴承", "齿轮", "密封圈", "液压泵", "刀具", "导轨", "电机"]
SEEN = ["温度过高", "振动偏大", "有异响", "漏油严重", "表面划伤", "磨损明显", "间隙超差"]
DONE = ["已更换", "继续观察", "停机检修", "夜班处理", "待备件到货"]
CLASSES = DRAW.choice(["裂纹", "合格"], N)
# MiniLM's vocabulary holds some of the characters; texts like these lose most of theirs.
LOST = 0.6


def notes() -> list[str]:
    """Notes without a space, hardly any twice."""
    drawn = zip(DRAW.choice(PARTS, N), DRAW.choice(SEEN, N), DRAW.choice(DONE, N), strict=True)
    return [f"{part}{seen},{done}{i}" for i, (part, seen, done) in enumerate(drawn)]


def columns(**more: Any) -> dict[str, Any]:
    return {"备注": notes(), **more, "缺陷": CLASSES}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("裂纹", 1),
        ("王丽娟", 1),
        ("12号机", 1),
        ("表面划伤", 2),
        ("主轴温度过高,已停机", 4),
        ("M6 螺栓 loose", 3),
    ],
)
def test_two_letters_are_a_word(text: str, count: int) -> None:
    assert word_count(text) == count
    assert word_count("the pump - it leaks") == 5


def test_notes_without_spaces_are_texts_and_learn_from_nothing() -> None:
    draft = draft_of(columns(), "缺陷")
    found = draft.columns["备注"]
    assert (found.type, dict(found.options)) == ("text", {})
    assert "words on average; no English, so not read by minilm, which has no piece" in found.reason
    assert found.reason.endswith("of them: its encoder learns from nothing")
    assert "备注: {type: text}  # 200 different texts" in job_yaml(draft, "零件.csv")


def test_nothing_is_said_of_an_encoder_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guessed, "find_spec", lambda name: None)
    assert "minilm" not in draft_of(columns(), "缺陷").columns["备注"].reason


@pytest.mark.parametrize("encoder", ["minilm", "scratch"])
def test_check_says_that_an_encoder_lacks_the_letters(encoder: str) -> None:
    table = open_table(pd.DataFrame(columns()))
    job = config.Job.model_validate(
        {
            "table": "t.csv",
            "split": {"random": "stratified"},
            "columns": {"备注": {"type": "text", "encoder": encoder}},
            "tasks": {"缺陷": {"type": "classify", "target": "缺陷"}},
        }
    )
    said = [f for f in check(job, table, split_job(table, job)).findings if "no piece" in f.what]
    assert [(f.level, f.where) for f in said] == [("warning", "备注")] * (encoder == "minilm")
    for finding in said:
        share = int(finding.what.partition("no piece for ")[2].partition("%")[0]) / 100
        assert LOST < share < 1


def test_the_same_notes_on_both_sides_of_a_split_are_found() -> None:
    same = ["主轴箱拆检后更换前轴承并重新调整间隙，试运行两小时温度振动均正常"] * N
    frame = pd.DataFrame({"备注": [f"{s}{'甲乙丙丁戊'[i % 5]}" for i, s in enumerate(same)]})
    frame["缺陷"] = CLASSES
    table = open_table(frame)
    job = config.Job.model_validate(
        {
            "table": "t.csv",
            "split": {"random": "stratified"},
            "columns": {"备注": {"type": "text"}},
            "tasks": {"缺陷": {"type": "classify", "target": "缺陷"}},
        }
    )
    said = [f.what for f in check(job, table, split_job(table, job)).findings]
    assert any("share the text of a training row" in what for what in said), said


def test_what_a_name_says_in_chinese() -> None:
    assert words("机床编号") == ["machine", "id"]
    assert words("主轴温度") == ["主轴", "temperature"]
    assert all(map(names_a_group, ("机床编号", "批次", "设备号", "炉号", "客户")))
    assert not any(map(names_a_group, ("备注", "载荷", "温度")))
    assert tells("缺陷_备注", "缺陷")
    assert not tells("故障", "缺陷")


def test_rows_of_one_machine_stay_together() -> None:
    machines = [f"{i % 12}号机" for i in range(N)]
    draft = draft_of(columns(机床编号=machines, 载荷=DRAW.normal(size=N)), "缺陷")
    assert draft.split == {"by": "机床编号"}
    assert draft.columns["机床编号"].type == "group"
    assert draft.tasks["缺陷"].type == "classify"


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_a_job_is_read_as_shells_write_it(encoding: str, tmp_path: Path) -> None:
    text = job_yaml(draft_of(columns(), "缺陷"), "零件.csv")
    (tmp_path / "job.yaml").write_bytes(text.encode(encoding))
    assert list(load_job(tmp_path / "job.yaml").columns) == ["备注"]


@pytest.mark.parametrize(("name", "told"), [("载荷", ""), ("Füllgrad ü²", r"'\xb2'")])
def test_a_terminal_that_lacks_a_letter_is_a_sentence(name: str, told: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({name: DRAW.normal(size=N), "缺陷": CLASSES})
    frame.to_csv(tmp_path / "t.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-m", "modalloy", "init", str(tmp_path / "t.csv"), "--target", "缺陷"],
        env={**os.environ, "PYTHONIOENCODING": "gbk"},
        capture_output=True,
    )
    said = done.stderr.decode("gbk")
    assert (done.returncode, bool(said)) == ((2, True) if told else (0, False))
    if told:
        assert f"error: this terminal writes in gbk, which has no {told}; set PYTHONUTF8=1" in said
    else:
        (tmp_path / "job.yaml").write_bytes(done.stdout)
        assert list(load_job(tmp_path / "job.yaml").columns) == [name]


def test_other_verbs_write_look_alikes_of_such_letters(tmp_path: Path) -> None:
    frame = pd.DataFrame({"载荷": DRAW.normal(size=N), "\N{MINUS SIGN}x²ß": 1, "缺陷": CLASSES})
    job = {
        "table": "t.csv",
        "split": {"random": "stratified"},
        "columns": {c: {"type": "number"} for c in list(frame)[:2]},
        "tasks": {"缺陷": {"type": "classify", "target": "缺陷"}},
    }
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "job.yaml").write_text(json.dumps(job), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "modalloy", "check", str(tmp_path / "job.yaml")],
        env={**os.environ, "PYTHONIOENCODING": "gbk"},
        capture_output=True,
    )
    assert "-x2?" in done.stdout.decode("gbk")


def test_a_target_of_chinese_notes_is_written() -> None:
    columns = {"载荷": DRAW.normal(size=N), "备注": notes()}
    task = draft_of(columns, "备注").tasks["备注"]
    assert (task.type, dict(task.options)) == ("generate", {})
    long = [f"{note}。" + "主轴箱拆检后更换前轴承并重新调整间隙" * 4 for note in notes()]
    task = draft_of({**columns, "备注": long}, "备注").tasks["备注"]
    letters = max(sum(map(is_han, note)) for note in long)
    assert task.options["max_tokens"] >= 1.5 * letters
