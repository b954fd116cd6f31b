"""A task that the package does not know goes the whole way; kinds are named in few files."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from house import SOURCE
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.tasks.kit import Kit, kit_of, part

USE = "tasks.counting:KIT"
NAMED = {  # files that may name a kind of task, beside the room `tasks`
    *(
        f"readers/targets/{kind}.py"
        for kind in ("classify", "regress", "tag", "locate", "generate")
    ),
    *(f"model/tasks/{kind}.py" for kind in ("classify", "regress", "tag", "locate", "generate")),
    *(
        f"judge/metrics/{kind}.py"
        for kind in ("classes", "quantities", "spans", "detection", "texts")
    ),
    *(
        f"judge/baselines/{kind}.py"
        for kind in ("classify", "regress", "tag", "locate", "generate")
    ),
    *(
        f"answer/decoding/{kind}.py"
        for kind in ("classify", "regress", "tag", "locate", "generate")
    ),
    *(f"report/drawing/{kind}.py" for kind in ("classify", "regress", "tag", "locate", "generate")),
    "answer/decoding/detr.py",
    "model/tasks/detr.py",
    "readers/written_pieces.py",
    "tasks/kit.py",
}
EACH: list[Any] = [
    config.Classify(target="y"),
    config.Regress(target="y"),
    config.Tag(target="y", on="w"),
    config.Locate(target="y", on="p"),
    config.Generate(target="y"),
    config.Custom(target="y", use=USE),
]


@pytest.fixture
def counted(small_table: Path, job_dict: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """A job that counts the spots of a part, of which cracked ones have more."""
    frame, draw = pd.read_parquet(small_table), np.random.default_rng(0)
    frame["spots"] = draw.poisson(np.where(frame["fault_code"] == "crack", 6.0, 1.0)).astype(float)
    frame.loc[frame.index % 19 == 3, "spots"] = None
    frame.to_parquet(small_table, index=False)
    tasks = {"spots": {"type": "custom", "target": "spots", "use": USE}}
    return job_dict(small_table, columns=("load", "site", "note"), tasks=tasks, blend={})


def test_a_task_of_ones_own_is_checked_trained_judged_drawn_and_answered(
    counted: dict[str, Any], tmp_path: Path
) -> None:
    found = ma.check(counted)
    assert found.ok
    assert any("of the rows have no answer" in f.what for f in found.findings)
    assert any(f.where == "spots" for f in found.findings)
    counted["train"] |= {"epochs": 8, "lr": 3e-3}
    run = ma.train(counted, out=tmp_path / "run", quiet=True)
    assert ma.load_run(run.path).job.tasks["spots"].use == USE
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert set(report["tasks"]["spots"]) == {"d2", "mae", "interval"}
    assert report["about"]["spots"]["primary"] == "d2"
    assert {"mean count", "gradient boosting on plain features"} <= set(
        report["baselines"]["spots"]
    )
    assert report["naive"]["spots"]["metric"] == "d2"
    assert "note (own head)" in report["subsets"]["spots"]  # it answers whole rows
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Rates over counts" in page
    assert re.search(r"truth: \d+ pieces", page)
    again = ma.evaluate(str(run.path), quiet=True)
    assert again.tasks["spots"]["d2"] == report["tasks"]["spots"]["d2"]
    answers = ma.predict(str(run.path), counted["table"], quiet=True)
    assert (answers["spots"] == np.floor(answers["spots.rate"])).all()
    frame = pd.read_parquet(counted["table"])
    cracked = frame["fault_code"] == "crack"
    assert answers["spots.rate"][cracked].mean() > answers["spots.rate"][~cracked].mean()


@pytest.mark.parametrize(
    ("use", "why"),
    [
        ("nowhere.at_all:KIT", r"cannot be imported \(No module named 'nowhere'\); install the"),
        ("tasks.counting:KITT", "the module tasks.counting has no 'KITT'"),
        ("tasks.counting:NOT_A_KIT", "is a list, no modalloy.tasks.kit.Kit"),
        ("counting", "names no place; write package.module:name"),
        ("tasks.counting:HEADLESS", "the module tasks.counting has no 'CountHeads'"),
    ],
)
def test_a_kit_that_is_none_is_told_with_its_line(
    counted: dict[str, Any], tmp_path: Path, use: str, why: str
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        f"table: {counted['table']}\nsplit: {{by: machine}}\ncolumns:\n  load: {{type: number}}\n"
        f"tasks:\n  spots:\n    type: custom\n    target: spots\n    use: {use}\n"
    )
    for verb in (ma.check, lambda job: ma.train(job, out=tmp_path / "run", quiet=True)):
        with pytest.raises(JobError, match=rf"job.yaml:9: tasks.spots.use: .*{why}"):
            verb(path)


def test_a_run_whose_kit_is_gone_says_so(
    counted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import counting

    ma.train(counted | {"blend": {"use": "never"}}, out=tmp_path / "run", quiet=True)
    monkeypatch.delattr(counting, "KIT")
    with pytest.raises(JobError, match="has no 'KIT'"):
        ma.load_run(tmp_path / "run")


@pytest.mark.parametrize("options", EACH, ids=lambda o: o.type)
def test_every_part_of_every_kit_is_there(options: Any) -> None:
    from modalloy.judge.baselines.baseline import Baseline
    from modalloy.judge.metrics.measure import Measure
    from modalloy.model.tasks.task import Task
    from modalloy.readers.targets.target import TargetReader
    from modalloy.report.drawing.drawing import Drawing

    kit = kit_of(options)
    assert isinstance(kit, Kit)
    assert issubclass(part(kit.target), TargetReader)
    assert issubclass(part(kit.head), Task)
    assert callable(part(kit.answer))
    for place, base in ((kit.measure, Measure), (kit.baseline, Baseline), (kit.drawing, Drawing)):
        assert isinstance(part(place)(), base)


def test_kinds_of_tasks_are_named_in_their_own_files_alone() -> None:
    kinds = re.compile(r"config\.(Tag|Locate|Classify|Regress|Generate|Custom)\b")
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if kinds.search(path.read_text())
    }
    assert {"tasks/kit.py"} < found <= NAMED
