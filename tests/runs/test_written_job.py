"""The job of a run is the one that was trained, whatever a new job may say today."""

import json
from pathlib import Path
from typing import Any

import pytest
from test_run import reseal

import modalloy as ma
from modalloy.errors import JobError, RunError
from modalloy.job import config
from modalloy.job.job_file import job_text, load_job, save_job
from modalloy.runs.written_job import job_from, read_written
from untrained import untrained

COLUMNS: dict[str, dict[str, Any]] = {
    "load": {"type": "number", "unit": "kN", "scale": "log", "embed": "periodic", "bins": 3},
    "site": {"type": "category", "min_count": 1, "size": "base"},
    "010": {"type": "category"},
    "taken": {"type": "time", "cycles": ["day"], "since": "ordered"},
    "list": {"type": "vector"},
    "note": {"type": "text", "encoder": "hf:/nowhere/bert", "tune": "last_n", "last_n": 1},
    "words": {"type": "tokens", "vocabulary": 64},
    "photo": {"type": "image", "augment": "rotate", "all_views": True, "pixels": 32},
    "sound": {"type": "audio", "seconds": 2, "rate_hz": 8000},
    "drive": {"type": "series", "from": ["a", "b"], "rate_hz": 100, "rpm": "speed"},
    "motor": {"type": "series", "rate_hz": 1e3, "rpm": 1500, "front": ["learned", "order"]},
    "past": {"type": "series", "from": ["load"], "history": {"by": ["m"], "order": "t", "rows": 4}},
    "machine": {"type": "group"},
    "serial": {"type": "ignore"},
}
TASKS: dict[str, dict[str, Any]] = {
    "no": {"type": "classify", "target": "yes", "class_weights": "balanced"},
    "many": {"type": "classify", "target": "labels", "labels": "multi"},
    "life": {"type": "regress", "target": "hours", "quantiles": [0.1, 0.9], "loss": "huber"},
    "spans": {"type": "tag", "target": "tags", "on": "words", "weight": 2},
    "marks": {"type": "locate", "target": "boxes", "on": "photo", "labels": "names"},
    "cause": {"type": "generate", "target": "causes", "max_tokens": 12, "min_tokens": 2},
    "spots": {"type": "custom", "target": "spots", "use": "tasks.counting:KIT"},
}
FUSIONS = ("concat", "sum", "multilinear", "gated", "attention", "bottleneck", "tabm")
SPLITS = (
    {"by": "machine", "hold_out": ["3", "m1", "1.10"]},
    {"time": "taken", "validation": 0},
    {"column": "part", "by": "machine"},
    {"random": "stratified"},
)


def whole_job(fusion: str, split: dict[str, Any]) -> config.Job:
    """A job with every kind of column and task."""
    return load_job(
        {
            "table": "parts.xlsx",
            "sheet": "no",
            "split": split,
            "columns": COLUMNS,
            "fuse": {"type": fusion, "width": 64},
            "tasks": TASKS,
            "train": {"lr": 1e-05, "precision": "float32"},
        }
    )


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: next(iter(split)))
@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_option_comes_back_as_it_was(
    tmp_path: Path, fusion: str, split: dict[str, Any]
) -> None:
    job = whole_job(fusion, split)
    save_job(job, tmp_path / "job.yaml")
    found = job_from(read_written(tmp_path / "job.yaml"), tmp_path / "job.yaml")
    assert found == job
    assert repr(found) == repr(job)
    assert found.model_dump_json() == job.model_dump_json()
    assert job_text(found) == job_text(job)


def test_every_kind_of_option_is_in_that_job() -> None:
    shown = {type(c) for c in whole_job("concat", SPLITS[0]).columns.values()}
    shown |= {type(t) for t in whole_job("concat", SPLITS[0]).tasks.values()}
    shown |= {type(whole_job(fusion, SPLITS[0]).fuse) for fusion in FUSIONS}
    kinds = {k for k in vars(config).values() if isinstance(k, type) and "type" in _fields(k)}
    assert kinds == shown


def _fields(kind: type) -> dict[str, Any]:
    return dict(kind.model_fields) if issubclass(kind, config.Options) else {}


def test_an_option_that_is_left_out_has_its_default(tmp_path: Path) -> None:
    job = whole_job("concat", SPLITS[0])
    data = job.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert "front" not in data["columns"]["drive"]
    assert job_from(data, tmp_path / "job.yaml") == job


def test_a_relative_table_starts_at_the_run(tmp_path: Path) -> None:
    data = json.loads(whole_job("sum", SPLITS[0]).model_dump_json(by_alias=True))
    found = job_from(data | {"table": "../parts.csv"}, tmp_path / "run" / "job.yaml")
    assert found.table == str(tmp_path / "parts.csv")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  epochs: 2", "  epochs: 0"),  # a bound that has become tighter
        ("  optimizer: adamw", "  optimizer: adagrad"),  # a word that is gone
        ("    target: fault_code", "    target: site"),  # a rule that forbids it
        ("    by: machine", "    by: machine\n  time: taken_at"),  # one way to split alone
    ],
)
def test_what_new_jobs_may_not_say_loads_from_a_run(
    small_table: Path, tmp_path: Path, old: str, new: str
) -> None:
    run = untrained(tmp_path / "run", small_table)
    path = run.path / "job.yaml"
    text = path.read_text()
    old, new = (old, new) if old in text else (old.strip(), new.strip())
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(JobError):
        load_job(path)
    reseal(run.path)
    assert len(ma.predict(ma.load_run(run.path), small_table, quiet=True)) == 80


def test_no_rule_of_today_is_asked(
    small_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modalloy.job import faults, job_file, rules

    run = untrained(tmp_path / "run", small_table)

    def asked(*given: Any) -> Any:
        raise AssertionError("a rule for new jobs")

    monkeypatch.setattr(rules, "broken_rules", asked)
    monkeypatch.setattr(job_file, "broken_rules", asked)
    monkeypatch.setattr(faults, "validate", asked)
    monkeypatch.setattr(job_file, "validate", asked)
    monkeypatch.setattr(config.Job, "model_validate_json", asked)
    assert ma.load_run(run.path).job == run.job


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("colour",), 1, r"job\.yaml: has an option 'colour', which this version does not know"),
        (("columns", "load", "fog"), 1, r"columns\.load: has an option 'fog', which this version"),
        (("columns", "load", "type"), "smell", r"columns\.load: has type 'smell', which"),
        (("fuse", "type"), "soup", r"fuse: has type 'soup', which this version does not know"),
        (("columns", "past", "history", "x"), 1, r"columns\.past\.history: has an option 'x'"),
        (("train",), 3, r"train: is no group of options"),
        (("columns",), [], r"columns: is no group of options"),
        (("split",), ..., r"job\.yaml: lacks 'split'; restore the file"),
        (("tasks", "life", "target"), ..., r"tasks\.life: lacks 'target'"),
    ],
)
def test_what_this_version_has_no_place_for_is_named(
    tmp_path: Path, path: tuple[str, ...], value: Any, said: str
) -> None:
    data = json.loads(whole_job("sum", SPLITS[0]).model_dump_json(by_alias=True))
    spot = data
    for key in path[:-1]:
        spot = spot[key]
    if value is ...:
        del spot[path[-1]]
    else:
        spot[path[-1]] = value
    with pytest.raises(RunError, match=said):
        job_from(data, tmp_path / "job.yaml")


@pytest.mark.parametrize("text", ["", "- a\n", "a: 1\na: 2\n", "a: [", "\ufffe\x00"])
def test_a_job_file_that_is_none_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(RunError, match=r"job\.yaml: is not what training wrote"):
        read_written(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match=r"job\.yaml: cannot be read"):
        read_written(path)
    with pytest.raises(RunError, match=r"job\.yaml: cannot be read"):
        read_written(tmp_path / "none" / "job.yaml")
